/** What records quote from a request, each at a bounded length. Text is made of it here, and so only of what is told of. @module */

import { spells } from '../http1/grammar/characters.ts';
import { FIELD, FIELD_STRIDE, type Head } from '../http1/grammar/head.ts';

const MAX_PATH = 1_024;
const MAX_TEXT = 256;

/** As it came, without the query. */
export function pathOf(head: Head): string {
  const target = head.rawTarget();
  const query = target.indexOf('?');
  const path = query === -1 ? target : target.slice(0, query);
  const origin = /^https?:\/\/[^/]*/i.exec(path); // absolute-form: what comes before the path is the authority
  return (origin === null ? path : path.slice(origin[0].length)).slice(0, MAX_PATH);
}

export function authorityOf(head: Head): string {
  const origin = /^https?:\/\/([^/?]*)/i.exec(head.rawTarget());
  if (origin !== null) return origin[1]!.slice(0, MAX_TEXT);
  const host = head.find(FIELD.host);
  return host === -1 ? '' : head.value(host).slice(0, MAX_TEXT);
}

/** First field of this name, given in lower case; '' for none. */
export function textOf(head: Head, name: string, most = MAX_TEXT): string {
  for (let field = 0; field < head.fieldCount; field++) {
    const at = field * FIELD_STRIDE;
    if (spells(head.bytes, head.fields[at]!, head.fields[at + 1]!, name)) return head.value(field).slice(0, most);
  }
  return '';
}
