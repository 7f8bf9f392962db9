/**
 * `weft simulate`: what the mesh does under failures, in virtual time and replayed from a seed; and one scenario, `trust`, on
 * real agents.
 *
 * The simulator itself is in simulations/ and loaded when the command runs.
 * @module
 */
import { writeFileSync } from 'node:fs';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Run, RunResult } from '../../simulations/run.ts';
import type { Scenario } from '../../simulations/scenarios/schema.ts';
import type { Job } from '../../simulations/worker.ts';
import { AgentError } from '../errors.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import type { CliIo } from './io.ts';
import { table } from './output.ts';
import type { Context } from './program.ts';

interface SimulateOptions {
  readonly nodes?: number;
  readonly seed: number;
  readonly seeds: number;
  readonly output: 'table' | 'json' | 'html';
  readonly report?: string;
  readonly baseline?: boolean;
  readonly encode?: boolean;
  readonly sweep?: boolean;
  readonly list?: boolean;
}

const MAX_NODES = 20_000;
const MAX_SEEDS = 10_000;
const BAR = 30;

export function addSimulateCommand(program: Command, context: Context): void {
  let scenarioGiven: string | undefined;
  const run = context.action<SimulateOptions>((options, io) => simulate(scenarioGiven, options, io));
  program
    .command('simulate')
    .argument(
      '[scenario]',
      'one that ships (--list), the path of a .yaml file, or trust, which runs real agents (as root, on Linux)',
    )
    .description('what the mesh does under failures, in virtual time, replayed from a seed')
    .option('-n, --nodes <count>', 'how many nodes; default: what the scenario says', wholeUpTo(MAX_NODES))
    .option('-s, --seed <number>', 'the same seed gives the same run', wholeUpTo(2 ** 32 - 1), 1)
    .addOption(new Option('-o, --output <format>', 'how to print').choices(['table', 'json', 'html']).default('table'))
    .option('--report <file>', 'also write the run as a page to open in a browser')
    .option('--baseline', 'run a machine like memberlist in the same world, and print it beside ours')
    .option('--encode', 'pass every message through the real codec: slower, same rules')
    .option('--sweep', 'many seeds of one scenario, or of all that ship, on all cores')
    .option('--seeds <count>', 'with --sweep: seeds for each scenario, from --seed on', wholeUpTo(MAX_SEEDS), 5)
    .option('--list', 'the scenarios that ship')
    .addHelpText('after', '\nExit code 1: an invariant was broken; the command that replays it is printed.\n')
    .action((scenario: string | undefined, options: SimulateOptions) => {
      scenarioGiven = scenario;
      return run(options);
    });
}

async function simulate(what: string | undefined, options: SimulateOptions, io: CliIo): Promise<ExitCode> {
  const { listScenarios, loadScenario } = await import('../../simulations/scenarios/load.ts');
  const { SimulationError } = await import('../../simulations/errors.ts');
  if (what === TRUST.name) return simulateTrust(options, io);
  if (options.list === true) return list(listScenarios(), options, io);
  if (options.sweep === true) return sweep(what === undefined ? listScenarios() : [loadScenario(what)], options, io);
  if (what === undefined) throw new SimulationError('WEFT_SIMULATION_UNKNOWN', 'a scenario is missing');
  return runOne(loadScenario(what), options, io);
}

function list(scenarios: readonly Scenario[], { output }: SimulateOptions, io: CliIo): ExitCode {
  const columns = [
    { heading: 'SCENARIO', text: ({ name }: Scenario) => name },
    { heading: 'SECONDS', text: ({ seconds, settleSeconds }: Scenario) => String(seconds + settleSeconds) },
    { heading: 'ABOUT', text: ({ about }: Scenario) => about },
  ];
  io.stdout.write(output === 'json' ? `${JSON.stringify(scenarios, null, 2)}\n` : table(scenarios, columns));
  if (output !== 'json') io.stdout.write(`\nOn real agents: ${TRUST.name}, ${TRUST.about}.\n`);
  return EXIT.ok;
}

/** The one that no virtual time can play. */
const TRUST = {
  name: 'trust',
  about:
    'three agents in network namespaces of this machine, short certificates, a new root and a revocation under load',
};
const TRUST_PER_SECOND = 500;
/** Three half-lives of a minute make a run of about two. */
const TRUST_RENEWALS = 3;

async function simulateTrust({ output }: SimulateOptions, io: CliIo): Promise<ExitCode> {
  const [{ labObstacle }, { runTrust }] = await Promise.all([
    import('../lab/support.ts'),
    import('../../simulations/trust/trust.ts'),
  ]);
  const obstacle = await labObstacle();
  if (obstacle !== undefined) {
    io.stderr.write(`weft simulate ${TRUST.name}: ${obstacle}\n`);
    return EXIT.failed;
  }
  const report = await runTrust({
    name: TRUST.name,
    perSecond: TRUST_PER_SECOND,
    renewals: TRUST_RENEWALS,
    onStep: (sentence) => io.stderr.write(`trust: ${sentence}\n`),
    signal: io.signal,
  });
  const rows = Object.entries(report).map(([name, value]) => ({ name, value: JSON.stringify(value) }));
  const columns = [
    { heading: '', text: ({ name }: (typeof rows)[number]) => name },
    { heading: '', text: ({ value }: (typeof rows)[number]) => value },
  ];
  io.stdout.write(output === 'json' ? `${JSON.stringify(report)}\n` : table(rows, columns));
  return report.failed === 0 && report.rotated === report.nodes ? EXIT.ok : EXIT.failed;
}

