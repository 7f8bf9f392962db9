import { expect, test } from 'vitest';
import type { Context } from '../../../gossip/effects.ts';
import { News } from '../../../gossip/members/news.ts';
import { lineOf, type Standing } from '../../../gossip/members/standing.ts';
import { emptyCoreStats } from '../../../gossip/stats.ts';
import { SETTINGS, ToySigner } from '../support/world.ts';

const PEERS = Array.from({ length: 12 }, (_, i) => `p${i}`);
const standing: Standing = { kind: 'alive', epoch: 1, inc: 1, signature: new Uint8Array(71) };

interface Said {
  readonly to: string;
  readonly kind: string;
  readonly names: readonly string[];
}

/** A node with these peers that holds `standing` of everybody. */
function telling(): { news: News; said: () => Said[]; isArmed: () => boolean } {
  const context: Context = {
    self: 'self',
    trustDomain: 'test.example',
    settings: SETTINGS,
    signer: new ToySigner('self'),
    random: () => 0.5,
    stats: emptyCoreStats(),
    nowMs: 0,
    out: [],
  };
  let armed = false;
  const news = new News(context, { peers: () => PEERS, standingOf: () => standing });
  const said = (): Said[] => {
    armed = false;
    return context.out.splice(0).flatMap((effect): Said[] => {
      if (effect.kind === 'arm') armed = true;
      if (effect.kind !== 'send') return [];
      const { to, message } = effect;
      if (message.kind === 'standing') return [{ to, kind: message.kind, names: [message.name] }];
      if (message.kind !== 'news' && message.kind !== 'contest') return [];
      return [{ to, kind: message.kind, names: message.lines.map(({ name }) => name) }];
    });
  };
  return { news, said, isArmed: () => armed };
}

/** Lets every peer have its turn. */
function turns({ news, said, isArmed }: ReturnType<typeof telling>): Said[] {
  const all = said();
  for (let turn = 0; turn < 20 && isArmed(); turn++) {
    news.fired();
    all.push(...said());
  }
  return all;
}

test('a single piece of news goes to every peer in full and at once, but not back to who told it', () => {
  const { news, said } = telling();
  news.tell('x', standing, 'p3');
  const told = said();
  expect(told.map(({ to }) => to).sort()).toEqual(PEERS.filter((peer) => peer !== 'p3').sort());
  expect(told.every(({ kind }) => kind === 'standing')).toBe(true);
});

test('of much news at once all but the first is announced, once to every peer, in few messages', () => {
  const node = telling();
  const names = Array.from({ length: 200 }, (_, i) => `x${i}`);
  for (const name of names) node.news.tell(name, standing, undefined);
  const all = turns(node);
  const inFull = new Set(all.filter(({ kind }) => kind === 'standing').flatMap((one) => one.names));
  expect(inFull.size).toBeLessThan(10);
  for (const peer of PEERS) {
    const announced = all.filter(({ to, kind }) => to === peer && kind === 'news').flatMap((one) => one.names);
    expect(announced.sort()).toEqual(names.filter((name) => !inFull.has(name)).sort());
  }
  expect(all.filter(({ kind }) => kind === 'news').length).toBe(PEERS.length);
});

test('who announces a piece of news before its turn is not told', () => {
  const node = telling();
  for (let i = 0; i < 100; i++) node.news.tell(`x${i}`, standing, undefined);
  node.said();
  for (const peer of PEERS.slice(1)) node.news.heard(peer, lineOf('x99', standing));
  node.news.fired();
  const toldOf99 = turns(node).filter(({ names }) => names.includes('x99'));
  expect(toldOf99.map(({ to }) => to).every((to) => to === 'p0')).toBe(true);
});

test('a question is asked of every peer once, but not of those who asked it', () => {
  const node = telling();
  const line = { ...lineOf('x', standing), rank: 1 };
  node.news.ask(line, 'p1');
  node.news.ask(line, 'p2');
  const all = turns(node);
  expect(all.map(({ to }) => to).sort()).toEqual(PEERS.filter((peer) => peer !== 'p1' && peer !== 'p2').sort());
});
