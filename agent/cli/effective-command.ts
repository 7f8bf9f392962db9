/** `weft get trafficpolicy --effective`: which settings hold for calls from one place to another, and who says so. @module */

import { AgentError } from '../errors.ts';
import type { EffectiveView, SettingView } from '../traffic/explain/views.ts';
import { agentPlace } from './agent-place.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import type { CliIo } from './io.ts';
import { type OutputFormat, structured, table } from './output.ts';
import { sourceText, valueText } from './setting-text.ts';

export type EffectiveOptions = Parameters<typeof agentPlace>[0] & {
  readonly from?: string;
  readonly to?: string;
  readonly route?: string;
  readonly output: OutputFormat | 'wide';
};

export async function getEffective(options: EffectiveOptions, io: CliIo): Promise<ExitCode> {
  const { call } = await import('./client.ts');
  const { from, to, route, output } = options;
  if (from === undefined || to === undefined) {
    throw new AgentError('WEFT_AGENT_CALL_UNNAMED', `${from === undefined ? '--from' : '--to'} is missing`);
  }
  const asked = new URLSearchParams({ from, to, ...(route === undefined ? {} : { route }) });
  const path = `/v1/traffic/effective?${asked}`;
  const view = await call<EffectiveView>(agentPlace(options, io.env), { method: 'GET', path });
  const isText = output === 'table' || output === 'wide';
  io.stdout.write(isText ? effectiveText(view) : await structured(view, output));
  return EXIT.ok;
}

export function effectiveText({ from, calls }: EffectiveView): string {
  return calls
    .map(({ to, settings, rules }) => {
      const parts = [`calls from ${from} to ${to}\n${settingsTable(settings)}`];
      for (const { rule, settings } of rules) {
        const own = settings.length === 0 ? 'nothing of its own\n' : settingsTable(settings);
        parts.push(`under rule ${rule}, before all of these\n${own}`);
      }
      return parts.join('\n');
    })
    .join('\n');
}

function settingsTable(settings: readonly SettingView[]): string {
  return table(settings, [
    { heading: 'SETTING', text: ({ setting }) => setting },
    { heading: 'VALUE', text: ({ value }) => valueText(value) },
    { heading: 'FROM', text: ({ source }) => sourceText(source) },
  ]);
}
