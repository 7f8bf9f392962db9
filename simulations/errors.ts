/** Errors of `simulations/`, as STYLE has them: a code to branch on, a sentence to act on. @module */
export const SIMULATION_ERRORS = {
  WEFT_SIMULATION_UNKNOWN:
    'no such scenario; `weft simulate --list` names those that ship, or give the path of a .yaml file',
  WEFT_SIMULATION_INVALID: 'not a valid scenario file',
} as const;

export class SimulationError extends Error {
  override readonly name = 'SimulationError';
  readonly code: keyof typeof SIMULATION_ERRORS;

  constructor(code: keyof typeof SIMULATION_ERRORS, subject: string, options?: ErrorOptions) {
    super(`${subject}: ${SIMULATION_ERRORS[code]}`, options);
    this.code = code;
  }
}
