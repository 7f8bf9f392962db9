/**
 * One run of one scenario: builds the world from the seed, lets the mesh form, plays the steps, lets it settle, and says
 * what came of it.
 * @module
 */
import { gossipConfig } from '../gossip/config.ts';
import type { Settings } from '../gossip/effects.ts';
import { MemberlistProgram } from './baselines/memberlist-program.ts';
import { ByteBudget } from './invariants/byte-budget.ts';
import { DocumentsAgree } from './invariants/documents-agree.ts';
import { DocumentsHold } from './invariants/documents-hold.ts';
import { EqualViews } from './invariants/equal-views.ts';
import { FirstTakers } from './invariants/first-takers.ts';
import type { Invariant, Violation } from './invariants/invariant.ts';
import { NobodyFalselyDead } from './invariants/nobody-falsely-dead.ts';
import { RisingLives } from './invariants/rising-lives.ts';
import { RoutableOwners } from './invariants/routable-owners.ts';
import { WholePages } from './invariants/whole-pages.ts';
import { Convergence } from './measure/convergence.ts';
import { DocumentSpread } from './measure/document-spread.ts';
import { percentile, rounded } from './measure/samples.ts';
import type { TimelinePoint } from './measure/timeline.ts';
import { Timeline } from './measure/timeline.ts';
import { Verdicts } from './measure/verdicts.ts';
import { DocumentSteps, hasDocuments } from './scenarios/document-steps.ts';
import { Player } from './scenarios/player.ts';
import type { Scenario } from './scenarios/schema.ts';
import { Operators } from './world/operators.ts';
import type { Tamper } from './world/weft-process.ts';
import { WeftProgram } from './world/weft-program.ts';
import { World } from './world/world.ts';

/** Whose gossip runs: ours, or one like memberlist's to compare with. Invariants are checked for ours. */
export type Machine = 'weft' | 'memberlist';

export interface RunOptions {
  readonly machine?: Machine;
  readonly scenario: Scenario;
  readonly nodes: number;
  readonly seed: number;
  /** Every message through the real codec: slower, and nothing in memory is shared between nodes. */
  readonly isEncoded?: boolean;
  /** Breaks nodes on purpose, to see that the checkers see it. */
  readonly tamper?: Tamper;
  /** Told now and then how far the run is, from 0 to 1. */
  readonly progress?: (share: number) => void;
  /** Of this process, for `wallSeconds`. */
  readonly realMs: () => number;
}

export interface Delays {
  readonly p50: number | null;
  readonly p99: number | null;
  readonly max: number | null;
}

/** What a run came to: the fields that `weft simulate -o json` prints. */
export interface RunResult {
  readonly scenario: string;
  readonly nodes: number;
  readonly seed: number;
  readonly traceHash: string;
  /** From an end (crash, kill, leave) until a node knows, over all nodes that outlived it. */
  readonly detectMs: { readonly p50: number | null; readonly max: number | null };
  /** From a change, heal, join or restart until every node routes by it. */
  readonly convergeMs: Delays;
  /** The part of `convergeMs` that is about all views being equal again, with the time from first contact. */
  readonly agreeMs: { readonly max: number | null; readonly afterContactMax: number | null };
  /** Where a scenario writes documents: until each other node held one, and until it was in use there. */
  readonly documents?: { readonly writes: number; readonly reachMs: Delays; readonly useMs: Delays };
  readonly falseDeaths: number;
  readonly violations: number;
  readonly bytesPerNodePerSecond: number;
  readonly virtualSeconds: number;
  readonly wallSeconds: number;
  readonly steps: number;
  readonly violationDetails: readonly Violation[];
}

/** What the HTML report draws beside the result. */
export interface RunPicture {
  readonly about: string;
  readonly points: readonly TimelinePoint[];
  readonly viewers: readonly string[];
  readonly events: readonly { readonly atMs: number; readonly text: string }[];
  readonly curves: readonly { readonly owner: string; readonly atMs: number; readonly reachedMs: readonly number[] }[];
  /** One for each document written, where a scenario writes any. */
  readonly documentCurves: readonly { readonly document: string; readonly reachedMs: readonly number[] }[];
}

export interface Run {
  readonly result: RunResult;
  readonly picture: RunPicture;
}

const SHOWN_VIOLATIONS = 20;
/** Time for nodes that know each other to link up and for their pings to fall into step. */
const FORMING_MS = 4_000;

export function productionSettings(): Settings {
  return { ...gossipConfig.parse({}), maxMembers: 20_000 };
}

