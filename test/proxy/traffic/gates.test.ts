/** What the gates of a port hold in the table that workers share, and when they give it back. @module */

import { expect, test } from 'vitest';
import { CallerLabels } from '../../../proxy/access/caller-labels.ts';
import type { Place } from '../../../proxy/http/request-guard.ts';
import { SharedTable } from '../../../proxy/resilience/shared-table.ts';
import { createStatsBuffer } from '../../../proxy/telemetry/stats-table.ts';
import { StatsWriter } from '../../../proxy/telemetry/stats-writer.ts';
import { TrafficBoard } from '../../../proxy/traffic/board.ts';
import { type AdmissionContext, type GateCall, Gates } from '../../../proxy/traffic/gates.ts';
import { NO_TRAFFIC } from '../../../proxy/traffic/rules.ts';
import { requestHead } from '../routing/support.ts';
import { limit, policy } from './policies.ts';

const HEAD = requestHead('GET / HTTP/1.1', 'Host: cart');
const ON = { ...NO_TRAFFIC, policies: [policy({ concurrency: {} })], limits: [limit('caller', 5)] };

function context(): AdmissionContext & { readonly world: { readonly traffic: TrafficBoard } } {
  const stats = new StatsWriter(createStatsBuffer(4), () => undefined);
  const world = { traffic: new TrafficBoard() };
  world.traffic.apply(ON);
  return { world, access: { callerLabels: new CallerLabels() }, shared: SharedTable.alone(8_192), stats };
}

function callBy(i: number): GateCall {
  const target = { workload: 'cart', service: 'shop/cart', servicePort: 80, port: 8_080 };
  return { identity: `spiffe://test.example/ns/shop/sa/c${i}`, address: '10.0.0.1', target };
}

/** Slots that anybody still uses. */
function used({ shared }: AdmissionContext): number {
  shared.sweep();
  shared.sweep();
  return shared.size;
}

test('a target that retires gives all back: at once what is idle, the rest when it is left', () => {
  const around = context();
  const gates = new Gates();
  const idle = gates.of(callBy(1), around)!;
  (idle.enter(HEAD) as Place).leave(5, 200);
  const place = gates.of(callBy(2), around)!.enter(HEAD) as Place;
  expect(used(around)).toBe(5); // the port, and of each caller its share and its bucket
  gates.close();
  expect(used(around)).toBe(3);
  expect(gates.of(callBy(1), around)).toBeUndefined();
  place.leave(5, 200);
  expect(used(around)).toBe(0);
});

test('rules that are gone give all back, and those that come again begin with what is still open', () => {
  const around = context();
  const { traffic } = around.world;
  const gates = new Gates();
  const place = gates.of(callBy(1), around)!.enter(HEAD) as Place;
  traffic.apply(NO_TRAFFIC);
  expect(gates.of(callBy(1), around)).toBeUndefined();
  expect(used(around)).toBe(3);
  traffic.apply({ ...NO_TRAFFIC, policies: [policy({ concurrency: { minRequests: 1, maxRequests: 1 } })] });
  const gate = gates.of(callBy(1), around)!;
  expect(gate.enter(HEAD)).toMatchObject({ reason: 'overloaded' });
  place.leave(5, 200);
  expect(gate.enter(HEAD)).toBe(gate);
});

test('no more than 1,024 callers are remembered, but for those with a request open', () => {
  const around = context();
  const gates = new Gates();
  const first = gates.of(callBy(0), around)!;
  first.enter(HEAD);
  for (let i = 1; i < 1_500; i++) gates.of(callBy(i), around);
  expect(used(around)).toBe(1 + 2 * 1_024);
  expect(gates.of(callBy(0), around)).toBe(first);
  expect(gates.of(callBy(1), around)!.isClosed).toBe(false);
});

test('callers in plaintext have one share together, whatever their addresses', () => {
  const around = context();
  around.world.traffic.apply({ ...NO_TRAFFIC, policies: [policy({ concurrency: {} })] });
  const gates = new Gates();
  for (let i = 1; i < 50; i++) gates.of({ ...callBy(0), identity: undefined, address: `10.0.0.${i}` }, around);
  expect(used(around)).toBe(2);
});
