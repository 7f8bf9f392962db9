/** The graph stands still: an update moves nothing that was there, and nothing lies over anything else. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  boxesOf,
  CARDS,
  DOTS,
  type Geometry,
  overlaps,
  type Positions,
} from '../../../../agent/console/web/graph/geometry.ts';
import { hubsOf } from '../../../../agent/console/web/graph/hubs.ts';
import { type LayoutEdge, type LayoutNode, layout } from '../../../../agent/console/web/graph/layout.ts';
import { place } from '../../../../agent/console/web/graph/place.ts';
import { generated, seeded } from '../fake/generate.ts';

interface Mesh {
  readonly nodes: readonly LayoutNode[];
  readonly edges: readonly LayoutEdge[];
}

function meshOf(services: number, calls: number, seed: number): Mesh {
  const { nodes, edges } = generated({ services, edges: calls, namespaces: Math.ceil(services / 12), seed });
  return { nodes, edges: edges.map(({ from, to, requestsPerSec }) => ({ from, to, rate: requestsPerSec })) };
}

function expectNoOverlap(positions: Positions, geometry: Geometry): void {
  const points = [...positions.values()];
  for (const [i, a] of points.entries())
    for (const b of points.slice(i + 1))
      expect(Math.abs(a.x - b.x) >= geometry.width || Math.abs(a.y - b.y) >= geometry.height).toBe(true);
}

test.each([CARDS, DOTS])('100 random updates move no service by a pixel, and lay none over another', (geometry) => {
  const random = seeded(7);
  let { nodes, edges } = meshOf(40, 120, 3);
  let positions = layout(nodes, edges, geometry);
  for (let update = 0; update < 100; update += 1) {
    const isLess = random() < 0.3 && nodes.length > 20;
    if (isLess) {
      const gone = Math.floor(random() * nodes.length);
      edges = edges
        .filter(({ from, to }) => from !== gone && to !== gone)
        .map(({ from, to, rate }) => ({ from: from > gone ? from - 1 : from, to: to > gone ? to - 1 : to, rate }));
      nodes = nodes.filter((_, i) => i !== gone);
    } else {
      const namespace = random() < 0.15 ? `new${update}` : nodes[Math.floor(random() * nodes.length)]!.namespace;
      nodes = [...nodes, { id: `${namespace}/s${update}`, namespace }];
      const from = Math.floor(random() * (nodes.length - 1));
      if (random() < 0.8) edges = [...edges, { from, to: nodes.length - 1, rate: random() * 100 }];
    }
    const before = positions;
    positions = place(before, nodes, edges, geometry);
    for (const [id, point] of before) expect(positions.get(id)).toEqual(point);
    for (const { id } of nodes) expect(positions.has(id)).toBe(true);
  }
  expectNoOverlap(positions, geometry);
});

test.each([CARDS, DOTS])('boxes of namespaces are apart, and callers tend to the left', (geometry) => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 80 }), fc.nat(1_000), (services, seed) => {
      const { nodes, edges } = meshOf(services, services * 3, seed);
      const positions = layout(nodes, edges, geometry);
      expectNoOverlap(positions, geometry);
      const boxes = [...boxesOf(nodes, positions, geometry).values()];
      for (const [i, a] of boxes.entries()) for (const b of boxes.slice(i + 1)) expect(overlaps(a, b)).toBe(false);
    }),
    { numRuns: 40 },
  );
});

test('a chain goes from left to right, and the order of input does not matter', () => {
  const nodes = ['a/1', 'a/2', 'b/3', 'b/4'].map((id) => ({ id, namespace: id[0]! }));
  const edges = [0, 1, 2].map((from) => ({ from, to: from + 1, rate: 10 }));
  const positions = layout(nodes, edges, CARDS);
  const xs = nodes.map(({ id }) => positions.get(id)!.x);
  expect(xs).toEqual(xs.toSorted((a, b) => a - b));
  const turned = layout(
    nodes.toReversed(),
    edges.map(({ from, to, rate }) => ({ from: 3 - from, to: 3 - to, rate })),
    CARDS,
  );
  for (const [id, point] of positions) expect(turned.get(id)).toEqual(point);
});

test('who is called by nearly everybody is a hub', () => {
  const edges = Array.from({ length: 9 }, (_, i) => ({ from: i + 1, to: 0, rate: 1 }));
  expect([...hubsOf(10, edges)]).toEqual([0]);
  expect([...hubsOf(5, edges.slice(0, 4))]).toEqual([]);
});
