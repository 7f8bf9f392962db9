/** The access log on a real disk: the schema of its lines, what is kept, rotation, and a disk or reader that fails. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { AccessLog } from '../../../agent/telemetry/access-log/access-log.ts';
import { logEntry } from '../../../agent/telemetry/access-log/entry.ts';
import { LineWriter } from '../../../agent/telemetry/access-log/line-writer.ts';
import { accessLogConfig } from '../../../agent/telemetry/access-log-config.ts';
import type { RequestRecord } from '../../../proxy/telemetry/record.ts';
import { record, T0 } from './records.ts';

const log = pino({ level: 'silent' });
let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'weft-access-log-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const start = (config: Partial<z.input<typeof accessLogConfig>> = {}): Promise<AccessLog> =>
  AccessLog.start({
    config: accessLogConfig.parse({ sink: 'file', keepMb: 0, ...config }),
    node: 'node-1',
    dataDirectory: directory,
    log,
  });
const file = (name = 'access.log'): string => join(directory, name);
const lines = (name?: string): Record<string, unknown>[] =>
  readFileSync(file(name), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

const FAILED = { sampled: false, failed: true, slow: false, tapped: false };

/** The log data model of OpenTelemetry, and the names of its semantic conventions that lines use. */
const lineSchema = z.strictObject({
  timestamp: z.iso.datetime(),
  severity_text: z.enum(['INFO', 'WARN', 'ERROR']),
  severity_number: z.int().min(1).max(24),
  body: z.string().min(1),
  trace_id: z
    .string()
    .regex(/^[0-9a-f]{32}$/)
    .optional(),
  span_id: z
    .string()
    .regex(/^[0-9a-f]{16}$/)
    .optional(),
  resource: z.strictObject({
    'service.name': z.string(),
    'service.namespace': z.string().optional(),
    'service.version': z.string().optional(),
    'host.name': z.string(),
  }),
  attributes: z.strictObject({
    'http.request.method': z.string().optional(),
    'url.path': z.string().optional(),
    'http.route': z.string().optional(),
    'http.response.status_code': z.int().min(100).max(999).optional(),
    'http.request.size': z.int().optional(),
    'http.response.size': z.int().optional(),
    'rpc.system': z.literal('grpc').optional(),
    'rpc.service': z.string().optional(),
    'rpc.method': z.string().optional(),
    'rpc.grpc.status_code': z.int().optional(),
    'server.address': z.string().optional(),
    'server.port': z.int().optional(),
    'network.transport': z.literal('tcp'),
    'network.protocol.name': z.literal('http').optional(),
    'network.peer.address': z.string().optional(),
    'network.peer.port': z.int().optional(),
    'user_agent.original': z.string().optional(),
    'user.hash': z.string().optional(),
    'user.id': z.string().optional(),
    'error.type': z.string().optional(),
    'weft.direction': z.enum(['inbound', 'outbound']),
    'weft.source': z.string().optional(),
    'weft.source_identity': z.string().optional(),
    'weft.destination': z.string(),
    'weft.destination_version': z.string().optional(),
    'weft.reason': z.string().optional(),
    'weft.duration_ms': z.number(),
    'weft.attempts': z.int().optional(),
    'weft.kept': z.string(),
    'weft.bytes_received': z.int().optional(),
    'weft.bytes_sent': z.int().optional(),
  }),
});

describe('a line', () => {
  const options = { node: 'node-1', isUserHashed: true };
  const RECORDS: readonly Partial<RequestRecord>[] = [
    {},
    { direction: 'inbound', user: '0123456789abcdef', userAgent: '' },
    { status: 503, reason: 'no-endpoint', endpoint: '', version: '', kept: FAILED },
    { protocol: 'grpc', method: 'POST', path: '/shop.Cart/Get', grpcStatus: 14, authority: '[fd00::1]:80' },
    { protocol: 'tcp', method: '', authority: '', path: '', route: '', status: 0, traceId: '', spanId: '' },
    { source: '', sourceService: '', authority: 'strange:host:name', status: 0, reason: 'client-aborted' },
  ];
  test.each(RECORDS)('fits the schema: %j', (fields) => {
    expect(lineSchema.safeParse(logEntry(record(fields), options)).error).toBeUndefined();
  });

  test('says who, what, how it ended, and why', () => {
    const failed = record({ status: 503, reason: 'no-endpoint', endpoint: '', kept: FAILED, tookMs: 1.23456 });
    expect(logEntry(failed, options)).toMatchObject({
      timestamp: '2026-03-01T12:00:00.000Z',
      severity_text: 'ERROR',
      body: 'GET /v1/carts/7 503 (no-endpoint) 1.235 ms',
      trace_id: failed.traceId,
      resource: { 'service.name': 'web', 'service.namespace': 'shop', 'host.name': 'node-1' },
      attributes: {
        'http.route': '/v1/carts/{id}',
        'server.address': 'cart.shop.weft',
        'server.port': 80,
        'error.type': 'no-endpoint',
        'weft.source': 'shop/web',
        'weft.destination': 'shop/cart',
      },
    });
  });
});

