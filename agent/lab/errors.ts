/** What can go wrong while building or using a lab, and what to do about it. @module */

export const LAB_ERRORS = {
  WEFT_LAB_UNSUPPORTED: 'network namespaces cannot be made here; run as root on Linux with iproute2 and nftables',
  WEFT_LAB_BAD_NAME: 'not usable as a name; use a lower-case letter, then letters, digits or dashes, within the length',
  WEFT_LAB_NAME_TAKEN: 'already exists in this lab; choose another name or close the lab that holds it',
  WEFT_LAB_TOO_MANY: 'more than a lab holds; use fewer nodes, pods or processes',
  WEFT_LAB_COMMAND_FAILED: 'command failed; its own message follows',
  WEFT_LAB_TIMEOUT: 'did not finish in time and was killed; raise timeoutMs if it is only slow',
  WEFT_LAB_OUTPUT: 'wrote more output than is kept and was killed; redirect it to a file',
  WEFT_LAB_CLOSED: 'the lab is closed; create another',
} as const;

export class LabError extends Error {
  override readonly name = 'LabError';
  readonly code: keyof typeof LAB_ERRORS;
  constructor(code: keyof typeof LAB_ERRORS, subject: string, options?: ErrorOptions & { detail?: string }) {
    const detail = options?.detail?.trim();
    super(`${subject}: ${LAB_ERRORS[code]}${detail ? `: ${detail}` : ''}`, options);
    this.code = code;
  }
}
