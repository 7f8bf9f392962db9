/** `weft tap`, `weft top`: requests and rates of all nodes, live. @module */
import { randomBytes } from 'node:crypto';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { workloadOf } from '../../proxy/telemetry/workload-name.ts';
import type { TapView } from '../admin/observation-routes.ts';
import type { TopView } from '../telemetry/top/top.ts';
import { agentPlace, withAgent } from './agent-place.ts';
import { toMs } from './durations.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { addFilterOptions, type FilterOptions, termsOf } from './filter-options.ts';
import type { CliIo } from './io.ts';
import { rest } from './logs-command.ts';
import { table } from './output.ts';
import type { Context } from './program.ts';

type AgentOptions = Parameters<typeof agentPlace>[0];
interface LiveOptions extends AgentOptions {
  readonly service?: string;
  readonly output: 'table' | 'json';
}
type TapOptions = LiveOptions & FilterOptions & { readonly for?: number };
type TopOptions = LiveOptions & { readonly count?: number };

const EACH_MS = 1_000;
const REDRAW = '\u001b[H\u001b[J';
const TOP_ROWS = 40;

export function addTapCommands(program: Command, context: Context): void {
  addFilterOptions(
    withAgent(program.command('tap [service]')).description(
      'requests of all nodes as they end; no headers and no bodies. Costs nothing while nobody watches',
    ),
    ['from', 'to', 'method', 'path', 'route', 'status', 'reason', 'user', 'failed', 'min'],
  )
    .option('--for <time>', 'end after this: 30s, 5m; otherwise until Ctrl-C', toMs)
    .addOption(formatOption('an object a line'))
    .action((service: string | undefined, options: TapOptions) =>
      context.action(tap)(service === undefined ? options : { ...options, service }),
    );
  withAgent(program.command('top [service]'))
    .description('requests a second, failures and answer times by caller and route, of all nodes, each second anew')
    .option('--count <count>', 'end after so many looks; otherwise until Ctrl-C', toCount)
    .addOption(formatOption('an object a second'))
    .action((service: string | undefined, options: TopOptions) =>
      context.action(top)(service === undefined ? options : { ...options, service }),
    );
}

function formatOption(json: string): Option {
  return new Option('-o, --output <format>', `how to print; json: ${json}`).choices(['table', 'json']).default('table');
}

async function tap(options: TapOptions, io: CliIo): Promise<ExitCode> {
  const { call } = await import('./client.ts');
  const { coverageText, logHeading, logLine } = await import('./request-views.ts');
  const place = agentPlace(options, io.env);
  const session = randomBytes(16).toString('hex');
  const terms = termsOf(options, options.service);
  const cursors: Record<string, number> = {};
  const poll = (isOver: boolean): Promise<TapView> =>
    call<TapView>(place, { method: 'POST', path: '/v1/tap', body: { session, terms, cursors, isOver } });
  const until = options.for === undefined ? Number.POSITIVE_INFINITY : io.nowMs() + options.for;
  const said = new Set<string>();
  const say = (text: string | undefined): void => {
    if (text === undefined || said.has(text)) return;
    said.add(text);
    io.stderr.write(text);
  };
  let refused: readonly string[] = [];
  let isFirst = true;
  try {
    for (;;) {
      const view = await poll(false);
      if (isFirst && options.output === 'table') io.stdout.write(logHeading());
      isFirst = false;
      for (const row of view.requests)
        io.stdout.write(
          options.output === 'json' ? `${JSON.stringify({ ...row.record, node: row.node })}\n` : logLine(row),
        );
      for (const [node, { cursor, dropped, leftOut, refused: why }] of Object.entries(view.nodes)) {
        cursors[node] = cursor;
        if (why !== '') say(`${node} takes no part: ${why}\n`);
        if (dropped > 0 || leftOut > 0) say(`${node}: ${dropped + leftOut} more requests were not shown\n`);
      }
      refused = Object.values(view.nodes).map(({ refused }) => refused);
      say(view.coverage.missing.length === 0 ? undefined : coverageText(view.coverage, io.nowMs()));
      if (refused.length > 0 && refused.every((why) => why !== '')) return EXIT.failed;
      if (io.nowMs() >= until || !(await rest(EACH_MS, io.signal))) return EXIT.ok;
    }
  } finally {
    await poll(true).catch(() => {}); // else it ends by itself, in 10 s
  }
}

async function top(options: TopOptions, io: CliIo): Promise<ExitCode> {
  const { call } = await import('./client.ts');
  const { coverageText } = await import('./request-views.ts');
  const place = agentPlace(options, io.env);
  const path = `/v1/top?${new URLSearchParams({ service: options.service ?? '' })}`;
  for (let looks = 0; looks < (options.count ?? Number.POSITIVE_INFINITY); ) {
    const view = await call<TopView>(place, { method: 'GET', path });
    const isReady = view.waitingFor.length < view.coverage.answered;
    if (isReady) {
      looks++;
      if (options.output === 'json') io.stdout.write(`${JSON.stringify(view)}\n`);
      else
        io.stdout.write(
          `${options.count === 1 ? '' : REDRAW}${topText(view)}${coverageText(view.coverage, io.nowMs()) ?? ''}`,
        );
    }
    if (looks === options.count || !(await rest(EACH_MS, io.signal))) break;
  }
  return EXIT.ok;
}

function topText({ rows }: TopView): string {
  const shown = rows.slice(0, TOP_ROWS);
  const total = rows.reduce((sum, { requestsPerSec }) => sum + requestsPerSec, 0);
  const failed = rows.reduce((sum, row) => sum + row.requestsPerSec * row.failedRatio, 0);
  const heading = `${total.toFixed(1)} requests/s, ${percent(total === 0 ? 0 : failed / total)} failed, ${rows.length} rows\n`;
  return `${heading}${table(shown, [
    { heading: 'FROM', text: ({ source }) => workloadOf(source) },
    { heading: 'TO', text: ({ destination }) => destination },
    { heading: 'ROUTE', text: ({ method, route, protocol }) => [method, route || protocol].join(' ').trim() },
    { heading: 'REQ/S', text: ({ requestsPerSec }) => requestsPerSec.toFixed(1) },
    { heading: 'FAILED', text: ({ failedRatio }) => percent(failedRatio) },
    { heading: 'P50', text: ({ p50Ms }) => (p50Ms === null ? '' : `${p50Ms.toFixed(1)} ms`) },
    { heading: 'P99', text: ({ p99Ms }) => (p99Ms === null ? '' : `${p99Ms.toFixed(1)} ms`) },
  ])}`;
}

function percent(ratio: number): string {
  return `${(ratio * 100).toFixed(ratio > 0 && ratio < 0.1 ? 1 : 0)} %`;
}

function toCount(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1) throw new InvalidArgumentError('Write a number, 1 or more.');
  return count;
}