describe('the log', () => {
  test('holds what was sampled, failed or slow, and not what only a tap asked for', async () => {
    await using access = await start();
    const none = { sampled: false, failed: false, slow: false, tapped: false };
    access.add(record({ status: 201 }));
    access.add(record({ status: 202, kept: { ...none, tapped: true } }));
    access.add(record({ status: 503, kept: { ...none, failed: true } }));
    access.add(record({ status: 204, kept: { ...none, slow: true } }));
    await access.settled();
    const codes = lines().map(({ attributes }) => (attributes as Record<string, number>)['http.response.status_code']);
    expect(codes).toEqual([201, 503, 204]);
    const { records } = await access.search({ terms: [], sinceMs: 0, untilMs: Number.MAX_SAFE_INTEGER, limit: 10 });
    expect(records.map(({ status }) => status)).toEqual([201, 503, 204]);
  });

  test('keeps only directions that were asked for', async () => {
    await using access = await start({ directions: ['inbound'] });
    access.add(record());
    access.add(record({ direction: 'inbound' }));
    await access.settled();
    expect(lines()).toHaveLength(1);
  });

  test('remembers the last so many and finds the latest that fit', async () => {
    await using access = await start({ sink: 'none', recent: 3 });
    for (const i of [1, 2, 3, 4, 5]) access.add(record({ atMs: T0 + i, status: i === 4 ? 500 : 200 }));
    const all = await access.search({ terms: [], sinceMs: 0, untilMs: T0 + 10, limit: 2 });
    expect([all.records.map(({ atMs }) => atMs - T0), all.isCut]).toEqual([[4, 5], true]);
    const failed = await access.search({
      terms: [{ field: 'status', values: ['5xx'], isNegated: false }],
      sinceMs: 0,
      untilMs: T0 + 10,
      limit: 9,
    });
    expect(failed.records.map(({ atMs }) => atMs - T0)).toEqual([4]);
    expect(existsSync(file())).toBe(false);
  });

  test('goes on in a new file when one is full, and deletes the oldest', async () => {
    await using access = await start({ maxBytes: 65_536, files: 3 });
    let count = 0;
    while (!existsSync(file('access.log.2')) || count < 600) {
      access.add(record({ bytesSent: count++ }));
      if (count % 20 === 0) await access.settled();
      if (count > 5_000) break;
    }
    await access.settled();
    expect(readdirSync(directory).sort()).toEqual(['access.log', 'access.log.1', 'access.log.2']);
    const sizes = ['access.log.2', 'access.log.1', 'access.log'].flatMap((name) =>
      lines(name).map(({ attributes }) => (attributes as Record<string, number>)['http.response.size']!),
    );
    expect(sizes).toEqual(sizes.map((_, i) => count - sizes.length + i)); // none missing between the files, none twice
    expect(access.dropped).toBe(0);
  });

  test('writes to a new file after somebody renamed the old one, or sent SIGHUP', async () => {
    await using access = await start();
    access.add(record({ status: 200 }));
    await access.settled();
    renameSync(file(), file('moved'));
    access.add(record({ status: 201 }));
    await access.settled();
    process.emit('SIGHUP');
    access.add(record({ status: 202 }));
    await access.settled();
    expect([lines('moved').length, lines().length]).toEqual([1, 2]);
  });

  test('says at start that its file cannot be opened', async () => {
    writeFileSync(file('plain'), '');
    await expect(start({ file: file('plain/access.log') })).rejects.toThrow('telemetry.accessLog.file');
  });
});

describe('a writer whose reader stalls', () => {
  test('never waits: beyond its bound lines are dropped and counted', async () => {
    const stalled = Promise.withResolvers<void>();
    const taken: string[] = [];
    const sink = {
      write: async (bytes: Buffer) => {
        await stalled.promise;
        taken.push(...bytes.toString().trimEnd().split('\n'));
      },
      close: async () => {},
    };
    const writer = new LineWriter(sink, log, 100);
    for (let i = 0; i < 50; i++) writer.write(`line ${String(i).padStart(5, '0')}`); // ten letters each
    expect(writer.dropped).toBe(40);
    stalled.resolve();
    await writer.settled();
    expect(taken.map((line) => Number(line.slice(5)))).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    writer.write('line 99999');
    await writer.close();
    expect(taken.at(-1)).toBe('line 99999');
  });

  test('counts what the disk refuses, and goes on', async () => {
    let isFull = true;
    const sink = {
      write: async () => {
        if (isFull) throw new Error('no space left');
      },
      close: async () => {},
    };
    const writer = new LineWriter(sink, log);
    writer.write('one');
    await writer.settled();
    isFull = false;
    writer.write('two');
    await writer.settled();
    expect([writer.dropped, writer.written]).toEqual([1, 1]);
  });
});
