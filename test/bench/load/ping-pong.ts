/** Small messages to an echo and back, one at a time on each connection, as fast as they return. @module */
import { connect, type Socket } from 'node:net';
import { setTimeout as after } from 'node:timers/promises';
import { Latencies } from './latencies.ts';
import type { GeneratorOrder, LoadResult } from './load.ts';

type Order = Extract<GeneratorOrder, { kind: 'ping-pong' }>;

/** As Redis is asked. */
const PING = Buffer.from('*2\r\n$3\r\nGET\r\n$8\r\ncart:123\r\n');
const UPGRADE = Buffer.from(
  'GET /echo HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
    'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
);
const TEXT_BYTES = 32;
/** A masked text frame (RFC 6455 §5.2), and the length of its unmasked echo. */
const FRAME = Buffer.concat([Buffer.from([0x81, 0x80 | TEXT_BYTES, 0, 0, 0, 0]), Buffer.alloc(TEXT_BYTES, 'x')]);
const ECHO_BYTES = 2 + TEXT_BYTES;
const SWITCHED = 'HTTP/1.1 101 ';

export async function pingPong(order: Order): Promise<LoadResult> {
  const latencies = new Latencies();
  const run = { order, latencies, isOver: false };
  const startedMs = performance.now();
  for (let i = 0; i < order.connections; i++) open(run);
  await after(order.seconds * 1_000);
  run.isOver = true;
  return latencies.result((performance.now() - startedMs) / 1_000);
}

interface Run {
  readonly order: Order;
  readonly latencies: Latencies;
  isOver: boolean;
}

/** Opens a connection; when it ends, or has served its one message, another one. */
function open(run: Run): void {
  const { order, latencies } = run;
  const isWebSocket = order.over === 'websocket';
  const [message, replyBytes] = isWebSocket ? [FRAME, ECHO_BYTES] : [PING, PING.length];
  const openedMs = performance.now();
  let sentMs = openedMs;
  let awaited = replyBytes;
  let isReady = !isWebSocket;
  const socket: Socket = connect({ host: order.host, port: order.port, noDelay: true });
  const send = (): void => {
    sentMs = performance.now();
    awaited = replyBytes;
    socket.write(message);
  };
  socket.on('connect', () => {
    if (isWebSocket) socket.write(UPGRADE);
    else send();
  });
  socket.on('data', (chunk: Buffer) => {
    if (run.isOver) return;
    if (!isReady) {
      isReady = chunk.toString('latin1', 0, SWITCHED.length) === SWITCHED; // the answer is far smaller than a segment
      if (isReady) send();
      else socket.destroy(new Error('no WebSocket'));
      return;
    }
    awaited -= chunk.length;
    if (awaited > 0) return;
    latencies.add(order.isOnce === true ? openedMs : sentMs);
    if (order.isOnce === true) socket.end();
    else send();
  });
  socket.on('error', () => {
    if (!run.isOver) latencies.failed++;
  });
  socket.on('close', () => {
    if (!run.isOver) open(run);
  });
}
