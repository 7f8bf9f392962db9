/**
 * The two netlink messages that ask the kernel's connection tracking about one UDP flow. Pure bytes, no socket.
 *
 * A redirected TCP connection tells its original destination by a socket option; a UDP socket cannot. Conntrack knows:
 * the flow's reply direction runs from our socket to the client, and that names the entry whose original direction
 * holds the destination. See linux/netfilter/nfnetlink_conntrack.h; attributes are {u16 length, u16 type, payload},
 * padded to 4 bytes; header fields are in host order (little-endian wherever Node runs), ports in network order.
 * @module
 */
import ipaddr from 'ipaddr.js';
import type { Destination, Family } from './linux.ts';

/** A UDP flow that was redirected to us, as our socket sees it. */
export interface RedirectedFlow {
  readonly family: Family;
  /** What our socket is bound to. */
  readonly local: Destination;
  readonly client: Destination;
}

/** `none`: the kernel knows no such flow. `stale`: an answer to an earlier question. */
export type FlowAnswer =
  | { readonly kind: 'found'; readonly destination: Destination }
  | { readonly kind: 'none' | 'stale' | 'malformed' }
  | { readonly kind: 'refused'; readonly errno: number };

/** Room for a request of either family, and for all the kernel tells about a flow. */
export const REQUEST_BYTES = 256;
export const ANSWER_BYTES = 4_096;

const HEADER_BYTES = 16;
const PREFIX_BYTES = 4;
const ATTRIBUTE_BYTES = 4;
const NLM_F_REQUEST = 1;
const NLMSG_ERROR = 2;
const IPCTNL_MSG_CT_NEW = 0x100;
const IPCTNL_MSG_CT_GET = 0x101;
const NLA_F_NESTED = 0x8000;
const NLA_TYPE_MASK = 0x3fff;
const CTA_TUPLE_ORIG = 1;
const CTA_TUPLE_REPLY = 2;
const CTA_TUPLE_IP = 1;
const CTA_TUPLE_PROTO = 2;
const CTA_IP_V4_SRC = 1;
const CTA_IP_V4_DST = 2;
const CTA_IP_V6_SRC = 3;
const CTA_IP_V6_DST = 4;
const CTA_PROTO_NUM = 1;
const CTA_PROTO_SRC_PORT = 2;
const CTA_PROTO_DST_PORT = 3;
const IPPROTO_UDP = 17;
const ENOENT = 2;
/** nfgen_family: AF_INET and AF_INET6. */
const ADDRESS_FAMILY = { 4: 2, 6: 10 } as const;

/**
 * Writes the question "which flow has this reply direction?".
 *
 * @param into at least REQUEST_BYTES
 * @returns how many bytes were written
 */
export function writeFlowRequest(into: Buffer, sequence: number, flow: RedirectedFlow): number {
  const { family, local, client } = flow;
  const [source, destination] = family === 4 ? [CTA_IP_V4_SRC, CTA_IP_V4_DST] : [CTA_IP_V6_SRC, CTA_IP_V6_DST];
  const writer = new AttributeWriter(into, HEADER_BYTES + PREFIX_BYTES);
  writer.nested(CTA_TUPLE_REPLY, () => {
    writer.nested(CTA_TUPLE_IP, () => {
      writer.bytes(source, ipaddr.parse(local.address).toByteArray());
      writer.bytes(destination, ipaddr.parse(client.address).toByteArray());
    });
    writer.nested(CTA_TUPLE_PROTO, () => {
      writer.bytes(CTA_PROTO_NUM, [IPPROTO_UDP]);
      writer.bytes(CTA_PROTO_SRC_PORT, [local.port >> 8, local.port & 0xff]);
      writer.bytes(CTA_PROTO_DST_PORT, [client.port >> 8, client.port & 0xff]);
    });
  });
  into.writeUInt32LE(writer.offset, 0);
  into.writeUInt16LE(IPCTNL_MSG_CT_GET, 4);
  into.writeUInt16LE(NLM_F_REQUEST, 6);
  into.writeUInt32LE(sequence, 8);
  into.writeUInt32LE(0, 12); // the kernel
  into.fill(0, HEADER_BYTES, HEADER_BYTES + PREFIX_BYTES);
  into[HEADER_BYTES] = ADDRESS_FAMILY[family];
  return writer.offset;
}

/** Reads the kernel's answer to the question with that sequence number. */
export function readFlowAnswer(answer: Buffer, sequence: number): FlowAnswer {
  if (answer.length < HEADER_BYTES + PREFIX_BYTES) return { kind: 'malformed' };
  const end = Math.min(answer.length, answer.readUInt32LE(0));
  const type = answer.readUInt16LE(4);
  if (answer.readUInt32LE(8) !== sequence) return { kind: 'stale' };
  if (type === NLMSG_ERROR) {
    const errno = -answer.readInt32LE(HEADER_BYTES);
    return errno === ENOENT ? { kind: 'none' } : { kind: 'refused', errno };
  }
  if (type !== IPCTNL_MSG_CT_NEW) return { kind: 'malformed' };
  const destination = readOriginalDestination(answer.subarray(HEADER_BYTES + PREFIX_BYTES, end));
  return destination === undefined ? { kind: 'malformed' } : { kind: 'found', destination };
}

function readOriginalDestination(attributes: Buffer): Destination | undefined {
  const original = attribute(attributes, CTA_TUPLE_ORIG);
  const ip = original && attribute(original, CTA_TUPLE_IP);
  const ports = original && attribute(original, CTA_TUPLE_PROTO);
  const address = ip && (attribute(ip, CTA_IP_V4_DST) ?? attribute(ip, CTA_IP_V6_DST));
  const port = ports && attribute(ports, CTA_PROTO_DST_PORT);
  if (port?.length !== 2 || (address?.length !== 4 && address?.length !== 16)) return undefined;
  return { address: ipaddr.fromByteArray([...address]).toString(), port: port.readUInt16BE(0) };
}

/** The payload of the first attribute of a type; undefined when there is none or the lengths do not add up. */
function attribute(attributes: Buffer, wanted: number): Buffer | undefined {
  for (let offset = 0; offset + ATTRIBUTE_BYTES <= attributes.length; ) {
    const bytes = attributes.readUInt16LE(offset);
    if (bytes < ATTRIBUTE_BYTES || offset + bytes > attributes.length) return undefined;
    const type = attributes.readUInt16LE(offset + 2) & NLA_TYPE_MASK;
    if (type === wanted) return attributes.subarray(offset + ATTRIBUTE_BYTES, offset + bytes);
    offset += padded(bytes);
  }
  return undefined;
}

class AttributeWriter {
  offset: number;
  readonly #into: Buffer;

  constructor(into: Buffer, offset: number) {
    this.#into = into;
    this.offset = offset;
  }

  nested(type: number, content: () => void): void {
    const start = this.offset;
    this.offset += ATTRIBUTE_BYTES;
    content();
    this.#head(start, type | NLA_F_NESTED, this.offset - start);
  }

  bytes(type: number, value: readonly number[]): void {
    const start = this.offset;
    const bytes = ATTRIBUTE_BYTES + value.length;
    this.offset += padded(bytes);
    this.#into.fill(0, start + bytes, this.offset);
    this.#into.set(value, start + ATTRIBUTE_BYTES);
    this.#head(start, type, bytes);
  }

  #head(start: number, type: number, bytes: number): void {
    this.#into.writeUInt16LE(bytes, start);
    this.#into.writeUInt16LE(type, start + 2);
  }
}

function padded(bytes: number): number {
  return (bytes + 3) & ~3;
}
