/**
 * The load generator: GETs at a fixed rate over kept-alive connections, whatever the answers take (an open loop), so
 * that a stall shows as latency and not as fewer requests. An ordinary program that knows nothing of Weft.
 *
 * Usage: node traffic.ts URL REQUESTS_PER_SECOND TIMEOUT_MS. `{n}` in the URL becomes a number from 0 to 99. Reports go to standard
 * output as traffic-report.ts says; SIGTERM ends the sending, waits for answers and writes the last report.
 */
import { Agent, get } from 'node:http';
import { Histogram } from './histogram.ts';
import type { Failure, TrafficReport } from './traffic-report.ts';

const REPORT_MS = 500;
const MAX_OUTSTANDING = 2_000;
const MAX_SOCKETS = 64;
const MAX_LISTED_FAILURES = 50;

const [url = '', rateText = '', timeoutText = ''] = process.argv.slice(2);
const ratePerMs = Number(rateText) / 1_000;
const timeoutMs = Number(timeoutText);
if (!(url.startsWith('http://') && ratePerMs > 0 && timeoutMs > 0))
  throw new Error('usage: traffic.ts http://HOST/ REQUESTS_PER_SECOND TIMEOUT_MS');

const agent = new Agent({ keepAlive: true, maxSockets: MAX_SOCKETS });
const latency = new Histogram();
const startMs = performance.now();
let issued = 0;
let outstanding = 0;
let reportedMs = startMs;
let requests = 0;
let failures: Failure[] = [];
let failuresUnlisted = 0;
let versions: Record<string, number> = {};
let isStopping = false;

/** @param sendAtMs when it should have been sent; a late start counts as latency, as it would for a user */
function send(sendAtMs: number): void {
  requests += 1;
  if (outstanding >= MAX_OUTSTANDING) {
    fail(`${MAX_OUTSTANDING} requests wait already`);
    return;
  }
  outstanding += 1;
  let isSettled = false;
  const settle = (reason: string | undefined): void => {
    if (isSettled) return;
    isSettled = true;
    outstanding -= 1;
    if (reason === undefined) latency.record(performance.now() - sendAtMs);
    else fail(reason);
    if (isStopping && outstanding === 0) finish();
  };
  const request = get(url.replace('{n}', String(issued % 100)), { agent, timeout: timeoutMs }, (response) => {
    let text = '';
    response.setEncoding('utf8').on('data', (chunk: string) => {
      if (text.length < 4_096) text += chunk;
    });
    response.on('error', (error) => settle(reasonOf(error)));
    response.on('end', () => {
      const version = /"version":"(\w{1,16})"/.exec(text)?.[1];
      if (version && (version in versions || Object.keys(versions).length < 16)) {
        versions[version] = (versions[version] ?? 0) + 1;
      }
      const why = response.headers['weft-reason'] ?? text.slice(0, 200).trim();
      settle(response.statusCode === 200 ? undefined : `${response.statusCode} ${why}`);
    });
  });
  request.on('timeout', () => request.destroy(new Error(`no answer in ${timeoutMs} ms`)));
  request.on('error', (error) => settle(reasonOf(error)));
}

function reasonOf(error: NodeJS.ErrnoException): string {
  return error.code ? `${error.code} ${error.message}` : error.message;
}

function fail(reason: string): void {
  if (failures.length < MAX_LISTED_FAILURES) failures.push({ at: new Date().toISOString(), reason });
  else failuresUnlisted += 1;
}

function report(isLast: boolean): void {
  const nowMs = performance.now();
  const line: TrafficReport = {
    spanMs: nowMs - reportedMs,
    requests,
    failures,
    failuresUnlisted,
    versions,
    latency: latency.toSparse(),
    isLast,
  };
  process.stdout.write(`${JSON.stringify(line)}\n`);
  reportedMs = nowMs;
  requests = 0;
  failures = [];
  failuresUnlisted = 0;
  versions = {};
  latency.clear();
}

/** Sends what is due and sleeps until the next one is. */
function tick(): void {
  const nowMs = performance.now();
  for (; dueAtMs(issued) <= nowMs; issued += 1) send(dueAtMs(issued));
  ticking = setTimeout(tick, dueAtMs(issued) - nowMs);
}

function dueAtMs(request: number): number {
  return startMs + request / ratePerMs;
}

let ticking = setTimeout(tick, 0);
const reporting = setInterval(report, REPORT_MS, false);

process.once('SIGTERM', () => {
  isStopping = true;
  clearTimeout(ticking);
  if (outstanding === 0) finish();
});
process.stdout.on('error', () => process.exit(0)); // nobody listens any more

function finish(): void {
  clearInterval(reporting);
  report(true);
  agent.destroy();
}
