/**
 * What a request says it wants after a rule has rewritten it (Gateway API, HTTPURLRewriteFilter and HTTPPathModifier).
 *
 * Nothing is copied but the new part: the rest of the path and the query stay where they are in the head. Whatever is
 * configured, what leaves is a target in origin-form: bytes that may not stand in one are percent-encoded.
 * @module
 */

import { TARGET } from '../http1/grammar/characters.ts';
import { AS_IT_IS, FIELD, type Head } from '../http1/grammar/head.ts';
import { isAuthority } from '../http1/grammar/target.ts';
import type { HttpActions, HttpMatch, PathEdit } from '../traffic/rules.ts';
import { wireText } from './edits.ts';

export interface CompiledPathEdit {
  readonly type: PathEdit['type'];
  /** What is put in: of a prefix, without a slash at its end. */
  readonly text: string;
  /** How many bytes of the path it takes the place of; of type 'prefix'. */
  readonly cut: number;
}

export interface CompiledRewrite {
  readonly hostname: string | undefined;
  readonly path: CompiledPathEdit | undefined;
}

const QUESTION = 0x3f;
const ASTERISK = 0x2a;

/** @param match the one that led to the rule: 'prefix' replaces what it asks for */
export function compilePathEdit({ type, value }: PathEdit, match: HttpMatch | undefined): CompiledPathEdit {
  if (type === 'full') {
    const text = targetText(value);
    return { type, text: text.startsWith('/') ? text : `/${text}`, cut: 0 };
  }
  const text = targetText(value).replace(/\/+$/, '');
  const matched = match?.path?.type === 'prefix' ? wireText(match.path.value).replace(/\/+$/, '') : '';
  return { type, text: text === '' || text.startsWith('/') ? text : `/${text}`, cut: matched.length };
}

export function compileRewrite(
  rewrite: HttpActions['rewrite'],
  match: HttpMatch | undefined,
  ignored: (what: string) => void,
): CompiledRewrite | undefined {
  if (rewrite === undefined) return undefined;
  return {
    hostname: rewrite.hostname === undefined ? undefined : hostnameOf(rewrite.hostname, ignored),
    path: rewrite.path === undefined ? undefined : compilePathEdit(rewrite.path, match),
  };
}

/** A host as it may stand in a target, without a port; else undefined. */
export function hostnameOf(hostname: string, ignored: (what: string) => void): string | undefined {
  const bytes = Buffer.from(hostname);
  if (isAuthority(bytes, 0, bytes.length) && !/:\d*$/.test(hostname)) return hostname;
  ignored(`hostname ${JSON.stringify(hostname)}: not a host without a port`);
  return undefined;
}

/** The path after an edit, without its query. The same as `rewriteTarget` gives, for text. */
export function editedPath(path: string, edit: CompiledPathEdit): string {
  if (edit.type === 'full') return edit.text;
  const edited = edit.text + path.slice(edit.cut);
  return edited === '' ? '/' : edited;
}

/** Changes what the head goes on as. Once a request, before Host is looked at. */
export function rewriteTarget(head: Head, { hostname, path }: CompiledRewrite): void {
  const { bytes, target } = head;
  const isWhole = target === AS_IT_IS;
  let pathStart = isWhole ? head.targetStart : target.pathStart;
  const pathEnd = isWhole ? head.targetEnd : target.pathEnd;
  let { prefix } = target;
  const isAsterisk = prefix === '*' || (isWhole && bytes[pathStart] === ASTERISK);
  if (path !== undefined && !isAsterisk) {
    let query = pathStart;
    while (query < pathEnd && bytes[query] !== QUESTION) query++;
    if (path.type === 'full') {
      prefix = path.text;
      pathStart = query;
    } else if (prefix === '') {
      pathStart = Math.min(pathStart + path.cut, query);
      prefix = path.text === '' && pathStart === query ? '/' : path.text;
    } else prefix = editedPath(prefix, path); // an absolute-form target without a path
  }
  head.target = { pathStart, pathEnd, prefix, authority: hostname ?? target.authority };
  if (hostname !== undefined) head.dropAll(FIELD.host);
}

/** Bytes that may stand in the path of a target; a question mark would begin a query. */
function targetText(value: string): string {
  let text = '';
  for (const byte of Buffer.from(value, 'utf8')) {
    const isPlain = TARGET[byte] === 1 && byte !== QUESTION;
    text += isPlain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return text;
}
