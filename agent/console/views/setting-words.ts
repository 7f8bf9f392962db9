/** Settings in words for whoever has not read the reference of documents; what has none keeps its name. Pure. @module */
import { valueText } from '../../cli/setting-text.ts';
import type { SettingView } from '../../traffic/explain/views.ts';
import { percent } from './health.ts';

const WORDS: Readonly<Record<string, string>> = {
  'timeouts.request': 'Request, all tries together',
  'timeouts.backend': 'Each try',
  'timeouts.connect': 'Connecting',
  'timeouts.idle': 'Silent for',
  'retries.attempts': 'Tries besides the first',
  'retries.on': 'Tried again after',
  'retries.codes': 'Tried again after statuses',
  'retries.backoff': 'First wait',
  'retries.maxBackoff': 'Longest wait',
  'retries.anyMethod': 'Tried again too if not idempotent',
  'retryBudget.ratio': 'Share of requests that may be repeats',
  'retryBudget.window': 'Counted over',
  'retryBudget.minPerSecond': 'Repeats a second always allowed',
  'circuit.maxConnections': 'Connections at most',
  'circuit.maxPending': 'Requests that wait at most',
  'circuit.maxRequests': 'Requests at a time at most',
  'circuit.maxRetries': 'Repeats at a time at most',
  'outliers.mode': 'Leaving out endpoints that fail',
  'outliers.consecutive': 'Left out after failures in a row',
  'outliers.successRatio': 'Left out below this share of good answers',
  'outliers.minRequests': 'Requests before it is judged',
  'outliers.window': 'Judged over',
  'outliers.eject': 'Left out for, at first',
  'outliers.maxEject': 'Left out for, at most',
  'outliers.maxEjected': 'Endpoints left out, at most',
  panicBelow: 'All are used where fewer are well than',
  outliers: 'Leaving out endpoints that fail',
  concurrency: 'Refusing what is too much at a time',
  'concurrency.mode': 'Refusing what is too much at a time',
  'concurrency.minRequests': 'At a time always',
  'concurrency.maxRequests': 'At a time never more than',
  'concurrency.priorityHeader': 'Priority is told by',
  'concurrency.defaultPriority': 'Priority of those without it',
};
const SHARES: ReadonlySet<string> = new Set([
  'retryBudget.ratio',
  'outliers.successRatio',
  'outliers.maxEjected',
  'panicBelow',
]);

/** `Each try: 800ms`. */
export function settingWords({ setting, value }: SettingView): string {
  return `${WORDS[setting] ?? setting}: ${valueWords(setting, value)}`;
}

function valueWords(setting: string, value: unknown): string {
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (typeof value === 'number') return SHARES.has(setting) ? percent(value) : value.toLocaleString('en');
  if (Array.isArray(value)) return value.length === 0 ? 'none' : value.map(valueText).join(', ');
  const text = valueText(value);
  if (text === 'none' && setting.startsWith('timeouts.')) return 'no limit';
  return text.replace(/^(\d+)(ms|s|m|h)$/, (_, amount, unit) => `${amount} ${unit === 'm' ? 'min' : unit}`);
}
