/** How settings, and the documents they come from, look as text. @module */
import type { SettingView, SourceView } from '../traffic/explain/views.ts';

/** `HTTPRoute shop/cart rule-1, revision 0123456789ab`; `default` for none. */
export function sourceText(source: SourceView | null): string {
  if (source === null) return 'default';
  const { kind, namespace, name, revision, rule } = source;
  return `${kind} ${namespace}/${name}${rule === '' ? '' : ` rule ${rule}`}, revision ${revision.slice(0, 12)}`;
}

export interface SettingLine {
  readonly group: string;
  readonly values: string;
  readonly from: string;
}

/** Settings of a group that come from one place, together on a line; those that somebody wrote before defaults. */
export function settingLines(settings: readonly SettingView[]): readonly SettingLine[] {
  const groups = Map.groupBy(settings, ({ setting }) => setting.split('.')[0]!);
  return [...groups].flatMap(([group, all]) => {
    const bySource = [...Map.groupBy(all, ({ source }) => sourceText(source))];
    return bySource
      .toSorted(([a], [b]) => Number(a === 'default') - Number(b === 'default'))
      .map(([from, some]) => ({ group, values: some.map((one) => nameless(group, one)).join(', '), from }));
  });
}

function nameless(group: string, { setting, value }: SettingView): string {
  const text = valueText(value);
  return setting === group ? text : `${setting.slice(group.length + 1)} ${text}`;
}

export function valueText(value: unknown): string {
  if (value === null || value === '0s') return 'none';
  if (typeof value === 'string') return value;
  if (Array.isArray(value)) return value.length === 0 ? 'none' : value.map(valueText).join('+');
  if (typeof value !== 'object') return JSON.stringify(value);
  return Object.entries(value)
    .map(([key, inner]) => `${key} ${valueText(inner)}`)
    .join(' ');
}
