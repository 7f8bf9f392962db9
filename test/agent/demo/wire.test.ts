import { describe, expect, test } from 'vitest';
import { readWire } from '../../../agent/demo/wire.ts';

const TLS_RECORD = Buffer.from('1703030005', 'hex');

function ethernet(kind: number, ip: Buffer): Buffer {
  const header = Buffer.alloc(14);
  header.writeUInt16BE(kind, 12);
  return Buffer.concat([header, ip]);
}

function tcp(port: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(20);
  header.writeUInt16BE(40_000, 0);
  header.writeUInt16BE(port, 2);
  header[12] = 5 << 4;
  return Buffer.concat([header, payload]);
}

function v4(segment: Buffer): Buffer {
  const header = Buffer.alloc(20);
  header[0] = 0x45;
  header.writeUInt16BE(20 + segment.length, 2);
  header[9] = 6;
  return ethernet(0x0800, Buffer.concat([header, segment]));
}

function v6(segment: Buffer): Buffer {
  const header = Buffer.alloc(40);
  header[0] = 0x60;
  header.writeUInt16BE(segment.length, 4);
  header[6] = 6;
  return ethernet(0x86dd, Buffer.concat([header, segment]));
}

function pcap(...frames: Buffer[]): Buffer {
  const parts = frames.map((frame) => {
    const header = Buffer.alloc(16);
    header.writeUInt32LE(frame.length, 8);
    header.writeUInt32LE(frame.length, 12);
    return Buffer.concat([header, frame]);
  });
  return Buffer.concat([Buffer.alloc(24), ...parts]);
}

describe('reading a capture', () => {
  test('TLS records are counted on the port asked about only, over IPv4 and IPv6', () => {
    const capture = pcap(v4(tcp(15_008, TLS_RECORD)), v6(tcp(15_008, TLS_RECORD)), v4(tcp(443, TLS_RECORD)));
    expect(readWire(capture, 15_008, [])).toEqual({ packets: 3, tlsRecords: 2, plaintextSegments: 0, wordsSeen: [] });
  });

  test('plain HTTP on the port, and words anywhere, are found', () => {
    const request = Buffer.from('GET /?user=ada HTTP/1.1\r\n\r\n');
    const findings = readWire(pcap(v4(tcp(15_008, request)), v4(tcp(8080, request))), 15_008, ['user=ada', 'bob']);
    expect(findings).toMatchObject({ tlsRecords: 0, plaintextSegments: 1, wordsSeen: ['user=ada'] });
  });

  test('the padding of a short frame is no payload', () => {
    const frame = Buffer.concat([v4(tcp(15_008, Buffer.alloc(0))), TLS_RECORD]);
    expect(readWire(pcap(frame), 15_008, []).tlsRecords).toBe(0);
  });

  test('a capture that ends in the middle of a packet is read up to there', () => {
    const whole = pcap(v4(tcp(15_008, TLS_RECORD)), v4(tcp(15_008, TLS_RECORD)));
    expect(readWire(whole.subarray(0, whole.length - 3), 15_008, []).packets).toBe(1);
    expect(readWire(Buffer.alloc(0), 15_008, []).packets).toBe(0);
  });
});
