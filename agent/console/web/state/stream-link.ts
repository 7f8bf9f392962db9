/**
 * The one stream of a browser: an EventSource, what each page wants of it, and the last of each topic. Runs in a SharedWorker,
 * or in the page where there is none. A patch that does not fit asks for the whole again.
 * @module
 */
import type { Frame } from '../../live/frames.ts';
import { applyPatch, type Json } from '../../live/patch.ts';
import { get, send } from './api.ts';
import type { FromStream, LinkState, TopicRecord } from './messages.ts';

/** As many topics as the node takes on one stream; more are asked for by GET every tick. */
const MAX_TOPICS = 16;
const DEFAULT_TICK_MS = 2_000;
/** Without a frame for this many ticks the stream counts as lost. */
const LOST_AFTER_TICKS = 4;
/** First wait before the next try of a stream that the node closed, doubled up to the last. */
const RETRY_MS = [500, 10_000] as const;

interface Held {
  readonly seq: number;
  readonly record: TopicRecord;
}
/** One page, or one tab. */
export interface Listener {
  topics: ReadonlySet<string>;
  tell(message: FromStream): void;
}

export class StreamLink {
  readonly #listeners = new Set<Listener>();
  readonly #held = new Map<string, Held>();
  #source: EventSource | undefined;
  #streamId = '';
  #state: LinkState = 'connecting';
  #sinceMs = Date.now();
  #tickMs = DEFAULT_TICK_MS;
  #lastFrameMs = Date.now();
  #retryMs: number = RETRY_MS[0];
  #sent = '';
  #timer: ReturnType<typeof setInterval> | undefined;
  #isStreamless = false; // the node has no stream: every topic is asked for by GET

