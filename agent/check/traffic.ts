/** Whether documents about traffic that are in use say what they probably mean. @module */
import { type CheckResult, ok, warn } from './report.ts';

const SHOWN = 10;

/** @param advice each with the document it is about */
export function checkTraffic(advice: readonly string[]): CheckResult {
  const name = 'traffic documents';
  if (advice.length === 0) return ok(name, 'nothing about them looks like a mistake');
  const shown = advice.slice(0, SHOWN);
  if (advice.length > SHOWN) shown.push(`and ${advice.length - SHOWN} more`);
  return warn(name, shown.join('\n'), 'weft get KIND NAME -n NAMESPACE -o yaml shows the document and its status');
}
