/**
 * Fast writers and slow readers through two agents for minutes: HTTP/1.1 downloads, uploads, HTTP/2 streams and opaque TCP, four
 * of each at a time. What nobody has read yet must wait at its sender: memory of the agents together has to stay as it is.
 * @module
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { accepting, LOAD_CORE, pinned, rssMb, stop, together } from './machine.ts';
import type { OwnCase, OwnResult } from './own-case.ts';
import { BACKEND_PORT, type Route, SLOW_ADDRESSES } from './routes.ts';
import { startWeft } from './weft.ts';

const ROUTES: readonly Route[] = (['http', 'http2', 'tcp'] as const).map((protocol, i) => ({
  name: `slow-${protocol}`,
  protocol,
  hops: 2,
  entryPort: 9_006 + i,
  endpoints: [SLOW_ADDRESSES[protocol]],
}));
const PROGRAM = join(import.meta.dirname, 'load/slow.ts');
/** Before anything is read: buffers fill, code is compiled. */
const WARM_UP_MS = 20_000;
const LOOK_MS = 1_000;

type Bytes = Readonly<Record<'download' | 'upload' | 'http2' | 'tcp', number>>;

export const SLOW_READER: OwnCase = {
  name: 'slow-reader',
  async measure({ minutes }) {
    const directory = mkdtempSync(join(tmpdir(), 'weft-slow-'));
    try {
      return await measureIn(directory, minutes);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  },
};

async function measureIn(directory: string, minutes: number): Promise<OwnResult> {
  await using _backend = await startBackend(directory);
  await using weft = await startWeft(join(directory, 'weft'), ROUTES);
  const argv = [process.execPath, PROGRAM, 'client', weft.address, ...ROUTES.map(({ entryPort }) => String(entryPort))];
  const client = spawn('taskset', ['-c', LOAD_CORE, ...argv], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    await delay(WARM_UP_MS);
    const looks = [rssMb(weft.pids)];
    const untilMs = performance.now() + minutes * 60_000;
    while (performance.now() < untilMs) {
      await delay(LOOK_MS);
      if (client.exitCode !== null) throw new Error('slow-reader: a stream ended early; what is above says which');
      looks.push(rssMb(weft.pids));
    }
    const printed: Buffer[] = [];
    client.stdout.on('data', (text: Buffer) => printed.push(text));
    const closed = once(client, 'close');
    client.kill('SIGTERM');
    await closed;
    return report(minutes, looks, JSON.parse(Buffer.concat(printed).toString()) as Bytes);
  } finally {
    await stop(client);
  }
}

function report(minutes: number, looks: readonly number[], bytesByWay: Bytes): OwnResult {
  const idle = Object.entries(bytesByWay).find(([, bytes]) => bytes === 0);
  if (idle !== undefined) throw new Error(`slow-reader: nothing came through (${idle[0]})`);
  const figures = {
    minutes,
    rssStartMb: looks[0]!,
    rssMaxMb: Math.max(...looks),
    rssEndMb: looks.at(-1)!,
    bytes: Object.values(bytesByWay).reduce((sum, bytes) => sum + bytes, 0),
    bytesByWay,
  };
  const { rssStartMb, rssMaxMb, rssEndMb, bytes } = figures;
  const line =
    `slow-reader, ${minutes} minutes, ${(bytes / 1e6).toFixed(0)} MB: two agents ${rssStartMb.toFixed(0)} MB at the start, ` +
    `${rssMaxMb.toFixed(0)} at most, ${rssEndMb.toFixed(0)} at the end`;
  return { figures, lines: [line] };
}

function startBackend(directory: string): Promise<AsyncDisposable> {
  return together(async (own) => {
    own(pinned(LOAD_CORE, [process.execPath, PROGRAM, 'backend'], join(directory, 'backend.log')));
    for (const address of Object.values(SLOW_ADDRESSES)) await accepting(BACKEND_PORT, address);
    return {};
  });
}
