/**
 * The messages that add and remove a policy routing rule and a route of one table, as rtnetlink(7) has them. Pure bytes, no
 * socket. Headers are in host order (little-endian wherever Node runs); see linux/rtnetlink.h and linux/fib_rules.h.
 * @module
 */
import type { Family } from './linux.ts';

/** Everything marked `mark` is routed by `table`. */
export interface MarkRule {
  readonly family: Family;
  readonly mark: number;
  readonly table: number;
  /** Lower is asked first. */
  readonly priority: number;
}

/** All addresses are this machine's own, in this table. */
export interface LocalRoute {
  readonly family: Family;
  readonly table: number;
  /** Index of the loopback interface. */
  readonly interface: number;
}

export type Change = 'add' | 'delete';

const HEADER_BYTES = 16;
const RTM_NEWROUTE = 24;
const RTM_NEWRULE = 32;
const NLMSG_ERROR = 2;
const NLM_F_REQUEST = 0x1;
const NLM_F_ACK = 0x4;
const NLM_F_EXCL = 0x200;
const NLM_F_CREATE = 0x400;
const FRA_PRIORITY = 6;
const FRA_FWMARK = 10;
const FRA_TABLE = 15;
const FRA_PROTOCOL = 21;
const FR_ACT_TO_TBL = 1;
const RTA_OIF = 4;
const RTA_TABLE = 15;
/** Who made a rule or route, so that only what is ours is removed: a number that iproute2 gives to nobody, W. */
const PROTOCOL = 0x57;
const RT_SCOPE_HOST = 254;
const RTN_LOCAL = 2;
const ADDRESS_FAMILY = { 4: 2, 6: 10 } as const;

/** struct fib_rule_hdr and its attributes. */
export function ruleMessage(change: Change, { family, mark, table, priority }: MarkRule): Buffer {
  const header = [ADDRESS_FAMILY[family], 0, 0, 0, table, 0, 0, FR_ACT_TO_TBL, 0, 0, 0, 0];
  const attributes = [
    u32(FRA_PRIORITY, priority),
    u32(FRA_FWMARK, mark),
    u32(FRA_TABLE, table),
    u8(FRA_PROTOCOL, PROTOCOL),
  ];
  return message(change === 'add' ? RTM_NEWRULE : RTM_NEWRULE + 1, change, header, attributes);
}

/** struct rtmsg and its attributes. */
export function routeMessage(change: Change, { family, table, interface: index }: LocalRoute): Buffer {
  const header = [ADDRESS_FAMILY[family], 0, 0, 0, table, PROTOCOL, RT_SCOPE_HOST, RTN_LOCAL, 0, 0, 0, 0];
  const attributes = [u32(RTA_TABLE, table), u32(RTA_OIF, index)];
  return message(change === 'add' ? RTM_NEWROUTE : RTM_NEWROUTE + 1, change, header, attributes);
}

/** @returns the errno in the kernel's acknowledgement; 0 for success, undefined for what is no acknowledgement */
export function readAcknowledgement(answer: Buffer): number | undefined {
  if (answer.length < HEADER_BYTES + 4 || answer.readUInt16LE(4) !== NLMSG_ERROR) return undefined;
  return -answer.readInt32LE(HEADER_BYTES);
}

function message(type: number, change: Change, header: readonly number[], attributes: readonly Buffer[]): Buffer {
  const start = Buffer.alloc(HEADER_BYTES);
  const bytes = Buffer.concat([start, Buffer.from(header), ...attributes]);
  bytes.writeUInt32LE(bytes.length, 0);
  bytes.writeUInt16LE(type, 4);
  bytes.writeUInt16LE(NLM_F_REQUEST | NLM_F_ACK | (change === 'add' ? NLM_F_CREATE | NLM_F_EXCL : 0), 6);
  return bytes;
}

/** An attribute: {u16 length, u16 type, payload}, padded to 4 bytes. */
function u32(type: number, value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt16LE(8, 0);
  bytes.writeUInt16LE(type, 2);
  bytes.writeUInt32LE(value, 4);
  return bytes;
}

function u8(type: number, value: number): Buffer {
  const bytes = u32(type, value);
  bytes.writeUInt16LE(5, 0);
  return bytes;
}
