/** Settings in the words of documents, each with where it comes from. Pure. @module */
import type { Effective, EffectiveSettings } from '../../../proxy/resilience/effective.ts';
import { fieldsOfRule, settingsOfRule } from '../../../proxy/traffic/rule-settings.ts';
import type { HttpRule, Origin } from '../../../proxy/traffic/rules.ts';
import type { SettingView, SourceView } from './views.ts';

type Field = keyof EffectiveSettings;

/** Of these every field may come from another document. */
const GROUPS: ReadonlySet<Field> = new Set([
  'subsets',
  'circuit',
  'timeouts',
  'retries',
  'retryBudget',
  'outliers',
  'concurrency',
]);

/** What holds for a request as a whole, whichever backend it goes to. */
export const OF_REQUEST = ['timeouts', 'retries', 'retryBudget', 'circuit', 'affinity'] as const satisfies Field[];
/** How one endpoint of a backend is chosen; fallbacks are told apart. */
export const OF_BACKEND = [
  'balancer',
  'locality',
  'panicRatio',
  'warmUp',
  'outliers',
  'concurrency',
] as const satisfies Field[];

/** All that has to do with endpoints. Decided without regard to the route: a backend may be behind several. */
export const OF_ENDPOINTS = [...OF_BACKEND, 'subsets', 'fallbacks'] as const satisfies Field[];

/** @param rule the rule whose own settings go first, if there is one */
export function settingViews(
  { settings, origins }: Effective,
  fields: readonly Field[] = Object.keys(settings) as Field[],
  rule?: HttpRule,
): readonly SettingView[] {
  const own = new Set(rule === undefined ? [] : fieldsOfRule(rule));
  const affinity = rule?.affinity ?? settings.affinity;
  const all = rule === undefined ? settings : { ...settings, ...settingsOfRule(rule, settings), affinity };
  const originOf = (name: string): Origin | undefined => (own.has(name) ? rule!.origin : origins.get(name));
  const viewOf = (name: string, value: unknown): SettingView => ({
    setting: wordOf(name),
    value: written(name, value),
    source: sourceOf(originOf(name)),
  });
  return fields.flatMap((field) => {
    const value = all[field];
    if (!GROUPS.has(field) || typeof value !== 'object') return [viewOf(field, value)];
    return Object.entries(value).map(([name, inner]) => viewOf(`${field}.${name}`, inner));
  });
}

/** What a rule says itself. */
export function ruleSettingViews(rule: HttpRule, effective: Effective): readonly SettingView[] {
  return settingViews(effective, [...OF_REQUEST], rule).filter(({ source }) => source?.rule === rule.origin.rule);
}

export function sourceOf(origin: Origin): SourceView;
export function sourceOf(origin: Origin | undefined): SourceView | null;
export function sourceOf(origin: Origin | undefined): SourceView | null {
  if (origin === undefined) return null;
  const { kind, namespace, name, revision, rule } = origin;
  return { kind, namespace, name, revision, rule };
}

const WORDS: Readonly<Record<string, string>> = {
  panicRatio: 'panicBelow',
  spillBelowRatio: 'spillBelow',
  maxEjectedRatio: 'maxEjected',
  isAnyMethod: 'anyMethod',
};

/** `timeouts.requestMs` is `timeouts.request` in a document. */
function wordOf(name: string): string {
  if (name.startsWith('subsets.')) return name; // a name that somebody chose
  const at = name.lastIndexOf('.') + 1;
  const last = name.slice(at);
  return name.slice(0, at) + (WORDS[last] ?? last.replace(/Ms$/, ''));
}

function written(name: string, value: unknown): unknown {
  if (value === undefined) return null;
  if (typeof value === 'number' && name.endsWith('Ms')) return lengthOfTime(value);
  if (Array.isArray(value)) return value.map((inner) => written('', inner));
  if (typeof value !== 'object' || value === null) return value;
  if (name.startsWith('subsets.')) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [wordOf(key), written(key, inner)]));
}

/** As documents write it: `0s` is none. */
export function lengthOfTime(ms: number): string {
  if (ms === 0) return '0s';
  if (ms % 3_600_000 === 0) return `${ms / 3_600_000}h`;
  if (ms % 60_000 === 0) return `${ms / 60_000}m`;
  return ms % 1_000 === 0 ? `${ms / 1_000}s` : `${ms}ms`;
}
