/**
 * Asks a URL again and again until SIGTERM; then prints how many answers were not 200. Each time on a new connection, or
 * with `keep-alive` one after the other on the same. Usage: steady.ts URL [PER_SECOND] [keep-alive]
 */
import { Agent, request } from 'node:http';

/** As in load.ts. */
const TIMEOUT_MS = 30_000;

const [url = '', perSecond = '20', keepAlive] = process.argv.slice(2);
const agent = keepAlive === undefined ? (false as const) : new Agent({ keepAlive: true, maxSockets: 1 });
let requests = 0;
const failures: string[] = [];

function ask(): void {
  requests++;
  const asked = request(url, { agent, timeout: TIMEOUT_MS }, (answer) => {
    if (answer.statusCode !== 200) failures.push(`${answer.statusCode} ${String(answer.headers['weft-reason'])}`);
    answer.resume();
  });
  asked.on('timeout', () => asked.destroy(new Error('timeout')));
  asked.on('error', (err) => failures.push(err.message));
  asked.end();
}

const clock = setInterval(ask, 1_000 / Number(perSecond));
process.once('SIGTERM', () => {
  clearInterval(clock);
  setTimeout(() => {
    process.stdout.write(JSON.stringify({ requests, failures }));
    process.exit();
  }, 1_000); // answers under way
});
