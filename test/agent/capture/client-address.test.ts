import { expect, test } from 'vitest';
import { openLocals } from '../../../agent/capture/kept-connections.ts';
import { readAcknowledgement, ruleMessage } from '../../../agent/capture/rtnetlink.ts';
import { captureRuleset, returningRuleset } from '../../../agent/capture/rules.ts';

const HEADING = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n';

test('open connections are told by their local address; listeners and what has ended are none', () => {
  const v4 = `${HEADING}   0: 0501580A:1F90 0202580A:A000 01 0\n   1: 00000000:1F90 00000000:0000 0A 0\n   2: 0901580A:1F90 0202580A:A000 06 0\n`;
  expect(openLocals(v4)).toEqual(['10.88.1.5']);
  const v6 = `${HEADING}   0: 000077FD000000000000000005000000:1F90 000088FD000000000000000001000000:A000 02 0\n   1: 0000000000000000FFFF00000501580A:1F90 0000000000000000FFFF00000202580A:A000 01 0\n`;
  expect(openLocals(v6)).toEqual(['fd77::5', '10.88.1.5']);
  expect(openLocals('')).toEqual([]);
});

test('the way back is a part of the rules where it is asked for, and all that stays of them afterwards', () => {
  const pod = { outbound: [], inbound: { kind: 'all', port: 15_006, tunnelPort: 15_008 } } as const;
  const chains = /chain client_zone.*/s.exec(returningRuleset())![0];
  expect(captureRuleset({ ...pod, keepsClientAddress: true })).toContain(chains);
  expect(captureRuleset(pod)).not.toContain('client');
  expect(returningRuleset()).not.toContain('redirect');
});

test('messages to the kernel carry their own length, and only an acknowledgement is taken for one', () => {
  for (const change of ['add', 'delete'] as const) {
    const message = ruleMessage(change, { family: 4, mark: 0x111, table: 100, priority: 32_764 });
    expect(message.readUInt32LE(0)).toBe(message.length);
  }
  const acknowledgement = Buffer.alloc(36);
  acknowledgement.writeUInt16LE(2, 4);
  acknowledgement.writeInt32LE(-17, 16);
  expect(readAcknowledgement(acknowledgement)).toBe(17);
  expect(readAcknowledgement(acknowledgement.subarray(0, 10))).toBeUndefined();
});
