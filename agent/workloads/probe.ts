/** One health check: a connection from inside the workload's network namespace, and for HTTP one request on it. @module */
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { isIP, type Socket } from 'node:net';
import { formatSocketAddress } from '../addresses.ts';
import { messageOf } from '../errors.ts';
import type { HealthCheck } from './workload.ts';

/** Opens an unconnected socket inside a capture unit. The same shape as the data plane's. */
export type OpenSocket = (unit: string, family: 4 | 6) => Socket;

export interface HealthTarget {
  /** The workload's id. */
  readonly id: string;
  /** The capture unit to connect from. */
  readonly unit: string;
  /** Where the application is reached from inside that unit. */
  readonly address: string;
  readonly check: HealthCheck | undefined;
}

export type ProbeResult = { readonly ok: true } | { readonly ok: false; readonly detail: string };

/** Never rejects: whatever goes wrong is a failed check. Ends within `timeoutMs`, or when `signal` aborts. */
export async function probe(
  target: HealthTarget & { readonly check: HealthCheck },
  open: OpenSocket,
  signal: AbortSignal,
): Promise<ProbeResult> {
  const { address, check } = target;
  const where = formatSocketAddress({ address, port: check.port });
  const what = check.kind === 'http' ? `GET ${check.path} on ${where}` : `TCP connect to ${where}`;
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(check.timeoutMs)]);
  let socket: Socket | undefined;
  try {
    socket = open(target.unit, isIP(address) === 6 ? 6 : 4);
    socket.on('error', () => {}); // also after we have let go of it
    socket.connect(check.port, address);
    await once(socket, 'connect', { signal: deadline });
    if (check.kind === 'tcp') return { ok: true };
    const status = await statusOf(socket, { host: where, path: check.path, signal: deadline });
    return status >= 200 && status < 400 ? { ok: true } : { ok: false, detail: `${what} answered ${status}` };
  } catch (err) {
    const detail = deadline.aborted ? `took longer than ${check.timeoutMs} ms` : `failed: ${messageOf(err)}`;
    return { ok: false, detail: `${what} ${detail}` };
  } finally {
    socket?.destroy();
  }
}

/** The status of one GET over a connected socket. The body is not read: it may never end. */
async function statusOf(
  socket: Socket,
  { host, path, signal }: { readonly host: string; readonly path: string; readonly signal: AbortSignal },
): Promise<number> {
  const headers = { host, 'user-agent': 'weft-health', connection: 'close' };
  // node:http, and not the undici of our other clients: this one stays in memory as long as the agent lives.
  const get = request({
    createConnection: () => socket,

    path,
    headers,
    signal,
    maxHeaderSize: 16 * 1024,
  });
  get.on('error', () => {}); // also after we have let go of it
  get.end();
  const [response] = (await once(get, 'response', { signal })) as [IncomingMessage];
  response.on('error', () => {});
  return response.statusCode ?? 0;
}