export function runScenario(options: RunOptions): Run {
  const { scenario, seed, nodes } = options;
  const startedMs = options.realMs();
  const settings = productionSettings();
  const isWeft = options.machine !== 'memberlist';
  const operators = isWeft && hasDocuments(scenario) ? new Operators(seed) : undefined;
  const program = isWeft ? new WeftProgram(options.tamper, operators) : new MemberlistProgram();
  const world = new World({
    seed,
    nodes,
    regions: scenario.regions,
    network: scenario.network,
    settings,
    endpointsPerNode: scenario.workload.endpointsPerNode,
    edge: 'fair',
    isEncoded: options.isEncoded ?? false,
    program,
  });
  const violations: Violation[] = [];
  let violationCount = 0;
  const report = (rule: string, detail: string): void => {
    violationCount++;
    if (violations.length < SHOWN_VIOLATIONS) violations.push({ rule, atMs: Math.round(world.nowMs), detail });
  };
  const convergence = new Convergence(world);
  const verdicts = new Verdicts(world, settings.stallMaxMs);
  const invariants: Invariant[] = [
    new RoutableOwners(report),
    new WholePages(report),
    new RisingLives(world, report),
    new NobodyFalselyDead(verdicts, report),
    new EqualViews({ world, convergence, verdicts, report }),
  ];
  const spread = new DocumentSpread(world);
  if (operators !== undefined) {
    const agree = new DocumentsAgree(world, report);
    const firstTakers = new FirstTakers(world, report);
    operators.watchers.push(spread, agree, new DocumentsHold(operators, report), firstTakers);
    invariants.push(agree);
    world.watchers.push(spread, firstTakers);
  }
  world.watchers.push(convergence, verdicts, ...(isWeft ? invariants : []));
  if (scenario.start === 'formed') {
    world.bootFormed();
    world.runFor(FORMING_MS);
  } else {
    for (const host of world.hosts) world.boot(host);
  }
  const zeroMs = world.nowMs;
  const zeroBytes = sum(world.bytesByHost);
  if (isWeft) world.watchers.push(new ByteBudget(world, scenario.expect.bytesPerNodePerSecond, report));
  convergence.measure();
  verdicts.measure();
  if (scenario.start === 'storm') convergence.wantAgreement();
  const timeline = new Timeline(world, convergence);
  const events: { atMs: number; text: string }[] = [];
  new Player({
    world,
    scenario,
    convergence,
    documents: operators && new DocumentSteps(world, operators),
    turnHostile: (host) => program.turnHostile(world, host, zeroMs + scenario.seconds * 1_000),
    noted: (text) => events.push({ atMs: world.nowMs - zeroMs, text }),
  }).start();
  const totalMs = (scenario.seconds + scenario.settleSeconds) * 1_000;
  const slices = 200;
  for (let slice = 1; slice <= slices; slice++) {
    world.queue.runUntil(zeroMs + (totalMs * slice) / slices);
    timeline.look();
    options.progress?.(slice / slices);
  }
  if (isWeft) for (const invariant of invariants) invariant.finish?.();
  const samples = [...convergence.changesMs, ...convergence.agreementsMs];
  if (isWeft) checkExpectations({ scenario, convergence, verdicts, spread, report });
  const result: RunResult = {
    scenario: scenario.name,
    nodes,
    seed,
    traceHash: world.traceHash,
    detectMs: { p50: rounded(percentile(verdicts.detectMs, 0.5)), max: rounded(percentile(verdicts.detectMs, 1)) },
    convergeMs: delays(samples),
    agreeMs: {
      max: rounded(percentile(convergence.agreementsMs, 1)),
      afterContactMax: rounded(percentile(convergence.afterContactMs, 1)),
    },
    ...(operators && {
      documents: { writes: spread.writes, reachMs: delays(spread.reachMs), useMs: delays(spread.useMs) },
    }),
    falseDeaths: verdicts.falseDeaths.length,
    violations: violationCount,
    bytesPerNodePerSecond: Math.round((sum(world.bytesByHost) - zeroBytes) / nodes / (totalMs / 1_000)),
    virtualSeconds: Math.round(totalMs / 1_000),
    wallSeconds: Math.round(options.realMs() - startedMs) / 1_000,
    steps: world.queue.count,
    violationDetails: violations,
  };
  const { points, viewers } = timeline;
  return {
    result,
    picture: {
      about: scenario.about,
      points,
      viewers,
      events,
      curves: convergence.curves,
      documentCurves: spread.curves,
    },
  };
}

function checkExpectations(run: {
  scenario: Scenario;
  convergence: Convergence;
  verdicts: Verdicts;
  spread: DocumentSpread;
  report: (rule: string, detail: string) => void;
}): void {
  const { scenario, convergence, verdicts, spread, report } = run;
  const { detectSeconds, agreeSeconds, changeSeconds, documentSeconds } = scenario.expect;
  const check = (what: string, ms: number | undefined, limit: number | undefined): void => {
    if (limit === undefined || ms === undefined || ms <= limit * 1_000) return;
    report('expectation', `${what} took ${Math.round(ms)} ms, more than ${limit} s`);
  };
  check('to know of an end', percentile(verdicts.detectMs, 1), detectSeconds);
  check('to agree', percentile(convergence.agreementsMs, 1), agreeSeconds);
  check('to show 99 of 100 changes everywhere', percentile(convergence.changesMs, 0.99), changeSeconds);
  check('to hold a document', percentile(spread.reachMs, 1), documentSeconds);
  if (agreeSeconds !== undefined && convergence.isAgreementWanted) report('expectation', 'views never agreed');
}

function delays(samples: readonly number[]): Delays {
  return {
    p50: rounded(percentile(samples, 0.5)),
    p99: rounded(percentile(samples, 0.99)),
    max: rounded(percentile(samples, 1)),
  };
}

function sum(numbers: readonly number[]): number {
  let total = 0;
  for (const number of numbers) total += number;
  return total;
}
