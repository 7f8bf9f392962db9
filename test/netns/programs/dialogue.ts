/**
 * A TCP client for tests. Usage: dialogue.ts HOST PORT (AWAIT|- TEXT)...
 *
 * Step by step: waits until AWAIT has arrived (- does not wait), then sends TEXT (JSON string escapes are understood). After
 * the last step it half-closes, and prints all it got, with how long the first byte took.
 */
import { connect } from 'node:net';

const [host, port, ...words] = process.argv.slice(2) as [string, string, ...string[]];
const startedMs = performance.now();
let firstByteMs: number | undefined;
let received = '';
const socket = connect({ host, port: Number(port), allowHalfOpen: true });
socket.setEncoding('latin1');
socket.on('connect', proceed);
socket.on('data', (chunk: string) => {
  firstByteMs ??= performance.now() - startedMs;
  received += chunk;
  proceed();
});
socket.on('error', (err: NodeJS.ErrnoException) => report(err.code ?? err.message));
socket.on('end', () => report(undefined));

function proceed(): void {
  while (words.length > 0) {
    const [awaited, text] = words as [string, string];
    if (awaited !== '-' && !received.includes(awaited)) return;
    words.splice(0, 2);
    socket.write(Buffer.from(JSON.parse(`"${text}"`) as string, 'latin1'));
    if (words.length === 0) socket.end();
  }
}

function report(error: string | undefined): void {
  console.log(JSON.stringify({ received, firstByteMs, error }));
  process.exit(0);
}
