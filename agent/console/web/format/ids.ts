/** Ids in a line of text. @module */

/** The end of a trace's id: traces that one agent begins have the first half in common. */
export function shortTraceId(traceId: string): string {
  return traceId.slice(-12);
}
