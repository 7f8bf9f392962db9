/**
 * Mixed traffic from within a pod, every answer checked against what the server must have sent. Usage: load.ts URL CLIENTS SEED
 *
 * Small answers, downloads, uploads, WebSocket echoes, and new connections now and then. On SIGUSR2 it finishes what is
 * under way, says `resting` and waits for the next SIGUSR2; on SIGTERM it finishes likewise and prints
 * {requests, mismatched, failures: [{atMs, kind, message}]}.
 */
import { createHash } from 'node:crypto';
import { Agent, type IncomingMessage, type RequestOptions, request } from 'node:http';

interface Failure {
  /** Unix time. */
  readonly atMs: number;
  readonly kind: string;
  readonly message: string;
}

const [url = '', clients = '16', seed = '1'] = process.argv.slice(2);
const PATIENCE_MS = 20_000;
/** More are counted but not told one by one. */
const MAX_FAILURES = 10_000;
const PATTERN = Buffer.alloc(65_536, 'weft');

let requests = 0;
let mismatched = 0;
let isStopping = false;
let rest: PromiseWithResolvers<void> | undefined;
let resting = 0;
const failures: Failure[] = [];

/** Answers that are whole but not what was asked for. */
class Mismatch extends Error {}

/** Mulberry32: the same seed asks the same questions. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

async function client(index: number): Promise<void> {
  const random = randomOf(Number(seed) * 1_000 + index);
  const kept = new Agent({ keepAlive: true, maxSockets: 1 });
  while (!isStopping) {
    if (rest !== undefined) await restUntil(rest.promise);
    const agent = random() < 0.1 ? false : kept;
    const [kind, ask] = pick(random(), random);
    requests++;
    try {
      await ask(agent);
    } catch (err) {
      if (err instanceof Mismatch) mismatched++;
      const message = err instanceof Error ? err.message : String(err);
      if (failures.length < MAX_FAILURES) failures.push({ atMs: Date.now(), kind, message });
    }
  }
  kept.destroy();
}

async function restUntil(over: Promise<void>): Promise<void> {
  const awake = setInterval(() => {}, PATIENCE_MS); // nothing else keeps the process alive: idle sockets do not
  if (++resting === Number(clients)) process.stdout.write('resting\n');
  await over;
  resting--;
  clearInterval(awake);
}

type Question = (agent: Agent | false) => Promise<void>;

function pick(die: number, random: () => number): [kind: string, ask: Question] {
  const bytes = Math.floor(10 ** (2 + 4 * random())); // 100 bytes to 1 MB, small ones more often
  if (die < 0.6) return ['small', small];
  if (die < 0.8) return ['download', (agent) => download(agent, bytes)];
  if (die < 0.95) return ['upload', (agent) => upload(agent, bytes)];
  return ['websocket', () => websocket(Math.min(bytes, 65_536))];
}

async function small(agent: Agent | false): Promise<void> {
  const body = await bodyOf(await ask('/who', { agent }));
  if (typeof (JSON.parse(body.toString()) as { name?: unknown }).name !== 'string') throw new Mismatch('no name');
}

async function download(agent: Agent | false, bytes: number): Promise<void> {
  const body = await bodyOf(await ask(`/download?bytes=${bytes}`, { agent }));
  if (body.length !== bytes) throw new Mismatch(`${body.length} bytes of ${bytes}`);
  for (let at = 0; at < bytes; at += PATTERN.length) {
    const piece = body.subarray(at, at + PATTERN.length);
    if (piece.compare(PATTERN, 0, piece.length) !== 0) throw new Mismatch(`other bytes at ${at}`);
  }
}

async function upload(agent: Agent | false, bytes: number): Promise<void> {
  const body = Buffer.alloc(bytes, requests.toString());
  const answer = JSON.parse((await bodyOf(await ask('/upload', { agent, method: 'POST' }, body))).toString()) as object;
  const sha256 = createHash('sha256').update(body).digest('hex');
  if (JSON.stringify(answer) !== JSON.stringify({ bytes, sha256 })) throw new Mismatch(JSON.stringify(answer));
}

function websocket(bytes: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const headers = { connection: 'Upgrade', upgrade: 'websocket' };
  const asked = request(`${url}/`, { agent: false, headers, timeout: PATIENCE_MS });
  asked.on('timeout', () => asked.destroy(new Error('timeout')));
  asked.on('error', reject);
  asked.on('response', (answer) => reject(new Error(`${answer.statusCode} ${String(answer.headers['weft-reason'])}`)));
  asked.on('upgrade', (_answer, socket, head) => {
    const sent = PATTERN.subarray(0, bytes);
    let echoed: Buffer = head;
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('closed before the echo was whole')));
    socket.on('data', (piece: Buffer) => {
      echoed = Buffer.concat([echoed, piece]);
      if (echoed.length < bytes) return;
      if (echoed.equals(sent)) resolve();
      else reject(new Mismatch('another echo'));
      socket.destroy();
    });
    socket.write(sent);
  });
  asked.end();
  return promise;
}

function ask(path: string, options: RequestOptions, body?: Buffer): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const headers = body === undefined ? {} : { 'content-length': body.length };
  const asked = request(`${url}${path}`, { ...options, headers, timeout: PATIENCE_MS });
  asked.on('timeout', () => asked.destroy(new Error('timeout')));
  asked.on('error', reject);
  asked.on('response', (answer) => {
    if (answer.statusCode === 200) resolve(answer);
    else {
      answer.resume();
      reject(new Error(`${answer.statusCode} ${String(answer.headers['weft-reason'])}`));
    }
  });
  asked.end(body);
  return promise;
}

async function bodyOf(answer: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of answer as AsyncIterable<Buffer>) pieces.push(piece);
  return Buffer.concat(pieces);
}

process.on('SIGUSR2', () => {
  const before = rest;
  rest = before === undefined ? Promise.withResolvers<void>() : undefined;
  before?.resolve();
});
process.once('SIGTERM', () => {
  isStopping = true;
});
process.stdout.write('running\n');
await Promise.all(Array.from({ length: Number(clients) }, (_, index) => client(index)));
process.stdout.write(JSON.stringify({ requests, mismatched, failures }));
