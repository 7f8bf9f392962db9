/** Namespaces opened in place: what makes room for them, what is drawn of them, and that the rest stays. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { boxesOf, DOTS, overlaps, type Positions } from '../../../../agent/console/web/graph/geometry.ts';
import { inside } from '../../../../agent/console/web/graph/inside.ts';
import { layout } from '../../../../agent/console/web/graph/layout.ts';
import { bundles, openOf } from '../../../../agent/console/web/graph/lod.ts';
import { fromCorner, spread } from '../../../../agent/console/web/graph/open.ts';
import { sceneModel } from '../../../../agent/console/web/graph/scene-model.ts';
import { generated } from '../fake/generate.ts';

const NO_POSITIONS: Positions = new Map();

function meshOf(services: number, seed: number) {
  const mesh = generated({ services, edges: services * 4, namespaces: Math.ceil(services / 12), seed });
  const calls = mesh.edges.map(({ from, to, requestsPerSec }) => ({ from, to, rate: requestsPerSec }));
  const names = [...new Set(mesh.nodes.map(({ namespace }) => namespace))];
  return { ...mesh, calls, names, dots: layout(mesh.nodes, calls, DOTS) };
}

const layoutOf = ({ nodes, calls }: ReturnType<typeof meshOf>) => ({ nodes, edges: calls });

const cases = [fc.integer({ min: 20, max: 150 }), fc.nat(1_000), fc.array(fc.nat(), { maxLength: 3 })] as const;

test('what is open lies over nothing, what lies left and above stays, and closed again all is as before', () => {
  fc.assert(
    fc.property(...cases, (services, seed, picks) => {
      const mesh = meshOf(services, seed);
      const open = new Set(picks.map((pick) => mesh.names[pick % mesh.names.length]!));
      const closed = boxesOf(mesh.nodes, mesh.dots, DOTS);
      const { boxes, positions } = spread(mesh.nodes, mesh.dots, inside(NO_POSITIONS, layoutOf(mesh), open), open);
      const all = [...boxes];
      for (const [i, [name, a]] of all.entries()) {
        for (const [, b] of all.slice(i + 1)) expect(overlaps(a, b)).toBe(false);
        const before = closed.get(name)!;
        const isPushed = [...open].some((other) => {
          const grown = closed.get(other)!;
          return other !== name && (grown.right <= before.left || grown.bottom <= before.top);
        });
        if (!isPushed) expect([a.left, a.top]).toEqual([before.left, before.top]);
      }
      for (const { id, namespace } of mesh.nodes) {
        const [at, box] = [positions.get(id)!, boxes.get(namespace)!];
        expect(at.x > box.left && at.x < box.right && at.y > box.top && at.y < box.bottom).toBe(true);
      }
      expect(spread(mesh.nodes, mesh.dots, NO_POSITIONS, new Set()).positions).toBe(mesh.dots);
    }),
    { numRuns: 60 },
  );
});

test('a service that comes into an open namespace moves no other in it', () => {
  const mesh = meshOf(60, 3);
  const open = new Set([mesh.names[1]!]);
  const before = inside(NO_POSITIONS, layoutOf(mesh), open);
  expect(inside(before, layoutOf(mesh), open)).toBe(before);
  const fresh = { ...mesh.nodes[0]!, id: `${mesh.names[1]}/new`, namespace: mesh.names[1]! };
  const after = inside(before, { nodes: [...mesh.nodes, fresh], edges: mesh.calls }, open);
  for (const [id, at] of before) expect(after.get(id)).toEqual(at);
  expect(after.get(fresh.id)).toBeDefined();
});

test('a card does not leave its open namespace to the left or above', () => {
  const box = { left: 100, top: 50, right: 500, bottom: 400 };
  const { x, y } = fromCorner({ x: -1_000, y: -1_000 }, box);
  expect([x > 0, y > 0]).toEqual([true, true]);
  expect(fromCorner({ x: 400, y: 300 }, box)).toEqual({ x: 300, y: 250 });
});

test('three are open at most, those opened last, and none that has more services than are cards at once', () => {
  const { nodes, names } = meshOf(150, 1);
  const [a, b, c, d] = names as [string, string, string, string];
  expect([...openOf([a, b, c, d], nodes)]).toEqual([b, c, d]);
  expect([...openOf([a, 'nobody', a], nodes)]).toEqual([a]);
  const crowd = Array.from({ length: 301 }, (_, i) => ({ ...nodes[0]!, id: `crowd/${i}`, namespace: 'crowd' }));
  expect([...openOf([a, 'crowd'], [...nodes, ...crowd])]).toEqual([a]);
});

test('of an open namespace each call is told, of others one line a pair', () => {
  const mesh = meshOf(80, 5);
  const name = mesh.names[2]!;
  const isIn = (place: number) => mesh.nodes[place]!.namespace === name;
  const touching = mesh.edges.filter(({ from, to }) => isIn(from) || isIn(to));
  const told = bundles(mesh, new Set([name])).filter(({ isOpen }) => isOpen);
  expect(told.reduce((sum, { edges }) => sum + edges, 0)).toBe(touching.length);
  const ids = new Set(mesh.nodes.map(({ id }) => id));
  for (const { from, to } of told) expect(ids.has(from) || ids.has(to)).toBe(true);
});

test('with one open the scene has its services and the other namespaces; with all shown, every service and every edge', () => {
  const mesh = meshOf(400, 2);
  const open = new Set([mesh.names[0]!]);
  const { boxes, positions } = spread(mesh.nodes, mesh.dots, inside(NO_POSITIONS, layoutOf(mesh), open), open);
  const one = sceneModel(mesh, { detail: 'dots', positions, boxes, open, chosen: null });
  const members = mesh.nodes.filter(({ namespace }) => namespace === mesh.names[0]);
  expect(one.nodes).toHaveLength(mesh.names.length - 1 + members.length);
  const ends = new Set(one.nodes.map(({ id }) => id));
  for (const { source, target } of one.edges) expect(ends.has(source) && ends.has(target)).toBe(true);
  const all = sceneModel(mesh, { detail: 'all', positions: mesh.dots, boxes, open: new Set(), chosen: null });
  expect(all.nodes).toHaveLength(mesh.nodes.length);
  expect(all.edges).toHaveLength(mesh.edges.length);
});