async function runOne(scenario: Scenario, options: SimulateOptions, io: CliIo): Promise<ExitCode> {
  const nodes = options.nodes ?? scenario.nodes;
  const job: Job = { scenario, nodes, seed: options.seed, machine: 'weft', isEncoded: options.encode ?? false };
  const jobs: Job[] = options.baseline === true ? [job, { ...job, machine: 'memberlist' }] : [job];
  const [run, other] = await runAll(jobs, io);
  const others = other === undefined ? [] : [{ name: 'memberlist', result: other.result }];
  const { runPage } = await import('../../simulations/report/html.ts');
  const page = (): string => runPage(run!, others);
  if (options.report !== undefined) writeReport(options.report, page(), io);
  if (options.output === 'html') io.stdout.write(page());
  else if (options.output === 'json') io.stdout.write(jsonOf(run!, other));
  else await printTable(run!, others, io);
  return verdict([run!.result], io);
}

async function sweep(scenarios: readonly Scenario[], options: SimulateOptions, io: CliIo): Promise<ExitCode> {
  const jobs = scenarios.flatMap((scenario) =>
    Array.from({ length: options.seeds }, (_, i): Job => {
      const nodes = options.nodes ?? scenario.nodes;
      return { scenario, nodes, seed: options.seed + i, machine: 'weft', isEncoded: options.encode ?? false };
    }),
  );
  const results = (await runAll(jobs, io)).map(({ result }) => result);
  const { sweepPage } = await import('../../simulations/report/html.ts');
  if (options.report !== undefined) writeReport(options.report, sweepPage(results), io);
  if (options.output === 'html') io.stdout.write(sweepPage(results));
  else if (options.output === 'json') io.stdout.write(`${JSON.stringify(results, null, 2)}\n`);
  else await printSweep(results, io);
  return verdict(results, io);
}

async function runAll(jobs: readonly Job[], io: CliIo): Promise<Run[]> {
  const { runJobs } = await import('../../simulations/pool.ts');
  const bar = progressBar(jobs.length, io);
  try {
    return await runJobs(jobs, { signal: io.signal, progress: bar.show });
  } finally {
    bar.clear();
  }
}

/** On a terminal only: a log has no use for it. */
function progressBar(jobs: number, io: CliIo): { show(share: number): void; clear(): void } {
  if (!process.stderr.isTTY || io.stderr !== process.stderr) return { show: () => undefined, clear: () => undefined };
  let shown = '';
  return {
    show: (share) => {
      const full = Math.floor(share * BAR);
      const text = `${'#'.repeat(full)}${'.'.repeat(BAR - full)} ${Math.floor(share * 100)} % of ${jobs} runs`;
      if (text === shown) return;
      shown = text;
      io.stderr.write(`\r${text}`);
    },
    clear: () => io.stderr.write(shown === '' ? '' : `\r${' '.repeat(shown.length)}\r`),
  };
}

function jsonOf(run: Run, other: Run | undefined): string {
  const value = other === undefined ? run.result : { ...run.result, baseline: other.result };
  return `${JSON.stringify(value, null, 2)}\n`;
}

async function printTable(run: Run, others: readonly { name: string; result: RunResult }[], io: CliIo): Promise<void> {
  const { fieldsOf } = await import('../../simulations/report/text.ts');
  const columns = [{ name: 'weft', result: run.result }, ...others].map(({ name, result }) => ({
    name,
    values: fieldsOf(result),
  }));
  const rows = columns[0]!.values.map(([name], i) => ({ name, cells: columns.map(({ values }) => values[i]![1]) }));
  const headings = columns.map((column, i) => ({
    heading: columns.length > 1 ? column.name.toUpperCase() : '',
    text: (row: { cells: readonly string[] }) => row.cells[i]!,
  }));
  io.stdout.write(table(rows, [{ heading: '', text: ({ name }) => name }, ...headings]));
}

async function printSweep(results: readonly RunResult[], io: CliIo): Promise<void> {
  const { fieldsOf } = await import('../../simulations/report/text.ts');
  const names = fieldsOf(results[0]).map(([name]) => name);
  const columns = names.map((name, i) => ({
    heading: name.toUpperCase(),
    text: (result: RunResult) => fieldsOf(result)[i]![1],
  }));
  io.stdout.write(table(results, columns));
}

function writeReport(file: string, page: string, io: CliIo): void {
  try {
    writeFileSync(file, page);
  } catch (err) {
    throw new AgentError('WEFT_AGENT_FILE_WRITE', file, { cause: err });
  }
  io.stderr.write(`report written to ${file}\n`);
}

/** Says what was broken, and how to see it again. */
async function verdict(results: readonly RunResult[], io: CliIo): Promise<ExitCode> {
  const { replayCommand } = await import('../../simulations/replay.ts');
  const failed = results.filter(({ violations, falseDeaths }) => violations > 0 || falseDeaths > 0);
  for (const result of failed) {
    io.stderr.write(`${result.scenario}, seed ${result.seed}: ${result.violations} violations\n`);
    for (const { rule, atMs, detail } of result.violationDetails.slice(0, 5)) {
      io.stderr.write(`  ${rule} at ${(atMs / 1_000).toFixed(3)} s: ${detail}\n`);
    }
    io.stderr.write(`  replay: ${replayCommand(result)}\n`);
  }
  return failed.length === 0 ? EXIT.ok : EXIT.failed;
}

function wholeUpTo(max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= 1 && value <= max) return value;
    throw new InvalidArgumentError(`Write a whole number from 1 to ${max}.`);
  };
}
