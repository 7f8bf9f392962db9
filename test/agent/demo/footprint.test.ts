import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { leftovers, processesOf, RUN_VARIABLE, takeFootprint } from '../../../agent/demo/footprint.ts';
import { Processes } from '../../../agent/lab/processes.ts';

const nothing = { namespaces: [], links: ['lo'], rules: '' };

test('a machine that is as before has no leftovers', () => {
  expect(leftovers(nothing, nothing, { id: randomUUID(), directory: '/nowhere' })).toEqual([]);
});

test('namespaces, links, rules and folders that came are named', () => {
  const after = {
    namespaces: [`weft-${process.pid}-n1`],
    links: ['lo', 'veth7'],
    rules: 'table inet weft {}',
  };
  expect(leftovers(nothing, after, { id: randomUUID(), directory: '/tmp' })).toEqual([
    `namespace weft-${process.pid}-n1`,
    'link veth7',
    'nftables rules of the root namespace are not as before',
    'directory /tmp',
  ]);
});

test('what somebody else builds at the same time is not ours', () => {
  const after = { ...nothing, namespaces: ['labt-1-n1', 'stray'] };
  expect(leftovers(nothing, after, { id: randomUUID(), directory: '/nowhere' })).toEqual([]);
});

test('a program of the run is found while it runs, its children too', async () => {
  const id = randomUUID();
  await using processes = new Processes();
  // The grandchild says its pid itself: in the middle of its exec it would have no environment to be known by.
  const grandchildren = `'${process.execPath}' -e 'console.log(process.pid); setTimeout(() => {}, 60_000)' & wait`;
  const child = processes.spawn(undefined, ['sh', '-c', grandchildren], { env: { [RUN_VARIABLE]: id } });
  const grandchild = Number((await once(child.stdout!, 'data'))[0]);
  expect(processesOf(id).map(({ pid }) => pid)).toEqual(expect.arrayContaining([child.pid, grandchild]));
  const gone = once(child, 'exit');
  process.kill(grandchild); // its parent ends once it has buried it
  await gone;
  expect(processesOf(id)).toEqual([]);
  expect((await takeFootprint()).links).toContain('lo');
});
