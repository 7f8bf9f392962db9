/** Reading a pcap file for one question: did agents speak TLS to each other, and did anything readable slip through? @module */

export interface WireFindings {
  readonly packets: number;
  /** TCP segments to or from the port that begin with a TLS record. */
  readonly tlsRecords: number;
  /** TCP segments to or from the port that begin like HTTP in plain text. */
  readonly plaintextSegments: number;
  /** Which of the words were found anywhere in the capture, as they are. */
  readonly wordsSeen: readonly string[];
}

const GLOBAL_HEADER_BYTES = 24;
const PACKET_HEADER_BYTES = 16;
const ETHERNET_BYTES = 14;
const IPV4 = 0x0800;
const IPV6 = 0x86dd;
const TCP = 6;

/**
 * @param pcap as tcpdump writes it: microseconds, little-endian, Ethernet
 * @param words that unencrypted traffic would contain; a word cut in two by a segment's end is missed, so send it often
 */
export function readWire(pcap: Buffer, port: number, words: readonly string[]): WireFindings {
  let packets = 0;
  let tlsRecords = 0;
  let plaintextSegments = 0;
  for (const frame of frames(pcap)) {
    packets += 1;
    const payload = tcpPayload(frame, port);
    if (!payload || payload.length === 0) continue;
    if (startsTlsRecord(payload)) tlsRecords += 1;
    if (/^(HTTP\/1|GET |POST )/.test(payload.toString('latin1', 0, 8))) plaintextSegments += 1;
  }
  return { packets, tlsRecords, plaintextSegments, wordsSeen: words.filter((word) => pcap.includes(word)) };
}

function* frames(pcap: Buffer): Generator<Buffer> {
  let at = GLOBAL_HEADER_BYTES;
  while (at + PACKET_HEADER_BYTES <= pcap.length) {
    const length = pcap.readUInt32LE(at + 8);
    const start = at + PACKET_HEADER_BYTES;
    if (start + length > pcap.length) return; // tcpdump was stopped in the middle of a packet
    yield pcap.subarray(start, start + length);
    at = start + length;
  }
}

/** Content type 20-23 and a version of 3.x (RFC 8446 §5.1). */
function startsTlsRecord(payload: Buffer): boolean {
  return payload.length >= 5 && payload[0]! >= 20 && payload[0]! <= 23 && payload[1] === 3;
}

function tcpPayload(frame: Buffer, port: number): Buffer | undefined {
  if (frame.length < ETHERNET_BYTES + 20) return undefined;
  const kind = frame.readUInt16BE(12);
  const ip = frame.subarray(ETHERNET_BYTES);
  if (kind === IPV4 && ip[9] === TCP) {
    const total = ip.readUInt16BE(2); // what follows is padding of a short frame
    return segmentPayload(ip.subarray((ip[0]! & 0x0f) * 4, total), port);
  }
  if (kind === IPV6 && ip.length >= 40 && ip[6] === TCP)
    return segmentPayload(ip.subarray(40, 40 + ip.readUInt16BE(4)), port);
  return undefined;
}

function segmentPayload(segment: Buffer, port: number): Buffer | undefined {
  if (segment.length < 20) return undefined;
  if (segment.readUInt16BE(0) !== port && segment.readUInt16BE(2) !== port) return undefined;
  return segment.subarray((segment[12]! >> 4) * 4);
}
