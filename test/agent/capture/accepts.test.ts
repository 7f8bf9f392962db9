/** New connections do not wait for a turn of the event loop each: in the turn in which one is accepted, others that wait are. @module */

import { once } from 'node:events';
import net from 'node:net';
import { expect, test } from 'vitest';
import { captureSockets } from '../../../agent/capture/sockets.ts';
import { ConnectionBudget } from '../../../proxy/listeners/connection-budget.ts';
import { SharedReader } from '../../../proxy/listeners/shared-reader.ts';
import { TcpListener } from '../../../proxy/listeners/tcp-listener.ts';
import { createStatsBuffer } from '../../../proxy/telemetry/stats-table.ts';
import { StatsWriter } from '../../../proxy/telemetry/stats-writer.ts';

const CLIENTS = 100;
const SPEC = { id: 'x', role: 'inbound', unit: 'netns:x', transport: 'tcp' } as const;

test.skipIf(process.platform !== 'linux').each([
  { who: 'that are read through one buffer', reader: new SharedReader() },
  { who: 'that are read by whoever takes them', reader: undefined },
])('a hundred connections $who are accepted in four turns', async ({ reader }) => {
  using sockets = captureSockets([]);
  const budget = new ConnectionBudget(1_000);
  const stats = new StatsWriter(createStatsBuffer(), () => {});
  let turn = 0;
  const acceptedIn: number[] = [];
  const onConnection = (socket: net.Socket): void => {
    acceptedIn.push(turn);
    socket.on('data', (chunk) => socket.write(chunk));
    socket.on('end', () => socket.end('.')); // half-open until then
    socket.resume();
  };
  const given = reader === undefined ? {} : { reader };
  const listener = await TcpListener.start({ spec: SPEC, budget, stats, sockets, onConnection, ...given });
  const clients = Array.from({ length: CLIENTS }, () => net.connect({ port: listener.port, host: '127.0.0.1' }));
  const texts = clients.map((client, index) => {
    client.end(`hello ${index}`);
    return textOf(client);
  });
  await new Promise<void>((resolve) => {
    const next = (): void => {
      turn++;
      if (acceptedIn.length < CLIENTS) setImmediate(next);
      else resolve();
    };
    next();
  });
  expect(acceptedIn.at(-1)! - acceptedIn[0]!).toBeLessThanOrEqual(4);
  expect(await Promise.all(texts)).toEqual(clients.map((_, index) => `hello ${index}.`));
  listener.stop();
  await expect.poll(() => budget.open).toBe(0);
});

async function textOf(client: net.Socket): Promise<string> {
  let text = '';
  client.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  await once(client, 'close');
  return text;
}
