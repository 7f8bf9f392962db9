/**
 * Regular expressions of documents: RE2, which takes linear time whatever is written and whatever is matched.
 *
 * They must match as a whole, as in Envoy and with it most implementations of the Gateway API, which leaves the dialect
 * open. What does not compile is refused when it is written and when it is received, so that no worker meets it.
 * @module
 */
import { RE2JS, RE2JSSyntaxException } from 're2js';
import { messageOf } from '../errors.ts';
import { checked } from './access-fields.ts';

/** Longer ones are programs. */
const MAX_EXPRESSION = 1_024;

export const expression = checked(expressionProblem, MAX_EXPRESSION);

/** What is wrong with an expression, and where; undefined when it can be used. */
export function expressionProblem(text: string): string | undefined {
  try {
    RE2JS.compile(text);
    return undefined;
  } catch (err) {
    if (!(err instanceof RE2JSSyntaxException)) return `is no expression of RE2: ${messageOf(err)}`;
    return `is no expression of RE2: ${err.getDescription()} at character ${position(text, err.getPattern())}; see https://github.com/google/re2/wiki/Syntax`;
  }
}

/** From 1. Where the whole expression is at fault, something is missing at its end. */
function position(text: string, part: string | null): number {
  if (part === null || part === text) return text.length + 1;
  return Math.max(0, text.indexOf(part)) + 1;
}
