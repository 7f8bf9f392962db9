import { stripVTControlCharacters } from 'node:util';
import { expect, test } from 'vitest';
import { type Picture, renderPicture, summarize } from '../../../agent/demo/view.ts';

const picture: Picture = {
  headline: 'Weft demo',
  upMs: 83_000,
  seenBy: 'n1',
  members: [
    { name: 'n1', state: 'alive', address: '10.77.0.1', endpoints: 2 },
    { name: 'n3', state: 'dead', address: '10.77.0.3', endpoints: 0 },
  ],
  services: [
    { name: 'web', ready: 2, total: 2, versions: ['v1'], rates: undefined },
    { name: 'catalog', ready: 1, total: 2, versions: ['v1 100 %'], rates: undefined },
  ],
  traffic: {
    target: 'web.shop.weft:8080',
    perSecond: 200,
    successRatio: 0.99999,
    p50Ms: 2.345,
    p99Ms: 12.6,
    requests: 100_000,
    failed: 1,
    lastFailure: '12:00:00 502 no-endpoint',
  },
  events: ['12:00:00 agent of n3 ended with SIGKILL'],
  tries: [{ what: 'kill node n3', command: 'kill -9 4242' }],
  notes: [],
};

test('shows members, services, traffic, what happened and what to try', () => {
  const page = renderPicture(picture, { columns: 200, isColored: false }).join('\n');
  expect(page).toContain('up 1:23');
  expect(page).toMatch(/n3 +dead +10\.77\.0\.3 +0/);
  expect(page).toMatch(/catalog +1\/2/);
  expect(page).toContain('p50 2.3 ms  p99 13 ms');
  expect(page).toContain('last failure: 12:00:00 502 no-endpoint');
  expect(page).toContain('agent of n3 ended with SIGKILL');
  expect(page).toContain('kill -9 4242');
});

test('never rounds a failure up to 100 %', () => {
  expect(renderPicture(picture, { columns: 200, isColored: false }).join('\n')).toContain('99.99 %');
});

test('is cut at the width of the terminal, colours not counted', () => {
  const plain = renderPicture(picture, { columns: 40, isColored: false });
  const colored = renderPicture(picture, { columns: 40, isColored: true });
  expect(plain.every((line) => line.length <= 40)).toBe(true);
  expect(colored.map(stripVTControlCharacters)).toEqual(plain);
  expect(colored.join('')).not.toBe(plain.join(''));
});

test('says so when no agent answers', () => {
  const page = renderPicture({ ...picture, seenBy: undefined, members: [] }, { columns: 200, isColored: false });
  expect(page.join('\n')).toContain('no agent answers');
});

test('fits into one line without a terminal', () => {
  expect(summarize(picture)).toBe(
    '1:23 members 1/2 services 2/2 requests 100000 failed 1 200.0/s 99.99 % p50 2.3 ms p99 13 ms',
  );
});
