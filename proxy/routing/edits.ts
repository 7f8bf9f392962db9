/**
 * Edits of header fields, compiled to the least that has to be done for a message: which fields go, and which lines come.
 *
 * Edits of a rule and of the backend it picked are one program: each step is worked out on what the steps before it leave,
 * when routes are compiled. What a hop lives by cannot be edited: framing, fields about the connection, Host (which a rewrite
 * changes) and everything of Weft's own. The control thread refuses such edits; here they are left out, and said so.
 * @module
 */

import { FIELD_VALUE, TOKEN } from '../http1/grammar/characters.ts';
import type { Head } from '../http1/grammar/head.ts';
import type { HeaderEdits } from '../traffic/rules.ts';

export interface CompiledEdits {
  /** Names in lower case whose fields are not passed on. */
  readonly takes: readonly string[];
  /** Complete lines to add, one byte a character. */
  readonly lines: string;
}

export const NO_EDITS: CompiledEdits = { takes: [], lines: '' };

const PROTECTED = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'http2-settings',
  'keep-alive',
  'max-forwards',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/**
 * @param edits in the order in which they happen: a request meets the rule, then the backend; a response comes the other way
 * @param ignored is told each edit that is left out, and why
 */
export function compileEdits(
  edits: readonly (HeaderEdits | undefined)[],
  ignored: (what: string) => void,
): CompiledEdits {
  const fields = new Map<string, { isTaken: boolean; readonly lines: string[] }>();
  const fieldOf = (name: string) => {
    const key = name.toLowerCase();
    let field = fields.get(key);
    if (field === undefined) {
      field = { isTaken: false, lines: [] };
      fields.set(key, field);
    }
    return field;
  };
  for (const { set, add, remove } of edits.filter((one) => one !== undefined)) {
    for (const [name, value] of set) {
      const line = lineOf('set', name, value, ignored);
      if (line === undefined) continue;
      const field = fieldOf(name);
      field.isTaken = true;
      field.lines.splice(0, field.lines.length, line);
    }
    for (const [name, value] of add) {
      const line = lineOf('add', name, value, ignored);
      if (line !== undefined) fieldOf(name).lines.push(line);
    }
    for (const name of remove) {
      if (!isEditable('remove', name, ignored)) continue;
      const field = fieldOf(name);
      field.isTaken = true;
      field.lines.length = 0;
    }
  }
  if (fields.size === 0) return NO_EDITS;
  return {
    takes: [...fields].filter(([, { isTaken }]) => isTaken).map(([name]) => name),
    lines: [...fields.values()].flatMap(({ lines }) => lines).join(''),
  };
}

/** Marks in the head what is not passed on. @returns complete lines to add */
export function applyEdits(head: Head, { takes, lines }: CompiledEdits): string {
  for (let i = 0; i < takes.length; i++) head.take(takes[i]!);
  return lines;
}

/** Text as it is on the wire, one byte a character. */
export function wireText(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

function lineOf(verb: string, name: string, value: string, ignored: (what: string) => void): string | undefined {
  if (!isEditable(verb, name, ignored)) return undefined;
  const text = wireText(value);
  if (!consistsOf(text, FIELD_VALUE)) {
    ignored(`${verb} ${name}: its value holds a control character`);
    return undefined;
  }
  return `${name}: ${text.trim()}\r\n`;
}

function isEditable(verb: string, name: string, ignored: (what: string) => void): boolean {
  const lower = name.toLowerCase();
  if (name === '' || !consistsOf(name, TOKEN)) ignored(`${verb} ${JSON.stringify(name)}: not the name of a header`);
  else if (PROTECTED.has(lower)) ignored(`${verb} ${name}: a hop needs it as it is`);
  else if (lower.startsWith('weft-')) ignored(`${verb} ${name}: names in weft- are the mesh's own`);
  else return true;
  return false;
}

function consistsOf(text: string, table: Uint8Array): boolean {
  for (let i = 0; i < text.length; i++) if (table[text.charCodeAt(i)] !== 1) return false;
  return true;
}
