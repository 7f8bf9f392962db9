/**
 * Requests at a fixed rate, whatever the answers take, or as many as there are places for; over kept-alive connections.
 * Usage: load.ts JSON, see LoadPlan. Ends after `count` requests or at SIGTERM, and prints a LoadReport
 * after the line that it has begun.
 */
import { Agent, request } from 'node:http';

export interface LoadPlan {
  readonly url: string;
  /** Left out: `sockets` at a time, one after the other. */
  readonly perSecond?: number;
  readonly count?: number;
  readonly sockets?: number;
  /** Bytes of a POST; left out: GET. */
  readonly postBytes?: number;
}

export interface LoadReport {
  readonly requests: number;
  /** What was not answered with 200, with how often. */
  readonly failures: Readonly<Record<string, number>>;
  /** When the first of them had been asked for and were told, in milliseconds since 1970. */
  readonly failedAtMs: readonly (readonly [number, number])[];
  /** Answers by name of who gave them, and when the last of them had been asked for, in milliseconds since 1970. */
  readonly names: Readonly<Record<string, { count: number; lastAskedAtMs: number }>>;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** On a machine that other tests share, all may stand still for seconds; nothing may be lost. */
const TIMEOUT_MS = 30_000;
const TICK_MS = 5;
const MAX_LISTED = 20;

const { url, perSecond, count = Infinity, sockets = 64, postBytes }: LoadPlan = JSON.parse(process.argv[2]!);
const agent = new Agent({ keepAlive: true, maxSockets: sockets });
const body = postBytes === undefined ? undefined : Buffer.alloc(postBytes, 'w');
const failures: Record<string, number> = {};
const names: Record<string, { count: number; lastAskedAtMs: number }> = {};
const failedAtMs: [number, number][] = [];
const tookMs: number[] = [];
const startMs = performance.now();
let requests = 0;
let open = 0;
let isStopping = false;

function ask(): void {
  requests++;
  open++;
  const askedAtMs = Date.now();
  const fromMs = performance.now();
  let isSettled = false;
  const settle = (failure: string | undefined): void => {
    if (isSettled) return;
    isSettled = true;
    open--;
    if (tookMs.length === 0) process.stdout.write('begun\n');
    tookMs.push(performance.now() - fromMs);
    if (failure !== undefined) {
      failures[failure] = (failures[failure] ?? 0) + 1;
      if (failedAtMs.length < MAX_LISTED) failedAtMs.push([askedAtMs, Date.now()]);
    }
    if (perSecond === undefined && !isDone()) ask();
    else if (isDone() && open === 0) report();
  };
  const method = body === undefined ? 'GET' : 'POST';
  const asked = request(url, { method, agent, timeout: TIMEOUT_MS }, (answer) => {
    let text = '';
    answer.on('data', (chunk: Buffer) => (text += chunk.toString()));
    answer.on('error', (err) => settle(err.message));
    answer.on('end', () => {
      if (answer.statusCode !== 200) {
        settle(`${answer.statusCode} ${String(answer.headers['weft-reason'])}`);
        return;
      }
      const { name, bytes } = JSON.parse(text) as { name: string; bytes: number };
      const known = names[name] ?? { count: 0, lastAskedAtMs: 0 };
      names[name] = known;
      known.count++;
      known.lastAskedAtMs = Math.max(known.lastAskedAtMs, askedAtMs);
      settle(bytes === (postBytes ?? 0) ? undefined : `${bytes} bytes came`);
    });
  });
  asked.on('timeout', () => asked.destroy(new Error('timeout')));
  asked.on('error', (err) => settle(err.message));
  asked.end(body);
}

function isDone(): boolean {
  return isStopping || requests >= count;
}

function report(): void {
  const seconds = (performance.now() - startMs) / 1_000;
  tookMs.sort((a, b) => a - b);
  const at = (ratio: number): number => Math.round((tookMs[Math.floor(tookMs.length * ratio)] ?? 0) * 10) / 10;
  const said: LoadReport = {
    requests,
    failures,
    failedAtMs,
    names,
    perSecond: Math.round(requests / seconds),
    p50Ms: at(0.5),
    p99Ms: at(0.99),
  };
  process.stdout.write(JSON.stringify(said));
  process.exit();
}

process.once('SIGTERM', () => {
  isStopping = true;
  if (open === 0) report();
});
if (perSecond === undefined) for (let i = 0; i < Math.min(sockets, count); i++) ask();
else {
  setInterval(() => {
    const due = Math.min(count, ((performance.now() - startMs) / 1_000) * perSecond);
    while (!isStopping && requests < due) ask();
  }, TICK_MS);
}
