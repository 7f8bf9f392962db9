/** Lives of members only rise, and only a member begins its own: the checker sees it when a table says otherwise. */
import { expect, test } from 'vitest';
import { RisingLives } from '../../simulations/invariants/rising-lives.ts';
import { productionSettings } from '../../simulations/run.ts';
import { WeftProcess } from '../../simulations/world/weft-process.ts';
import { WeftProgram } from '../../simulations/world/weft-program.ts';
import { World } from '../../simulations/world/world.ts';

function formedWorld(): { world: World; viewer: WeftProcess; checker: RisingLives; told: string[] } {
  const world = new World({
    seed: 1,
    nodes: 4,
    regions: 1,
    network: { latencyMs: [0.2, 1], shape: 'uniform', regionLatencyMs: 0, lossRatio: 0 },
    settings: productionSettings(),
    endpointsPerNode: 1,
    edge: 'fair',
    isEncoded: false,
    program: new WeftProgram(),
  });
  const told: string[] = [];
  const checker = new RisingLives(world, (_rule, detail) => told.push(detail));
  world.watchers.push(checker);
  world.bootFormed();
  world.runFor(3_000);
  const viewer = world.running()[0];
  if (!(viewer instanceof WeftProcess)) throw new Error('a formed world runs');
  return { world, viewer, checker, told };
}

/** The viewer's table, with one line changed. */
function pretend(viewer: WeftProcess, name: string, change: object): void {
  const members = viewer.core.members().map((member) => (member.name === name ? { ...member, ...change } : member));
  viewer.core.members = () => members;
}

test('tables of a formed mesh are in order', () => {
  const { told } = formedWorld();
  expect(told).toEqual([]);
});

test('an epoch that goes back is found', () => {
  const { viewer, checker, told } = formedWorld();
  pretend(viewer, 'n2', { epoch: 5 });
  checker.look(viewer);
  expect(told.join()).toMatch(/took n2 back from epoch/);
});

test('an epoch that the member never had is found', () => {
  const { viewer, checker, told } = formedWorld();
  pretend(viewer, 'n2', { epoch: Number.MAX_SAFE_INTEGER });
  checker.look(viewer);
  expect(told.join()).toMatch(/above its own/);
});

test('a leave that was never said is found', () => {
  const { viewer, checker, told } = formedWorld();
  pretend(viewer, 'n2', { state: 'left' });
  checker.look(viewer);
  expect(told.join()).toMatch(/which it never said/);
});

test('a member that never was is found', () => {
  const { viewer, checker, told } = formedWorld();
  pretend(viewer, 'n2', { name: 'ghost' });
  checker.look(viewer);
  expect(told.join()).toMatch(/which never was/);
});
