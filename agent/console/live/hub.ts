/**
 * What browsers see change: each distinct topic is answered once a tick for all who look at it, and each browser is told what
 * differs from what it has.
 *
 * Bounds: 64 streams, more are refused; 16 topics each; 256 kB unsent, then a stream gets nothing until it has caught up and a
 * snapshot after. A stream whose connection broke can be taken up again within a minute.
 * @module
 */
import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import { type Answer, refusal } from '../../admin/routes.ts';
import type { Coverage } from '../../mesh-query/shapes.ts';
import { seenNamespaces } from '../access/roles.ts';
import type { ConsoleApi, Viewer } from '../api.ts';
import { sendJson } from '../http.ts';
import type { Frame } from './frames.ts';
import { diff, type Json, type Patch } from './patch.ts';
import { StreamWire } from './stream-wire.ts';

const TICK_MS = 2_000;
const MAX_STREAMS = 64;
const MAX_UNSENT_BYTES = 256 * 1024;
const RESUME_MS = 60_000;
/** A patch that is nearly as long as the whole is no use: a snapshot is surer. */
const WORTHWHILE = 0.7;

export interface StreamHubOptions {
  readonly api: Pick<ConsoleApi, 'read'>;
  readonly log: Logger;
  readonly nowMs?: () => number;
  readonly tickMs?: number;
}

/** The latest answer of a topic, and what changed since the one before; written once for all who look. */
interface Version {
  /** No other version of any topic has it: what a stream has stays comparable when a topic was forgotten meanwhile. */
  readonly number: number;
  /** Number of the version that `patch` changes; undefined: there was none. */
  readonly base: number | undefined;
  readonly data: Json;
  readonly text: string;
  readonly patch: Patch;
  readonly patchText: string;
  readonly problem: { readonly status: number; readonly error: string } | null;
}

interface Followed {
  seq: number;
  /** Version that the browser has; 0: none, so it needs a snapshot. */
  has: number;
  /** Number of the last event about it. */
  eventId: number;
}

interface Stream {
  readonly id: string;
  /** Undefined once whoever looks may not look any more. */
  readonly viewer: () => Viewer | undefined;
  readonly topics: Map<string, Followed>;
  /** Undefined while its connection is broken. */
  wire: StreamWire | undefined;
  lostAtMs: number;
  eventId: number;
}

export class StreamHub implements Disposable {
  readonly #options: StreamHubOptions;
  readonly #nowMs: () => number;
  readonly #tickMs: number;
  readonly #streams = new Map<string, Stream>();
  /** By topic and what its viewers may see. */
  readonly #versions = new Map<string, Version>();
  #timer: NodeJS.Timeout | undefined;
  /** Number of the version made last. */
  #version = 0;
  #isTicking = false;
  #isClosed = false;

  constructor(options: StreamHubOptions) {
    this.#options = options;
    this.#nowMs = options.nowMs ?? Date.now;
    this.#tickMs = options.tickMs ?? TICK_MS;
  }

