/** Views of an earlier moment, and of versions: what is so now does not get into what was so then. @module */
import { expect, test } from 'vitest';
import { rangeOf } from '../../../agent/console/routes/asked.ts';
import type { MeshEvent } from '../../../agent/console/shapes/common.ts';
import { membersAt } from '../../../agent/console/views/past.ts';
import { Register } from '../../../agent/console/views/register.ts';
import { graphOf } from '../../../agent/console/views/topology.ts';
import { MemberSight } from '../../../agent/events/sightings.ts';
import type { Member } from '../../../gossip/view.ts';
import { figures, generated, NOW_MS, row, seeded } from './generated.ts';

function member(name: string, state: Member['state']): Member {
  return { name, state, epoch: 1, incarnation: 0, address: '', endpoints: 0, sinceMs: 0, isSelf: name === 'a' };
}

/** As `MemberSight` tells of it. */
function became(name: string, from: Member['state'], to: Member['state'], atMs: number): MeshEvent {
  const sight = new MemberSight();
  sight.look([member(name, from)]);
  const [happening] = sight.look([member(name, to)]);
  const { kind, title, touches, node = null } = happening!;
  return { id: `${name}${atMs}`, atMs, kind, title, detail: '', touches: [...touches], document: null, node, count: 1 };
}

test('members of an earlier moment are those that were noted then, whatever became of them since', () => {
  const now = [member('a', 'alive'), member('b', 'dead'), member('c', 'alive'), member('d', 'suspect')];
  const events = [
    became('b', 'unresponsive', 'dead', 40),
    became('b', 'alive', 'unresponsive', 30),
    became('c', 'dead', 'alive', 20),
    became('c', 'alive', 'dead', 10),
  ];
  const statesAt = (atMs: number): string =>
    membersAt(now, events, atMs)
      .map(({ name, state }) => `${name} ${state}`)
      .join(', ');
  expect([5, 15, 25, 35, 45].map(statesAt)).toEqual([
    'a alive, b alive, c alive, d alive',
    'a alive, b alive, c dead, d alive',
    'a alive, b alive, c alive, d alive',
    'a alive, b unresponsive, c alive, d alive',
    'a alive, b dead, c alive, d alive',
  ]);
});

test('a question about an earlier moment ends with the last step that had ended then', () => {
  const asked = (atMs: number) => rangeOf(new URLSearchParams({ atMs: String(atMs), rangeMs: '60000' }), NOW_MS);
  expect(asked(NOW_MS - 1)).toMatchObject({ toMs: NOW_MS - 10_000, fromMs: NOW_MS - 70_000, isPast: true });
  expect(asked(NOW_MS - 3 * 86_400_000 - 1).toMs % 300_000).toBe(0);
  expect(rangeOf(new URLSearchParams(), NOW_MS)).toMatchObject({ toMs: NOW_MS, isPast: false });
});

const parts = generated({ services: 2, edges: 0 }, seeded(1));
const [from, to] = ['ns0/service-0', 'ns1/service-1'];
const call = { source: '', sourceService: from, destination: to, protocol: 'http' };
const question = { namespaces: undefined, rangeMs: 900_000, asOfMs: NOW_MS };
const byVersion = [
  row({ ...call, version: 'v1' }, 70),
  row({ ...call, version: 'v2' }, 30),
  row({ ...call, version: '' }, 0), // the connections that these came over
];
const split = {
  ...parts,
  figures: {
    ...parts.figures,
    edges: figures(byVersion),
    versions: figures([row({ destination: to, version: 'v1' }, 70), row({ destination: to, version: 'v2' }, 30)]),
  },
};

test('in the view of versions each gets the requests that it had', () => {
  const { nodes, edges } = graphOf({ ...question, view: 'version' }, split);
  const calls = edges.map((edge) => [nodes[edge.to]!.id, Math.round((edge.requestsPerSec ?? Number.NaN) * 900)]);
  expect(calls).toEqual([
    [`${to}@v1`, 70],
    [`${to}@v2`, 30],
  ]);
  const shares = nodes.filter(({ id }) => id.startsWith(to)).map(({ id, versions }) => [id, versions]);
  expect(shares).toEqual([
    [`${to}@v1`, [{ name: 'v1', shareRatio: 0.7 }]],
    [`${to}@v2`, [{ name: 'v2', shareRatio: 0.3 }]],
  ]);
});

test('requests that reached none of several versions are those of the service', () => {
  const lost = {
    ...split,
    figures: { ...split.figures, edges: figures([...byVersion, row({ ...call, version: '' }, 5)]) },
  };
  const { nodes, edges } = graphOf({ ...question, view: 'version' }, lost);
  const own = edges.find((edge) => nodes[edge.to]!.id === to);
  expect(Math.round((own?.requestsPerSec ?? Number.NaN) * 900)).toBe(5);
});

test('of an earlier moment versions of now and how endpoints fare now are not told', () => {
  const { register } = parts;
  const past = new Register({ ...register, services: [...register.services.values()], workloads: [], isPast: true });
  const then = { ...split, register: past, figures: { ...split.figures, versions: figures([]), edges: figures([]) } };
  for (const { versions, endpointsReady, health } of graphOf({ ...question, view: 'service' }, then).nodes)
    expect([versions, endpointsReady, health]).toEqual([[], null, 'quiet']);
  expect(graphOf({ ...question, view: 'version' }, then).nodes).toEqual([]);
  const live = graphOf({ ...question, view: 'service' }, split).nodes.find(({ id }) => id === to);
  expect([live?.versions.length, live?.endpointsReady]).toEqual([2, 2]);
});
