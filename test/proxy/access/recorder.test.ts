/** What is kept of decisions: every one is counted, few are logged, and both are bounded. @module */

import { PassThrough } from 'node:stream';
import { pino } from 'pino';
import { afterEach, expect, test, vi } from 'vitest';
import { AccessRuleset } from '../../../proxy/access/compile.ts';
import { accessTo } from '../../../proxy/access/destination.ts';
import { peerOf } from '../../../proxy/access/peer.ts';
import type { AccessPolicy } from '../../../proxy/access/policy.ts';
import { DescribedRequest } from '../../../proxy/access/request.ts';
import { AccessRecorder } from '../../../proxy/inbound/access-recorder.ts';
import { StatsReader } from '../../../proxy/telemetry/stats-reader.ts';
import { ACCESS_ROWS, createStatsBuffer } from '../../../proxy/telemetry/stats-table.ts';
import { StatsWriter } from '../../../proxy/telemetry/stats-writer.ts';
import { LocalTarget } from '../../../proxy/upstream/local-target.ts';
import { allow, deny, rules } from './policies.ts';

const WEB = 'spiffe://prod.example/ns/shop/sa/web';

function setUp() {
  const reader = new StatsReader();
  const buffer = createStatsBuffer(8);
  reader.attach('0', buffer);
  const stats = new StatsWriter(
    buffer,
    () => undefined,
    (row, labels) => reader.registerAccess('0', row, labels),
  );
  const lines: Record<string, unknown>[] = [];
  const sink = new PassThrough().on('data', (chunk: Buffer) => lines.push(JSON.parse(chunk.toString()) as never));
  return { reader, stats, lines, recorder: new AccessRecorder(stats, pino({}, sink)) };
}

const workload = { id: 'cart', unit: 'u', namespace: 'shop', service: 'cart', identity: '', labels: {}, ports: [] };
const svid = { certificateChainPem: '', privateKeyPem: '', expiresAtMs: 0 };
const port = {
  endpointId: 'e',
  name: 'http',
  port: 80,
  servicePort: 80,
  protocol: 'http',
  address: '127.0.0.1',
} as const;
const call = { identity: WEB, address: '10.0.0.1', target: new LocalTarget({ ...workload, svid }, port) };
const request = new DescribedRequest({ method: 'GET', path: '/a?token=secret', host: 'cart', headers: [] });

function decisionOf(policy: AccessPolicy) {
  const inForce = new AccessRuleset(rules([policy])).at(0);
  const caller = accessTo(call.target.destination, inForce)!.caller(
    peerOf({ identity: WEB, address: '10.0.0.1', labels: [] }),
  );
  return caller.judge(request);
}

afterEach(() => {
  vi.restoreAllMocks();
});

test('a rule that fires all the time is counted each time and logged now and then', () => {
  const nowMs = vi.spyOn(performance, 'now').mockReturnValue(1_000);
  const { recorder, reader, lines } = setUp();
  const decision = decisionOf(deny('d'));
  for (let i = 0; i < 50; i++) recorder.record(decision, call, request);
  expect(lines).toHaveLength(10);
  nowMs.mockReturnValue(2_000);
  for (let i = 0; i < 50; i++) recorder.record(decision, call, request);
  expect(lines).toHaveLength(11);
  expect(lines[10]).toMatchObject({
    msg: 'access denied',
    policy: 'shop/d',
    rule: 'r0',
    source: WEB,
    destination: 'shop/cart',
    method: 'GET',
    path: '/a',
    suppressed: 40,
  });
  expect(reader.access()).toMatchObject([
    { labels: { policy: 'shop/d', action: 'DENY', isDryRun: false }, count: 100 },
  ]);
});

test('AUDIT and dry runs are told apart from what is enforced', () => {
  const { recorder, lines, reader } = setUp();
  recorder.record(decisionOf({ ...deny('audit'), action: 'AUDIT' }), call, request);
  recorder.record(decisionOf({ ...deny('dry'), isDryRun: true }), call, request);
  recorder.record(decisionOf({ ...allow('dry-allow'), isDryRun: true }), call, request);
  expect(lines.map(({ msg, policy }) => [msg, policy])).toEqual([
    ['access audited', 'shop/audit'],
    ['access would be denied', 'shop/dry'],
  ]);
  const counted = reader.access().map(({ labels, count }) => [labels.kind === 'rule' && labels.policy, count]);
  expect(counted).toEqual(
    expect.arrayContaining([
      ['shop/audit', 1],
      ['shop/dry', 1],
      ['shop/dry-allow', 1],
      ['', 3],
    ]),
  );
});

test('callers in plaintext fill their own rows only', () => {
  const { recorder, reader, stats } = setUp();
  for (let i = 0; i < ACCESS_ROWS.plaintext + 10; i++)
    recorder.plaintext({ ...call, address: `10.1.${i >> 8}.${i % 256}` });
  const rows = reader.access();
  expect(rows).toHaveLength(ACCESS_ROWS.plaintext);
  expect(rows.find(({ labels }) => labels.kind === 'plaintext' && labels.source === 'other')?.count).toBe(11);
  stats.accessHit(stats.accessSeries({ kind: 'rule', policy: 'p', rule: 'r', action: 'DENY', isDryRun: false }), 1);
  expect(reader.access()).toHaveLength(ACCESS_ROWS.plaintext + 1);
});