  add(listener: Listener): void {
    this.#listeners.add(listener);
    listener.tell(this.#link());
    if (this.#source === undefined) this.#open();
    this.#timer ??= setInterval(() => this.#tick(), DEFAULT_TICK_MS);
  }

  remove(listener: Listener): void {
    this.#listeners.delete(listener);
    this.topicsChanged();
    if (this.#listeners.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#source?.close();
    this.#source = undefined;
    this.#held.clear();
    this.#sent = '';
  }

  /** To be called after `listener.topics` was set: known topics are told at once, new ones asked for. */
  topicsChanged(listener?: Listener): void {
    const wanted = this.#wanted();
    for (const topic of this.#held.keys()) if (!wanted.includes(topic)) this.#held.delete(topic);
    for (const topic of listener?.topics ?? []) {
      const held = this.#held.get(topic);
      if (held !== undefined) listener?.tell({ kind: 'topic', topic, record: held.record });
    }
    void this.#ask();
  }

  #wanted(): string[] {
    return [...new Set([...this.#listeners].flatMap((listener) => [...listener.topics]))];
  }

  #open(): void {
    const source = new EventSource('/api/v1/stream');
    this.#source = source;
    for (const kind of ['hello', 'snapshot', 'patch', 'coverage', 'bye']) {
      source.addEventListener(kind, (message) => this.#take(JSON.parse((message as MessageEvent<string>).data), kind));
    }
    source.onerror = () => {
      this.#setState('lost');
      if (source.readyState === EventSource.CLOSED) this.#retry(source); // the browser tries by itself otherwise
    };
  }

  #retry(source: EventSource): void {
    source.close();
    if (this.#source !== source) return;
    this.#sent = '';
    this.#isStreamless = true;
    setTimeout(() => {
      if (this.#source === source && this.#listeners.size > 0) this.#open();
    }, this.#retryMs);
    this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MS[1]);
  }

  #take(data: Frame, kind: string): void {
    const frame = { ...data, kind } as Frame;
    this.#lastFrameMs = Date.now();
    if (frame.kind === 'hello') {
      this.#streamId = frame.streamId;
      this.#tickMs = frame.tickMs;
      this.#retryMs = RETRY_MS[0];
      this.#isStreamless = false;
      if (!frame.isResumed) this.#sent = '';
      void this.#ask();
    }
    if (frame.kind === 'bye') {
      this.#setState('lost');
      if (this.#source !== undefined) this.#retry(this.#source);
      return;
    }
    this.#setState('live');
    if (frame.kind === 'snapshot') {
      this.#put(frame.topic, frame.seq, { data: frame.data, problem: frame.problem, atMs: frame.atMs });
    } else if (frame.kind === 'patch') this.#patch(frame);
    else if (frame.kind === 'coverage') this.#renew(frame);
  }

  #patch(frame: Extract<Frame, { kind: 'patch' }>): void {
    const held = this.#held.get(frame.topic);
    try {
      if (held === undefined || held.seq !== frame.base) throw new RangeError('a patch of another base');
      const data = applyPatch(held.record.data as Json, frame.patch);
      this.#put(frame.topic, frame.seq, { data, problem: null, atMs: frame.atMs });
    } catch {
      this.#held.delete(frame.topic);
      this.#sent = ''; // asking for the topics again brings a snapshot of each that is not held
      void this.#ask([frame.topic]);
    }
  }

  #renew(frame: Extract<Frame, { kind: 'coverage' }>): void {
    const held = this.#held.get(frame.topic);
    if (held === undefined || held.record.data === null) return;
    const data = { ...(held.record.data as object), coverage: frame.coverage };
    this.#put(frame.topic, frame.seq, { ...held.record, data, atMs: frame.atMs });
  }

  #put(topic: string, seq: number, record: TopicRecord): void {
    this.#held.set(topic, { seq, record });
    for (const listener of this.#listeners) {
      if (listener.topics.has(topic)) listener.tell({ kind: 'topic', topic, record });
    }
  }

  /** Tells the node what is wanted. `without`: first leaves these out, so that they come whole. */
  async #ask(without: readonly string[] = []): Promise<void> {
    if (this.#streamId === '' || this.#isStreamless) return this.#poll(this.#wanted());
    const topics = this.#wanted().slice(0, MAX_TOPICS);
    const sending = JSON.stringify(topics);
    if (sending === this.#sent) return;
    this.#sent = sending;
    const path = `/stream/${encodeURIComponent(this.#streamId)}/topics`;
    try {
      if (without.length > 0) await send('PUT', path, { topics: topics.filter((topic) => !without.includes(topic)) });
      await send('PUT', path, { topics });
    } catch {
      if (this.#sent === sending) this.#sent = ''; // tried again at the next tick
    }
  }

  #tick(): void {
    const isSilent = Date.now() - this.#lastFrameMs > LOST_AFTER_TICKS * this.#tickMs;
    if (isSilent && this.#state === 'live' && this.#wanted().length > 0) this.#setState('lost');
    if (this.#isStreamless || this.#streamId === '') void this.#poll(this.#wanted());
    else {
      void this.#ask();
      void this.#poll(this.#wanted().slice(MAX_TOPICS));
    }
  }

  readonly #polling = new Set<string>();

  /** What a stream would bring, by GET: where there is no stream, and for topics past the bound. */
  async #poll(topics: readonly string[]): Promise<void> {
    const due = topics.filter((topic) => !this.#polling.has(topic));
    for (const topic of due) this.#polling.add(topic);
    await Promise.all(due.map((topic) => this.#pollOne(topic)));
  }

  async #pollOne(topic: string): Promise<void> {
    try {
      const data = await get<unknown>(topic);
      this.#lastFrameMs = Date.now();
      if (this.#isStreamless) this.#setState('live');
      const isStreamed = !this.#isStreamless && (this.#held.get(topic)?.seq ?? 0) > 0;
      if (isStreamed) return; // the stream was faster, and its patches need what it sent
      this.#put(topic, 0, { data, problem: null, atMs: Date.now() });
    } catch (error) {
      const { status = 0, message } = error as { status?: number; message: string };
      if (status === 0) this.#setState('lost');
      else this.#put(topic, 0, { data: null, problem: { status, error: message }, atMs: Date.now() });
    } finally {
      this.#polling.delete(topic);
    }
  }

  #setState(state: LinkState): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#sinceMs = state === 'lost' ? this.#lastFrameMs : Date.now();
    for (const listener of this.#listeners) listener.tell(this.#link());
  }

  #link(): FromStream {
    return { kind: 'link', state: this.#state, sinceMs: this.#sinceMs, tickMs: this.#tickMs };
  }
}
