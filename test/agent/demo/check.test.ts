import { expect, test } from 'vitest';
import { type CheckResult, shortcomings } from '../../../agent/demo/check.ts';

const good: CheckResult = {
  members: 3,
  services: 5,
  requests: 1_000,
  failed: 0,
  mtlsVerified: true,
  p50Ms: 2,
  p99Ms: 9,
  killedNodeDetectedMs: 300,
  leftovers: [],
};
const expected = { members: 3, services: 5 };

test('a run without fault passes', () => {
  expect(shortcomings(good, expected)).toEqual([]);
});

test.each<[Partial<CheckResult>, string]>([
  [{ members: 2 }, '2 members instead of 3'],
  [{ services: 4 }, '4 services instead of 5'],
  [{ requests: 0 }, 'no request was sent'],
  [{ failed: 1 }, '1 of 1000 requests failed'],
  [{ mtlsVerified: false }, 'mTLS between the nodes was not seen'],
  [{ killedNodeDetectedMs: 5_001 }, 'the killed node was not noticed within 5000 ms'],
  [{ killedNodeDetectedMs: null }, 'the killed node was not noticed within 5000 ms'],
  [{ leftovers: ['link veth7'] }, '1 things were left behind'],
])('%o does not pass, and it is said why', (fault, sentence) => {
  expect(shortcomings({ ...good, ...fault }, expected)).toEqual([sentence]);
});
