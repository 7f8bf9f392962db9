/**
 * The one stream of a browser: an EventSource, what each page wants of it, and the last of each topic. Runs in a SharedWorker,
 * or in the page where there is none. A patch that does not fit asks for the whole again.
 * @module
 */
import type { Frame } from '../../live/frames.ts';
import { get, send } from './api.ts';
import type { FromStream, LinkState, TopicRecord } from './messages.ts';
import { type Held, type TopicFrame, taken } from './take.ts';

/** As many topics as the node takes on one stream; more are asked for by GET every tick. */
const MAX_TOPICS = 16;
const DEFAULT_TICK_MS = 2_000;
/** Without a frame for this many ticks the stream counts as lost. */
const LOST_AFTER_TICKS = 4;
/** First wait before the next try of a stream that the node closed, doubled up to the last. */
const RETRY_MS = [500, 10_000] as const;

/** One page, or one tab. */
export interface Listener {
  topics: ReadonlySet<string>;
  /** Number of the frame it was told last, by topic; kept by the stream. */
  readonly told: Map<string, number>;
  tell(message: FromStream): void;
  /** A frame about what it was told before, as text, and what is known after it. */
  tellFrame(topic: string, text: string, held: Held): void;
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
  /** The last of what is told: one at a time, as two connections may turn two around, and the node would follow the older. */
  #telling: Promise<void> = Promise.resolve();
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
    listener.told.clear();
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
    if (listener !== undefined) {
      for (const topic of listener.told.keys()) if (!listener.topics.has(topic)) listener.told.delete(topic);
      for (const topic of listener.topics) {
        if (listener.told.get(topic) !== this.#held.get(topic)?.seq) this.tellWhole(listener, topic);
      }
    }
    void this.#ask();
  }

  tellWhole(listener: Listener, topic: string): void {
    const held = this.#held.get(topic);
    if (held === undefined) return;
    listener.told.set(topic, held.seq);
    listener.tell({ kind: 'topic', topic, ...held });
  }

  #wanted(): string[] {
    return [...new Set([...this.#listeners].flatMap((listener) => [...listener.topics]))];
  }

  #open(): void {
    const source = new EventSource('/api/v1/stream');
    this.#source = source;
    for (const kind of ['hello', 'snapshot', 'patch', 'coverage', 'bye']) {
      source.addEventListener(kind, (message) =>
        this.#take((message as unknown as { readonly data: string }).data, kind),
      );
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

  #take(text: string, kind: string): void {
    const frame = { ...(JSON.parse(text) as object), kind } as Frame;
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
    if (frame.kind === 'snapshot' || frame.kind === 'patch' || frame.kind === 'coverage') this.#takeTopic(frame, text);
  }

  #takeTopic(frame: TopicFrame, text: string): void {
    const { topic } = frame;
    const before = this.#held.get(topic);
    const held = taken(before, frame);
    if (held === undefined) {
      if (frame.kind === 'coverage') return;
      this.#held.delete(topic);
      this.#sent = ''; // asking for the topics again brings a snapshot of each that is not held
      void this.#ask([topic]);
      return;
    }
    this.#held.set(topic, held);
    for (const listener of this.#listeners) {
      if (!listener.topics.has(topic)) continue;
      if (frame.kind === 'snapshot' || listener.told.get(topic) === before?.seq) {
        listener.told.set(topic, held.seq);
        listener.tellFrame(topic, text, held);
      } else this.tellWhole(listener, topic);
    }
  }

  #put(topic: string, seq: number, record: TopicRecord): void {
    this.#held.set(topic, { seq, record });
    for (const listener of this.#listeners) if (listener.topics.has(topic)) this.tellWhole(listener, topic);
  }

  /** Tells the node what is wanted. `without`: first leaves these out, so that they come whole. */
  async #ask(without: readonly string[] = []): Promise<void> {
    if (this.#streamId === '' || this.#isStreamless) return this.#poll(this.#wanted());
    const topics = this.#wanted().slice(0, MAX_TOPICS);
    const sending = JSON.stringify(topics);
    if (sending === this.#sent) return;
    this.#sent = sending;
    const path = `/stream/${encodeURIComponent(this.#streamId)}/topics`;
    const told = this.#telling.then(async () => {
      if (without.length > 0) await send('PUT', path, { topics: topics.filter((topic) => !without.includes(topic)) });
      await send('PUT', path, { topics });
    });
    this.#telling = told.catch(() => {});
    try {
      await told;
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
