/** The result of `weft check`: one line a question, each failure with what to do. @module */

export type CheckStatus = 'ok' | 'warn' | 'fail';

export interface CheckResult {
  /** What was asked, such as `certificates`. */
  readonly name: string;
  readonly status: CheckStatus;
  /** What was found. */
  readonly detail: string;
  /** What to do about it; empty when all is well. */
  readonly fix: string;
}

export interface CheckReport {
  /** False when anything failed; warnings do not count. */
  readonly isOk: boolean;
  readonly results: readonly CheckResult[];
}

export function ok(name: string, detail: string): CheckResult {
  return { name, status: 'ok', detail, fix: '' };
}

export function warn(name: string, detail: string, fix: string): CheckResult {
  return { name, status: 'warn', detail, fix };
}

export function fail(name: string, detail: string, fix: string): CheckResult {
  return { name, status: 'fail', detail, fix };
}

export function reportOf(results: readonly CheckResult[]): CheckReport {
  return { isOk: results.every(({ status }) => status !== 'fail'), results };
}
