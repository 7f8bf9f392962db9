/**
 * Regular expressions of routes: RE2's syntax, whole text, in time that grows with the text alone.
 *
 * They are written by operators and met with paths and headers of anybody, so V8's, which may take exponential time, are
 * never used.
 * @module
 */

import { RE2JS } from 're2js';

/** Whether the whole text matches. */
export type Expression = (text: string) => boolean;

const HIGH = /[\x80-\xff]/;

/** @returns undefined where it cannot be read, which the control thread refuses beforehand */
export function compileExpression(source: string): Expression | undefined {
  let compiled: RE2JS;
  try {
    compiled = RE2JS.compile(source);
  } catch {
    return undefined;
  }
  // Text of requests is bytes; the expression speaks of letters.
  return (text) => compiled.testExact(HIGH.test(text) ? Buffer.from(text, 'latin1').toString('utf8') : text);
}
