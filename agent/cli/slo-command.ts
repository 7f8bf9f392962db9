/** `weft slo`: how services stand against their objective. @module */
import type { Command } from 'commander';
import type { SloList } from '../observe/slo-list.ts';
import { agentPlace, withAgent } from './agent-place.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import type { CliIo } from './io.ts';
import { outputOption } from './listing-commands.ts';
import { type OutputFormat, span, structured, table } from './output.ts';
import type { Context } from './program.ts';

type SloOptions = Parameters<typeof agentPlace>[0] & { readonly output: OutputFormat };

export function addSloCommand(program: Command, context: Context): void {
  withAgent(program.command('slo'))
    .description('how fast services use up the failures that their objective allows')
    .addOption(outputOption())
    .action(context.action<SloOptions>(list));
}

async function list(options: SloOptions, io: CliIo): Promise<ExitCode> {
  const { call } = await import('./client.ts');
  const answer = await call<SloList>(agentPlace(options, io.env), { method: 'GET', path: '/v1/slo' });
  io.stdout.write(options.output === 'table' ? sloText(answer) : await structured(answer, options.output));
  for (const { node, reason } of answer.coverage.missing) io.stderr.write(`${node} did not answer (${reason})\n`);
  return EXIT.ok;
}

function sloText({ services }: SloList): string {
  const rate = (value: number | null): string => (value === null ? '' : value.toFixed(1));
  return table(services, [
    { heading: 'SERVICE', text: ({ service }) => service },
    {
      heading: 'OBJECTIVE',
      text: ({ objective: { targetRatio, windowMs, latencyMs }, isProposed }) => {
        const within = latencyMs === undefined ? '' : ` within ${latencyMs} ms`;
        return `${Number((targetRatio * 100).toFixed(4))} %${within} in ${span(windowMs)}${isProposed ? ' (proposed)' : ''}`;
      },
    },
    { heading: 'BY', text: ({ document }) => (document === null ? '' : `${document.namespace}/${document.name}`) },
    { heading: 'BURN 5m', text: ({ burn }) => rate(burn.fiveMin) },
    { heading: '1h', text: ({ burn }) => rate(burn.oneHour) },
    { heading: '6h', text: ({ burn }) => rate(burn.sixHours) },
    {
      heading: 'BUDGET LEFT',
      text: ({ budgetLeftRatio, knownMs, objective }) => {
        const known = knownMs < objective.windowMs ? ` (of ${span(knownMs)})` : '';
        return budgetLeftRatio === null ? '' : `${Math.round(budgetLeftRatio * 100)} %${known}`;
      },
    },
    { heading: 'GONE IN', text: ({ exhaustedInMs }) => (exhaustedInMs === null ? '' : span(exhaustedInMs)) },
    { heading: 'REQUESTS', text: ({ requests }) => String(Math.round(requests)) },
  ]);
}
