/** A page that is given frames one by one knows what the node said, and can tell by identity what did not change. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { diff, type Json } from '../../../../agent/console/live/patch.ts';
import { withShortFigures } from '../../../../agent/console/live/short-figures.ts';
import { type Held, type TopicFrame, taken } from '../../../../agent/console/web/state/take.ts';
import { topologyAt } from '../fake/generate.ts';

const TOPIC = '/topology';
const coverage = { asked: 2, answered: 1, missing: [] };
const snapshot = (seq: number, data: Json): TopicFrame => ({
  kind: 'snapshot',
  topic: TOPIC,
  seq,
  atMs: seq,
  data,
  problem: null,
});

test('snapshots and patches, in whatever order the node chose, make what it has', () => {
  const steps = fc.array(fc.tuple(fc.jsonValue({ maxDepth: 3 }), fc.boolean()), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(steps, (answers) => {
      let held: Held | undefined;
      let before: Json = null;
      for (const [i, [value, isWhole]] of answers.entries()) {
        const data = JSON.parse(JSON.stringify(value)) as Json;
        const seq = i + 1;
        const patch = diff(before, data);
        held = taken(
          held,
          isWhole || i === 0 ? snapshot(seq, data) : { kind: 'patch', topic: TOPIC, seq, base: i, atMs: seq, patch },
        );
        before = data;
        expect(held).toEqual({ seq, record: { data, problem: null, atMs: seq } });
      }
    }),
  );
});

test('a patch of another frame, or of nothing, asks for the whole', () => {
  const patch: TopicFrame = { kind: 'patch', topic: TOPIC, seq: 3, base: 2, atMs: 0, patch: [[['a'], 1]] };
  expect(taken(undefined, patch)).toBeUndefined();
  expect(taken(taken(undefined, snapshot(1, { a: 0 })), patch)).toBeUndefined();
  const elsewhere: TopicFrame = { ...patch, base: 1, patch: [[['nodes', 3, 'health'], 'bad']] };
  expect(taken(taken(undefined, snapshot(1, { a: 0 })), elsewhere)).toBeUndefined();
});

test('who answered may change alone, and leaves the rest what it was', () => {
  const held = taken(
    undefined,
    snapshot(1, { nodes: [{ id: 'a' }], coverage: { asked: 2, answered: 2, missing: [] } }),
  )!;
  const frame: TopicFrame = { kind: 'coverage', topic: TOPIC, seq: 1, atMs: 9, coverage };
  const after = taken(held, frame)!;
  const [was, is] = [held.record.data, after.record.data] as { nodes: unknown; coverage: unknown }[];
  expect(is!.coverage).toEqual(coverage);
  expect(is!.nodes).toBe(was!.nodes);
  expect(taken(after, { ...frame, atMs: 11 })!.record).toEqual({ data: is, problem: null, atMs: 11 });
  expect(taken(after, frame)!.record.data).toBe(is);
  expect(taken(undefined, frame)).toBeUndefined();
});

test('figures that read the same are the same: a change in the fifth digit is not told', () => {
  const size = { services: 40, edges: 120, namespaces: 4, seed: 3 };
  const whole = topologyAt(size, 1, 0);
  const once = withShortFigures(whole);
  expect(withShortFigures(once)).toEqual(once);
  const figures = [...once.nodes, ...once.edges].flatMap(({ requestsPerSec, p99Ms }) => [requestsPerSec!, p99Ms!]);
  for (const [i, value] of [...whole.nodes, ...whole.edges]
    .flatMap((one) => [one.requestsPerSec!, one.p99Ms!])
    .entries())
    expect(Math.abs(figures[i]! - value)).toBeLessThanOrEqual(Math.abs(value) * 0.0005);
  const moved = { ...whole, nodes: whole.nodes.map((node) => ({ ...node, p99Ms: once.nodes[0]!.p99Ms! * 1.000001 })) };
  expect(withShortFigures(moved).nodes[0]!.p99Ms).toBe(once.nodes[0]!.p99Ms);
  const unknown = { ...whole, nodes: whole.nodes.map((node) => ({ ...node, p99Ms: null })) };
  expect(withShortFigures(unknown).nodes[0]!.p99Ms).toBeNull();
});