  /**
   * GET /stream.
   *
   * @param viewer asked again each tick, so that a session that ends ends its streams
   * @param isNear the browser is on this machine
   */
  open(request: IncomingMessage, response: ServerResponse, viewer: () => Viewer | undefined, isNear: boolean): void {
    const [id = '', at = ''] = request.headers['last-event-id']?.toString().split('.') ?? [];
    const known = this.#resumable(id, viewer());
    if (this.#isClosed || (known === undefined && !this.#hasRoom())) {
      const why = this.#isClosed ? 'the agent is shutting down' : `${MAX_STREAMS} streams are open on this agent`;
      sendJson(response, refusal(503, why), { 'retry-after': '30' });
      return;
    }
    const stream = known ?? {
      id: randomBytes(16).toString('base64url'),
      viewer,
      topics: new Map<string, Followed>(),
      wire: undefined,
      lostAtMs: 0,
      eventId: 0,
    };
    if (known?.wire !== undefined) this.#bye(known, 'replaced');
    stream.wire = new StreamWire(request, response, isNear, (wire) => this.#lost(stream, wire));
    this.#streams.set(stream.id, stream);
    for (const followed of stream.topics.values()) if (followed.eventId > Number(at)) followed.has = 0;
    this.#send(stream, { kind: 'hello', streamId: stream.id, tickMs: this.#tickMs, isResumed: known !== undefined });
    this.#timer ??= setInterval(() => void this.tick(), this.#tickMs);
    if (known !== undefined) void this.#answer([...stream.topics.keys()], stream);
  }

  /** PUT /stream/{id}/topics: new ones are answered at once. */
  setTopics(id: string, topics: readonly string[], viewer: Viewer): Answer {
    const stream = this.#streams.get(id);
    if (stream === undefined || !isSameViewer(stream.viewer(), viewer))
      return refusal(404, 'no such stream; open one anew');
    const bad = topics.find((topic) => !/^\/[\x21-\x7e]*$/.test(topic) || /^\/(session|stream)\b/.test(topic));
    if (bad !== undefined) return refusal(400, `topics: ${bad.slice(0, 200)} is no path that can be followed`);
    for (const topic of stream.topics.keys()) if (!topics.includes(topic)) stream.topics.delete(topic);
    const added = topics.filter((topic) => !stream.topics.has(topic));
    for (const topic of added) stream.topics.set(topic, { seq: 0, has: 0, eventId: 0 });
    void this.#answer(added, stream);
    return { status: 200, body: { topics: [...stream.topics.keys()] } };
  }

  get size(): number {
    return this.#streams.size;
  }

  /** Without those whose connection broke and that may come back. */
  get connected(): number {
    return [...this.#streams.values()].filter(({ wire }) => wire !== undefined).length;
  }

  /** One round; a round that takes longer than a tick makes the next one wait for its turn. */
  async tick(): Promise<void> {
    if (this.#isTicking) return;
    this.#isTicking = true;
    try {
      this.#sweep();
      const followed = new Map<string, { topic: string; viewer: Viewer }>();
      for (const stream of this.#streams.values()) {
        const viewer = stream.viewer();
        if (stream.wire === undefined || viewer === undefined) continue;
        for (const topic of stream.topics.keys()) followed.set(keyOf(topic, viewer), { topic, viewer });
      }
      for (const key of this.#versions.keys()) if (!followed.has(key)) this.#versions.delete(key);
      await Promise.all([...followed].map(([key, { topic, viewer }]) => this.#compute(key, topic, viewer)));
      for (const stream of this.#streams.values()) for (const topic of stream.topics.keys()) this.#tell(stream, topic);
    } finally {
      this.#isTicking = false;
    }
  }

  /** Tells all browsers goodbye. */
  [Symbol.dispose](): void {
    this.#isClosed = true;
    clearInterval(this.#timer);
    for (const stream of this.#streams.values()) this.#bye(stream, 'closing');
    this.#streams.clear();
  }

  /** What the browser waits for now: not a tick later, and computed anew only where nobody looked before. */
  async #answer(topics: readonly string[], stream: Stream): Promise<void> {
    const viewer = stream.viewer();
    if (viewer === undefined) return;
    await Promise.all(
      topics.map(async (topic) => {
        const key = keyOf(topic, viewer);
        if (!this.#versions.has(key)) await this.#compute(key, topic, viewer);
        this.#tell(stream, topic);
      }),
    );
  }

  async #compute(key: string, topic: string, viewer: Viewer): Promise<void> {
    const before = this.#versions.get(key);
    const { data, text, problem } = await this.#read(topic, viewer);
    if (this.#versions.get(key) !== before) return; // another round was faster
    const patch = before === undefined ? [] : diff(before.data, data);
    this.#versions.set(key, {
      number: ++this.#version,
      base: before?.number,
      data,
      text,
      problem,
      patch,
      patchText: JSON.stringify(patch),
    });
  }

  async #read(topic: string, viewer: Viewer): Promise<Pick<Version, 'data' | 'text' | 'problem'>> {
    try {
      const { pathname, searchParams } = new URL(topic, 'http://console');
      const answer = (await this.#options.api.read(pathname, searchParams, viewer)) ?? refusal(404, 'no such path');
      if (answer.status === 200) {
        const text = JSON.stringify(answer.body);
        return { data: JSON.parse(text) as Json, text, problem: null };
      }
      const { error } = answer.body as { readonly error: string };
      return { data: null, text: 'null', problem: { status: answer.status, error } };
    } catch (err) {
      this.#options.log.error({ err, topic }, 'a topic of the console could not be answered');
      const problem = { status: 500, error: 'the agent failed to answer; its log says why' };
      return { data: null, text: 'null', problem };
    }
  }

  #tell(stream: Stream, topic: string): void {
    const viewer = stream.viewer();
    const followed = stream.topics.get(topic);
    const version = viewer === undefined ? undefined : this.#versions.get(keyOf(topic, viewer));
    if (followed === undefined || version === undefined || stream.wire === undefined) return;
    if (stream.wire.waitingBytes > MAX_UNSENT_BYTES) {
      followed.has = 0;
      return;
    }
    const { number, base: from, data, text, problem, patch, patchText } = version;
    const atMs = this.#nowMs();
    const isPatch = followed.has === from && problem === null && data !== null;
    const base = followed.seq;
    if (followed.has === number || (isPatch && patch.length === 0)) {
      followed.has = number;
      const { coverage } = (data ?? {}) as unknown as { readonly coverage?: Coverage };
      if (coverage === undefined) return;
      this.#send(stream, { kind: 'coverage', topic, seq: base, atMs, coverage });
    } else {
      const seq = ++followed.seq;
      followed.has = number;
      if (isPatch && patchText.length < text.length * WORTHWHILE) {
        this.#sendWith(stream, { kind: 'patch', topic, seq, base, atMs }, 'patch', patchText);
      } else this.#sendWith(stream, { kind: 'snapshot', topic, seq, atMs, problem }, 'data', text);
    }
    followed.eventId = stream.eventId;
  }

  #send(stream: Stream, frame: Frame): void {
    this.#write(stream, frame.kind, JSON.stringify(frame));
  }

  /** A frame with one field more, which is JSON already. */
  #sendWith<K extends 'patch' | 'snapshot'>(
    stream: Stream,
    frame: Omit<Extract<Frame, { kind: K }>, 'data' | 'patch'> & { readonly kind: K },
    field: 'data' | 'patch',
    text: string,
  ): void {
    this.#write(stream, frame.kind, `${JSON.stringify(frame).slice(0, -1)},"${field}":${text}}`);
  }

  #write(stream: Stream, kind: Frame['kind'], text: string): void {
    const id = ++stream.eventId;
    stream.wire?.write(`event: ${kind}\nid: ${stream.id}.${id}\ndata: ${text}\n\n`);
  }

  #bye(stream: Stream, reason: string): void {
    this.#send(stream, { kind: 'bye', reason });
    stream.wire?.end();
    stream.wire = undefined;
  }

  #lost(stream: Stream, wire: StreamWire): void {
    if (stream.wire !== wire) return;
    stream.wire = undefined;
    stream.lostAtMs = this.#nowMs();
  }

  #resumable(id: string, viewer: Viewer | undefined): Stream | undefined {
    const stream = this.#streams.get(id);
    if (stream === undefined || !isSameViewer(stream.viewer(), viewer)) return undefined;
    return stream.wire !== undefined || this.#nowMs() - stream.lostAtMs < RESUME_MS ? stream : undefined;
  }

  /** Streams without a connection give way to new ones. */
  #hasRoom(): boolean {
    if (this.#streams.size < MAX_STREAMS) return true;
    const parked = [...this.#streams.values()].filter(({ wire }) => wire === undefined);
    const [oldest] = parked.sort((a, b) => a.lostAtMs - b.lostAtMs);
    return oldest !== undefined && this.#streams.delete(oldest.id);
  }

  #sweep(): void {
    const nowMs = this.#nowMs();
    for (const stream of this.#streams.values()) {
      if (stream.viewer() === undefined) this.#bye(stream, 'session');
      else if (stream.wire !== undefined || nowMs - stream.lostAtMs < RESUME_MS) continue;
      this.#streams.delete(stream.id);
    }
    if (this.#streams.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#versions.clear();
  }
}

/** Viewers who may see the same share an answer. */
function keyOf(topic: string, { grants, seesRequests }: Viewer): string {
  const seen = seenNamespaces(grants);
  return `${seen === undefined ? '*' : [...seen].sort().join(',')} ${seesRequests} ${topic}`;
}

function isSameViewer(a: Viewer | undefined, b: Viewer | undefined): boolean {
  return a !== undefined && b !== undefined && a.name === b.name && a.csrf === b.csrf;
}
