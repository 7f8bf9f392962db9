/**
 * What a question about an hour of 100 services costs at three nodes, each a process of its own:
 * `node scripts/with-node.mjs test/agent/history/measure.ts [RUNS]`.
 *
 * The hour is read from disk each time. CPU is that of a whole process, with its mesh thread.
 * @module
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { COARSE_MS, DETAIL_MS } from '../../../agent/history/store.ts';
import { Realm } from '../../gossip/support/mesh.ts';
import { MeshNode } from '../mesh-query/mesh-node.ts';
import { busyHistory, HOUR_MS, SERVICES } from './busy-node.ts';

interface Place {
  readonly directory: string;
  readonly bundle: string;
  readonly name: string;
  readonly seed: string;
  readonly fromMs: number;
}

/** Milliseconds of CPU of this process so far. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

/** Answers each message with its CPU so far, until whoever started it is gone. */
async function answer({ directory, bundle, name, seed, fromMs }: Place): Promise<void> {
  const realm = { directory, bundle: () => bundle };
  await using node = await MeshNode.start(realm, name, [seed]);
  const { history } = await busyHistory(realm, node, fromMs);
  await using _history = history;
  process.on('message', () => process.send!(cpuMs()));
  process.send!('ready');
  await once(process, 'disconnect');
}

async function said(child: ChildProcess): Promise<number> {
  const [message] = (await once(child, 'message')) as [number];
  return message;
}

async function cpuOf(children: readonly ChildProcess[]): Promise<readonly number[]> {
  const answers = children.map(async (child) => {
    child.send('cpu');
    return said(child);
  });
  return [cpuMs(), ...(await Promise.all(answers))];
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

async function ask(runs: number): Promise<void> {
  using realm = new Realm();
  await using stack = new AsyncDisposableStack();
  const toMs = Math.floor(Date.now() / COARSE_MS) * COARSE_MS - COARSE_MS;
  const fromMs = toMs - HOUR_MS;
  const own = stack.use(await MeshNode.start(realm, 'a'));
  const { history, bytes } = await busyHistory(realm, own, fromMs);
  stack.use(history);
  const children = ['b', 'c'].map((name) => {
    const place: Place = {
      directory: realm.directory,
      bundle: realm.bundle(name),
      name,
      seed: own.mesh.address,
      fromMs,
    };
    const child = fork(import.meta.filename, [JSON.stringify(place)]);
    stack.defer(() => void child.kill());
    return child;
  });
  await Promise.all(children.map(said));
  await own.view.until(() => own.view.members_.filter(({ state }) => state === 'alive').length === 3);
  console.log(`${(bytes / 1e6).toFixed(1)} MB on each disk, ${SERVICES * 5} series; medians of ${runs} questions, ms`);
  for (const stepMs of [DETAIL_MS, 60_000, COARSE_MS, null]) {
    const question = {
      fromMs,
      toMs,
      stepMs,
      service: null,
      by: ['destination' as const],
      direction: 'outbound' as const,
    };
    const took: number[] = [];
    const cpu: (readonly number[])[] = [];
    for (let asked = 0; took.length < runs && asked < 4 * runs; asked++) {
      const before = await cpuOf(children);
      const startedMs = performance.now();
      const { coverage } = await history.figures(question);
      if (coverage.answered !== 3) continue; // on a machine that has much else to do
      took.push(performance.now() - startedMs);
      cpu.push((await cpuOf(children)).map((ms, i) => ms - before[i]!));
    }
    const wall = `${median(took).toFixed(0)}, first ${took[0]!.toFixed(0)}, longest ${Math.max(...took).toFixed(0)}`;
    const [asker, b, c] = [0, 1, 2].map((i) => median(cpu.map((of) => of[i]!)).toFixed(0));
    console.log(`steps of ${stepMs ?? 'all'}: ${wall}; CPU of who asks ${asker}, of the others ${b} and ${c}`);
  }
}

const [, , argument = '15'] = process.argv;
await (argument.startsWith('{') ? answer(JSON.parse(argument) as Place) : ask(Number(argument)));
