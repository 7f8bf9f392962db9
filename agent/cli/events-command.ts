/** `weft events`: what happened in the mesh, and what happened around some moment. @module */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { EVENT_KINDS, type MeshEvents } from '../console/shapes/common.ts';
import { agentPlace, withAgent } from './agent-place.ts';
import { durationMs, toMs } from './durations.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import type { CliIo } from './io.ts';
import { outputOption } from './listing-commands.ts';
import { type OutputFormat, structured, table } from './output.ts';
import type { Context } from './program.ts';

type EventsOptions = Parameters<typeof agentPlace>[0] & {
  readonly since: number;
  readonly around?: number;
  readonly within: number;
  readonly kind?: string;
  readonly touches?: string;
  readonly limit?: string;
  readonly output: OutputFormat;
};

const HOUR_MS = 3_600_000;
const AROUND_MS = 600_000;

export function addEventsCommand(program: Command, context: Context): void {
  withAgent(program.command('events'))
    .description('what happened in the mesh: documents, deploys, members, certificates, ejections, capture, health')
    .option('--since <time>', 'how long ago: 90s, 15m, 12h, 7d', toMs, HOUR_MS)
    .option('--around <instant>', 'what happened before and after 2026-03-01T12:00:00Z', toInstant)
    .option('--within <time>', 'with --around: so long before and after', toMs, AROUND_MS)
    .addOption(new Option('--kind <kind>', 'only these').choices(EVENT_KINDS))
    .option('--touches <what>', 'only what is about namespace/service or node:NAME')
    .option('--limit <count>', 'the latest so many; 200 when left out, 1000 at most')
    .addOption(outputOption())
    .action(context.action<EventsOptions>(list));
}

async function list(options: EventsOptions, io: CliIo): Promise<ExitCode> {
  const { call } = await import('./client.ts');
  const { around, within, since, output } = options;
  const nowMs = io.nowMs();
  const asked = new URLSearchParams({ fromMs: String(around === undefined ? nowMs - since : around - within) });
  if (around !== undefined) asked.set('toMs', String(around + within));
  for (const field of ['kind', 'touches', 'limit'] as const) {
    const value = options[field];
    if (value !== undefined) asked.set(field, value);
  }
  const page = await call<MeshEvents>(agentPlace(options, io.env), { method: 'GET', path: `/v1/events?${asked}` });
  io.stdout.write(output === 'table' ? eventsText(page, around) : await structured(page, output));
  for (const { node, reason } of page.coverage.missing) io.stderr.write(`${node} did not answer (${reason})\n`);
  if (page.next !== null) io.stderr.write('there are earlier ones: --limit shows more\n');
  return EXIT.ok;
}

function eventsText({ events }: MeshEvents, around: number | undefined): string {
  return table(events, [
    { heading: 'AT', text: ({ atMs }) => new Date(atMs).toISOString() },
    ...(around === undefined ? [] : [{ heading: 'OFF', text: ({ atMs }: { atMs: number }) => offset(atMs - around) }]),
    { heading: 'KIND', text: ({ kind }) => kind },
    { heading: 'EVENT', text: ({ title, count }) => (count > 1 ? `${title} (${count} times)` : title) },
    { heading: 'TOUCHES', text: ({ touches }) => touches.join(' ') },
    { heading: 'BY', text: ({ document, node }) => document?.signer ?? node ?? '' },
    { heading: 'DETAIL', text: ({ detail }) => detail },
  ]);
}

function offset(ms: number): string {
  return `${ms < 0 ? '-' : '+'}${Math.round(Math.abs(ms) / 1_000)}s`;
}

function toInstant(text: string): number {
  const ms = Date.parse(text);
  if (Number.isNaN(ms) || durationMs(text) !== undefined) throw new InvalidArgumentError('Write 2026-03-01T12:00:00Z.');
  return ms;
}
