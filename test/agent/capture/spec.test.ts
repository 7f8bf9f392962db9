import { expect, test } from 'vitest';
import { CAPTURE_PORTS } from '../../../agent/capture/constants.ts';
import { type CapturedWorkload, checkWorkloads, type UnitSettings, unitRules } from '../../../agent/capture/spec.ts';

const POD: UnitSettings = {
  unit: 'pod',
  scope: 'namespace',
  ports: CAPTURE_PORTS,
  isDnsCaptured: true,
  keepsClientAddress: false,
};
const HOST: UnitSettings = { ...POD, unit: 'host', scope: 'host' };

interface Refused {
  readonly settings: UnitSettings;
  readonly workloads: readonly CapturedWorkload[];
  readonly agentUid?: number;
  readonly says: string;
}

const REFUSED: readonly Refused[] = [
  {
    settings: POD,
    workloads: [{ id: 'a', ports: [] }],
    agentUid: 0,
    says: 'this is the network namespace of the agent itself',
  },
  { settings: HOST, workloads: [{ id: 'a', ports: [] }], says: 'workload a shares this network namespace' },
  {
    settings: POD,
    workloads: [
      { id: 'a', uid: 1, ports: [] },
      { id: 'b', ports: [] },
    ],
    says: 'workload b shares this network namespace',
  },
  { settings: HOST, workloads: [{ id: 'a', uid: -1, ports: [] }], says: 'workload a has uid -1' },
  {
    settings: HOST,
    workloads: [{ id: 'a', uid: 0, ports: [] }],
    agentUid: 0,
    says: 'workload a runs as uid 0, like the agent',
  },
  {
    settings: HOST,
    workloads: [
      { id: 'a', uid: 7, ports: [] },
      { id: 'b', uid: 7, ports: [] },
    ],
    says: 'workloads a and b have one uid, 7',
  },
  { settings: POD, workloads: [{ id: 'a', ports: [15_006] }], says: 'workload a listens on port 15006' },
  {
    settings: HOST,
    workloads: [
      { id: 'a', uid: 1, ports: [80] },
      { id: 'b', uid: 2, ports: [80] },
    ],
    says: 'workloads a and b both list port 80',
  },
];

test.for(REFUSED)('refused with a reason: $says', ({ settings, workloads, agentUid, says }) => {
  expect(() => checkWorkloads(settings, workloads, agentUid)).toThrow(`${settings.unit}: ${says}`);
});

test('what can be captured is let through', () => {
  checkWorkloads(POD, [{ id: 'a', ports: [80, 443] }], undefined);
  checkWorkloads(
    HOST,
    [
      { id: 'a', uid: 1, ports: [80] },
      { id: 'b', uid: 2, ports: [81] },
    ],
    0,
  );
});

test('an excluded inbound port of a host workload is not redirected', () => {
  const workloads = [{ id: 'a', uid: 1, ports: [80, 81], exclude: { inboundPorts: [81] } }];
  const rules = unitRules(HOST, workloads, () => ({ outbound: 1, dns: undefined }));
  expect(rules.inbound).toEqual({ kind: 'ports', port: 15_006, ports: [80] });
});
