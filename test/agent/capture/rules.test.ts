import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type CaptureRules, captureRuleset, removeRuleset } from '../../../agent/capture/rules.ts';
import { OBSTACLE } from './support.ts';

const POD: CaptureRules = {
  outbound: [
    {
      workload: 'shop/web',
      port: 15_001,
      dnsPort: 15_053,
      exclude: { ports: [25, 25], cidrs: ['10.0.0.0/8', 'fd00::/8'] },
    },
  ],
  inbound: { kind: 'all', port: 15_006, tunnelPort: 15_008, excludePorts: [9_100] },
};

test('a pod: the mark first, DNS before loopback, then exclusions, then everything', () => {
  expect(captureRuleset(POD)).toBe(`add table inet weft
delete table inet weft

table inet weft {
  chain output {
    type nat hook output priority -100; policy accept;
    meta mark 0x539 return comment "sockets of the agent"
    goto outbound_0 comment "shop/web"
  }
  chain outbound_0 {
    udp dport 53 redirect to :15053
    tcp dport 53 redirect to :15053
    oif "lo" return
    ip daddr 10.0.0.0/8 return
    ip6 daddr fd00::/8 return
    tcp dport { 25 } return
    meta l4proto tcp redirect to :15001
  }
  chain prerouting {
    type nat hook prerouting priority -100; policy accept;
    iif "lo" return
    tcp dport { 15008, 9100 } return
    meta l4proto tcp redirect to :15006
  }
}
`);
});

test('a host: only the traffic of the given users, and only what is addressed to this machine at their ports', () => {
  const text = captureRuleset({
    outbound: [
      { workload: 'a', uid: 1_001, port: 40_001, dnsPort: 40_002 },
      { workload: 'b', uid: 1_002, port: 40_003 },
    ],
    inbound: { kind: 'ports', port: 15_006, ports: [8_080, 8_081] },
  });
  expect(text).toContain('meta skuid 1001 goto outbound_0 comment "a"');
  expect(text).toContain('meta skuid 1002 goto outbound_1 comment "b"');
  expect(text).toContain('fib daddr type local tcp dport { 8080, 8081 } redirect to :15006');
  expect(text.match(/dport 53/g)).toHaveLength(2);
});

test('without ports, nothing that arrives at a host is redirected', () => {
  const text = captureRuleset({ outbound: [], inbound: { kind: 'ports', port: 15_006, ports: [] } });
  expect(text).not.toContain('redirect');
});

test.for([
  '10.0.0.0',
  '10.0.0.0/33',
  '::/129',
  '10.0.0.0/8 return; flush ruleset',
  'fe80::%eth0/64',
  '',
  '/',
  '1.2.3.4/8/8',
  '1.2/8',
  '010.0.0.0/8',
])('what is no network is refused and never becomes part of the program: %j', (cidr) => {
  const outbound = [{ workload: 'w', port: 1, exclude: { cidrs: [cidr] } }];
  expect(() => captureRuleset({ outbound, inbound: POD.inbound })).toThrow(
    expect.objectContaining({ code: 'WEFT_CAPTURE_SPEC', message: expect.stringContaining(JSON.stringify(cidr)) }),
  );
});

test.skipIf(OBSTACLE !== undefined)('nft accepts whatever is written', () => {
  const port = fc.integer({ min: 1, max: 65_535 });
  const cidr = fc.oneof(
    fc.tuple(fc.ipV4(), fc.integer({ min: 0, max: 32 })).map(([address, bits]) => `${address}/${bits}`),
    fc.tuple(fc.ipV6(), fc.integer({ min: 0, max: 128 })).map(([address, bits]) => `${address}/${bits}`),
  );
  const outbound = fc.record(
    {
      workload: fc.string({ unit: 'binary', maxLength: 300 }),
      uid: fc.integer({ min: 0, max: 0xffff_fffe }),
      port,
      dnsPort: port,
      exclude: fc.record({ ports: fc.array(port, { maxLength: 5 }), cidrs: fc.array(cidr, { maxLength: 5 }) }),
    },
    { requiredKeys: ['workload', 'port'] },
  );
  const ports = fc.array(port, { maxLength: 5 });
  const inbound = fc.oneof(
    fc.record({ kind: fc.constant('all' as const), port, tunnelPort: port, excludePorts: ports }),
    fc.record({ kind: fc.constant('ports' as const), port, ports }),
  );
  const rules = fc.record({ outbound: fc.array(outbound, { maxLength: 4 }), inbound });
  fc.assert(
    fc.property(rules, (value) => {
      const run = { input: captureRuleset(value as CaptureRules), stdio: ['pipe', 'pipe', 'pipe'] as 'pipe'[] };
      execFileSync('unshare', ['--net', 'nft', '--check', '-f', '-'], run);
    }),
    { numRuns: 30, seed: 7 },
  );
});

test('what removes the table also succeeds where there is none', () => {
  expect(removeRuleset()).toBe('add table inet weft\ndelete table inet weft\n');
});
