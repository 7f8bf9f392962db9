/**
 * Opens connections, uses each once, and holds them idle. Usage: idle-holder.ts http|tcp HOST PORT COUNT
 *
 * Prints `held` once every one of them has had its answer. On SIGTERM it prints how many the other side has closed.
 */
import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

const [kind, host = '', port, count] = process.argv.slice(2);
/** Connections that are being opened at a time. */
const AT_A_TIME = 32;
const MESSAGE = kind === 'http' ? `GET /who HTTP/1.1\r\nHost: ${host}\r\n\r\n` : 'ping';

let left = Number(count);
let lost = 0;
const held: Socket[] = [];
const { address } = await lookup(host);

async function open(): Promise<void> {
  while (left-- > 0) {
    const socket = connect({ host: address, port: Number(port), noDelay: true });
    socket.write(MESSAGE);
    await once(socket, 'data'); // an answer is far smaller than a segment; rejects where the connection fails
    socket.resume();
    socket.on('error', () => {});
    socket.on('close', () => lost++);
    held.push(socket);
  }
}

process.once('SIGTERM', () => {
  process.stdout.write(`lost ${lost}\n`, () => process.exit(0));
});
await Promise.all(Array.from({ length: AT_A_TIME }, open));
process.stdout.write('held\n');
