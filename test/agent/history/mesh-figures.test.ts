import { expect, test } from 'vitest';
import type { FiguresQuestion } from '../../../agent/history/figures.ts';
import type { History } from '../../../agent/history/history.ts';
import { SCALAR } from '../../../agent/history/rows.ts';
import { COARSE_MS, DETAIL_MS } from '../../../agent/history/store.ts';
import { Realm } from '../../gossip/support/mesh.ts';
import { MeshNode } from '../mesh-query/mesh-node.ts';
import { busyHistory, HOUR_MS, SERVICES } from './busy-node.ts';
import { busyRows } from './support.ts';

interface Mesh {
  readonly nodes: readonly MeshNode[];
  readonly histories: readonly History[];
}

/** Three nodes, each with the same hour on its disk. */
async function mesh(realm: Realm, stack: AsyncDisposableStack, fromMs: number): Promise<Mesh> {
  const nodes = (await MeshNode.three(realm)).map((node) => stack.use(node));
  const histories: History[] = [];
  for (const node of nodes) {
    const { history, bytes } = await busyHistory(realm, node, fromMs);
    histories.push(stack.use(history));
    if (node.name === 'a') console.log(`on disk: ${(bytes / 1e6).toFixed(2)} MB an hour, of ${SERVICES * 5} series`);
  }
  return { nodes, histories };
}

test('an hour of 100 services is asked of three nodes, and adds up', { timeout: 120_000 }, async () => {
  using realm = new Realm();
  await using stack = new AsyncDisposableStack();
  const toMs = Math.floor(Date.now() / COARSE_MS) * COARSE_MS - COARSE_MS;
  const fromMs = toMs - HOUR_MS;
  const { histories, nodes } = await mesh(realm, stack, fromMs);
  const question: FiguresQuestion = {
    fromMs,
    toMs,
    stepMs: DETAIL_MS,
    service: null,
    by: ['destination'],
    direction: 'outbound',
  };
  let expected = 0;
  for (let step = 0; step < HOUR_MS / DETAIL_MS; step++) {
    for (const { measures } of busyRows(SERVICES, step)) expected += 3 * measures.scalars[SCALAR.requests]!;
  }
  for (const stepMs of [DETAIL_MS, DETAIL_MS, 60_000, COARSE_MS, null]) {
    const startedMs = performance.now();
    const { figures, coverage } = await histories[0]!.figures({ ...question, stepMs });
    const tookMs = performance.now() - startedMs;
    console.log(
      `1 h, ${SERVICES} services, steps of ${stepMs} ms: ${tookMs.toFixed(0)} ms, ${coverage.answered} nodes`,
    );
    expect(coverage).toEqual({ asked: 3, answered: 3, missing: [] });
    expect(figures.rows.map(({ labels }) => labels.destination)).toHaveLength(SERVICES);
    expect(sum(figures.rows.flatMap(({ requests }) => requests))).toBe(expected);
    expect(sum(figures.rows.map(({ statuses }) => statuses['200']!))).toBe(expected);
    expect(figures.coveredMs).toEqual(figures.rows[0]!.requests.map(() => figures.stepMs));
  }
  const one = { ...question, service: 'team-1/service-1', stepMs: 60_000, isByStatus: true };
  const { rows: byStatus } = (await histories[0]!.figures(one)).figures;
  for (const { requests, statusSteps } of byStatus) expect(statusSteps).toEqual({ '2xx': requests });
  await nodes[2]!.mesh.close();
  const later = await histories[0]!.figures({ ...question, toMs: toMs + 60_000, by: ['node'], stepMs: 60_000 });
  expect(later.figures.rows.map(({ labels }) => labels.node)).toEqual(['a', 'b']);
  for (const { requests, p99Ms } of later.figures.rows) {
    expect(requests.slice(0, 60).every((value) => value !== null && value > 0)).toBe(true);
    expect([requests[60], p99Ms[60]]).toEqual([null, null]);
  }
  const cut = await histories[0]!.figures({ ...one, toMs: toMs + 60_000 });
  expect(cut.figures.rows[0]!.statusSteps!['2xx']!.slice(59)).toEqual([expect.any(Number), null]);
});

function sum(values: readonly (number | null)[]): number {
  return values.reduce<number>((total, value) => total + (value ?? 0), 0);
}
