/** What the lab would tell the kernel, without asking it. */
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { MAX_NODES, MAX_PODS_PER_NODE, podAddresses, podGatewayOf, uplinkOf } from '../../../agent/lab/addresses.ts';
import { faultRules, HEALTHY } from '../../../agent/lab/faults.ts';

test('no two nodes, gateways or pods share an address', () => {
  const all = new Set<string>();
  let count = 0;
  for (let node = 1; node <= MAX_NODES; node += 1) {
    const owners = [uplinkOf(node), podGatewayOf(node)];
    for (let pod = 0; pod < MAX_PODS_PER_NODE; pod += 1) owners.push(podAddresses(node, pod));
    for (const { address4, address6 } of owners) {
      all.add(address4).add(address6);
      count += 2;
    }
  }
  expect(all.size).toBe(count);
});

test('every cut is written in both directions, and a healthy fabric drops nothing', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 }), (a, b) => {
      const rules = faultRules({ cuts: [[a, b]], lossRatio: 0 });
      expect(rules).toContain(`"n${a}" . "n${b}"`);
      expect(rules).toContain(`"n${b}" . "n${a}"`);
    }),
  );
  expect(faultRules(HEALTHY)).not.toContain('drop');
});

test('loss is rounded to one in a thousand', () => {
  expect(faultRules({ cuts: [], lossRatio: 0.0504 })).toContain('numgen random mod 1000 < 50 drop');
});
