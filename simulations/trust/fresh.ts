/**
 * Asks a URL at a fixed rate, each time over a connection of its own: a service that speaks TCP to the mesh then costs a
 * TLS handshake between two agents each time. Prints how it went when it is asked to stop (SIGTERM).
 *
 * Usage: fresh.ts URL REQUESTS_PER_SECOND TIMEOUT_MS
 */
import { get } from 'node:http';

const [url = '', perSecond = '', timeoutText = ''] = process.argv.slice(2);
const timeoutMs = Number(timeoutText);
const MAX_LISTED = 20;
let requests = 0;
let failed = 0;
let outstanding = 0;
let isStopping = false;
const failures: string[] = [];

const clock = setInterval(ask, 1_000 / Number(perSecond));
process.once('SIGTERM', () => {
  clearInterval(clock);
  isStopping = true;
  report();
});

function ask(): void {
  requests++;
  outstanding++;
  let isSettled = false;
  const settle = (failure?: string): void => {
    if (isSettled) return;
    isSettled = true;
    outstanding--;
    if (failure !== undefined) {
      failed++;
      if (failures.length < MAX_LISTED) failures.push(`${new Date().toISOString()} ${failure}`);
    }
    report();
  };
  const request = get(url, { agent: false, timeout: timeoutMs }, (answer) => {
    answer.on('end', () => settle(answer.statusCode === 200 ? undefined : `${answer.statusCode}`));
    answer.on('error', (err) => settle(err.message));
    answer.resume();
  });
  request.on('timeout', () => request.destroy(new Error(`no answer in ${timeoutMs} ms`)));
  request.on('error', (err) => settle(err.message));
}

function report(): void {
  if (!isStopping || outstanding > 0) return;
  process.stdout.write(JSON.stringify({ requests, failed, failures }), () => process.exit());
}
