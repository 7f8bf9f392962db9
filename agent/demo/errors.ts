/** What can keep the demo from running, and what to do about it. @module */

export const DEMO_ERRORS = {
  WEFT_DEMO_PROGRAM_ENDED: 'ended while the demo came up; its last lines follow',
  WEFT_DEMO_NOT_READY: 'did not happen in time; the last lines of every agent follow',
  WEFT_DEMO_AGENT_ANSWER: 'an agent gave an answer that is not understood; demo and agent must be of one version',
} as const;

export class DemoError extends Error {
  override readonly name = 'DemoError';
  readonly code: keyof typeof DEMO_ERRORS;
  constructor(code: keyof typeof DEMO_ERRORS, subject: string, options?: ErrorOptions & { lines?: readonly string[] }) {
    const lines = (options?.lines ?? []).map((line) => `\n  ${line}`).join('');
    super(`${subject}: ${DEMO_ERRORS[code]}${lines}`, options);
    this.code = code;
  }
}
