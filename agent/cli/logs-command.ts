/** `weft logs`, `weft traces`, `weft trace`: single requests of all nodes, looked up afterwards. @module */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Logs, Trace, Traces } from '../console/shapes/mesh.ts';
import { agentPlace, withAgent } from './agent-place.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import {
  addFilterOptions,
  addTimeOptions,
  type FilterOptions,
  rangeOf,
  type TimeOptions,
  termsOf,
} from './filter-options.ts';
import type { CliIo } from './io.ts';
import { outputOption } from './listing-commands.ts';
import { type OutputFormat, structured } from './output.ts';
import type { Context } from './program.ts';

type AgentOptions = Parameters<typeof agentPlace>[0];
type SearchOptions = AgentOptions & FilterOptions & TimeOptions & { readonly service?: string; readonly limit: number };
type LogsOptions = SearchOptions & { readonly follow?: boolean; readonly output: 'table' | 'json' };
type TracesOptions = SearchOptions & { readonly output: OutputFormat };
type TraceOptions = AgentOptions & { readonly id: string; readonly output: OutputFormat };

const FOLLOW_MS = 1_000;
/** A request is told of when it ends; one that takes longer is not followed. */
const FOLLOW_BACK_MS = 60_000;
/** Lines of which it is remembered that they were shown. */
const MAX_SHOWN = 20_000;

export function addLogsCommands(program: Command, context: Context): void {
  addTimeOptions(
    addFilterOptions(
      withAgent(program.command('logs [service]'))
        .description('requests of all nodes that were sampled, failed or slow, the latest last')
        .option('-f, --follow', 'go on with what comes'),
      ['from', 'to', 'method', 'path', 'route', 'status', 'reason', 'user', 'trace', 'failed', 'min'],
    ),
  )
    .addOption(limitOption(200, 2_000))
    .addOption(
      new Option('-o, --output <format>', 'how to print; json: an object a line')
        .choices(['table', 'json'])
        .default('table'),
    )
    .action((service: string | undefined, options: LogsOptions) =>
      context.action(logs)(service === undefined ? options : { ...options, service }),
    );
  addTimeOptions(
    addFilterOptions(
      withAgent(program.command('traces [service]')).description(
        'traces of which a request is as told, over all nodes, the newest first',
      ),
      ['from', 'to', 'method', 'path', 'route', 'status', 'reason', 'user', 'failed', 'min'],
    ),
  )
    .addOption(limitOption(50, 500))
    .addOption(outputOption())
    .action((service: string | undefined, options: TracesOptions) =>
      context.action(traces)(service === undefined ? options : { ...options, service }),
    );
  withAgent(program.command('trace <id>'))
    .description('all that the nodes know of one trace, as a tree; guessed parents are marked')
    .addOption(outputOption())
    .action((id: string, options: Omit<TraceOptions, 'id'>) => context.action(trace)({ ...options, id }));
}

async function logs(options: LogsOptions, io: CliIo): Promise<ExitCode> {
  const { call } = await import('./client.ts');
  const { coverageText, logHeading, logLine, logsText } = await import('./request-views.ts');
  const { follow = false, output, limit, service } = options;
  const place = agentPlace(options, io.env);
  const terms = termsOf(options, service);
  const ask = (range: { sinceMs: number; untilMs: number }) =>
    call<Logs & { isCut: boolean }>(place, { method: 'POST', path: '/v1/logs', body: { terms, ...range, limit } });
  const line = (row: Logs['logs'][number]): string =>
    output === 'json' ? `${JSON.stringify({ ...row.record, node: row.node })}\n` : logLine(row);

  const found = await ask(rangeOf(options, io.nowMs()));
  if (output === 'table' && !follow) io.stdout.write(logsText(found.logs));
  else io.stdout.write((output === 'table' ? logHeading() : '') + found.logs.map(line).join(''));
  const gap = coverageText(found.coverage, io.nowMs());
  if (gap !== undefined) io.stderr.write(gap);
  if (found.isCut) io.stderr.write('there are earlier ones: --limit shows more\n');

  const shown = new Set(found.logs.map(keyOf));
  while (follow && (await rest(FOLLOW_MS, io.signal))) {
    const nowMs = io.nowMs();
    const { logs } = await ask({ sinceMs: nowMs - FOLLOW_BACK_MS, untilMs: nowMs + FOLLOW_BACK_MS });
    for (const row of logs.filter((one) => !shown.has(keyOf(one)))) {
      io.stdout.write(line(row));
      shown.add(keyOf(row));
    }
    for (const key of shown) {
      if (shown.size <= MAX_SHOWN) break;
      shown.delete(key);
    }
  }
  return EXIT.ok;
}

async function traces(options: TracesOptions, io: CliIo): Promise<ExitCode> {
  const { call } = await import('./client.ts');
  const { coverageText, tracesText } = await import('./request-views.ts');
  const { output, limit, service } = options;
  const body = { terms: termsOf(options, service), ...rangeOf(options, io.nowMs()), limit };
  const found = await call<Traces>(agentPlace(options, io.env), { method: 'POST', path: '/v1/traces', body });
  io.stdout.write(output === 'table' ? tracesText(found) : await structured(found, output));
  const gap = coverageText(found.coverage, io.nowMs());
  if (gap !== undefined) io.stderr.write(gap);
  return EXIT.ok;
}

async function trace(options: TraceOptions, io: CliIo): Promise<ExitCode> {
  const { call } = await import('./client.ts');
  const { coverageText, traceText } = await import('./request-views.ts');
  const { id, output } = options;
  const path = `/v1/trace?id=${encodeURIComponent(id.toLowerCase())}`;
  const found = await call<Trace>(agentPlace(options, io.env), { method: 'GET', path });
  const gap = coverageText(found.coverage, io.nowMs());
  if (gap !== undefined) io.stderr.write(gap);
  if (output !== 'table') io.stdout.write(await structured(found, output));
  else if (found.spans.length > 0) io.stdout.write(traceText(found));
  if (found.spans.length > 0) return EXIT.ok;
  io.stderr.write('no node knows this trace: it was not sampled, or is older than telemetry.traces.keepMs\n');
  return EXIT.failed;
}

/** @returns false when the command is asked to stop */
export async function rest(ms: number, signal: AbortSignal): Promise<boolean> {
  return sleep(ms, true, { signal }).catch(() => false);
}

function keyOf({ atMs, node, record }: Logs['logs'][number]): string {
  return `${node} ${atMs} ${String(record.span_id ?? '')} ${String(record.body)}`;
}

export function limitOption(usual: number, most: number): Option {
  return new Option('--limit <count>', `at most so many, up to ${most}`).default(usual).argParser((text) => {
    const count = Number(text);
    if (!Number.isInteger(count) || count < 1 || count > most)
      throw new InvalidArgumentError(`Write a number from 1 to ${most}.`);
    return count;
  });
}
