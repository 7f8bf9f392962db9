/**
 * What this page knows of the mesh: a record a topic, kept by the stream, read by components and by the graph. Paused, it
 * shows what it showed and counts what it does not show.
 * @module
 */
import type { Coverage } from '../../../mesh-query/shapes.ts';
import type { FromStream, LinkState, TopicRecord, ToStream } from './messages.ts';
import { type Listener, StreamLink } from './stream-link.ts';
import { type Held, type TopicFrame, taken } from './take.ts';

/** Wait before a topic that nobody reads is given back: a page that opens next often reads it again. */
const LINGER_MS = 3_000;
/** Hidden tabs drop their topics after this long. */
const HIDDEN_MS = 30_000;
const ALIVE_MS = 30_000;

export interface Link {
  readonly state: LinkState;
  readonly sinceMs: number;
  readonly tickMs: number;
}
export interface Pause {
  readonly isPaused: boolean;
  /** Updates that came and are not shown. */
  readonly missed: number;
  readonly atMs: number;
}

const records = new Map<string, TopicRecord>();
/** What the next frame of a topic changes; as a rule the same as in `records`. */
const held = new Map<string, Held>();
const readers = new Map<string, number>();
const listeners = new Map<string, Set<() => void>>();
let shown: ReadonlyMap<string, TopicRecord> | undefined;
let link: Link = { state: 'connecting', sinceMs: Date.now(), tickMs: 2_000 };
let pause: Pause = { isPaused: false, missed: 0, atMs: 0 };
let say: ((message: ToStream) => void) | undefined;
let isHidden = false;

/** Keys of `subscribe` that are not topics. */
export const LINK = '@link';
export const PAUSE = '@pause';
export const COVERAGE = '@coverage';

export function record(topic: string): TopicRecord | undefined {
  return (shown?.has(topic) ? shown : records).get(topic);
}
export const linkNow = (): Link => link;
export const pauseNow = (): Pause => pause;

/** Of the answer that came last, whatever it was about: what the bar says. */
let lastCoverage: Coverage | undefined;
export const coverageNow = (): Coverage | undefined => lastCoverage;

export function noteCoverage(data: unknown): void {
  const coverage = (data as { coverage?: Coverage } | null)?.coverage;
  if (coverage === undefined || coverage === lastCoverage || typeof coverage.asked !== 'number') return;
  lastCoverage = coverage;
  emit(COVERAGE);
}

/** Returns the way to stop. */
export function subscribe(key: string, listener: () => void): () => void {
  const set = listeners.get(key) ?? new Set();
  listeners.set(key, set.add(listener));
  return () => {
    set.delete(listener);
    if (set.size === 0 && listeners.get(key) === set) listeners.delete(key);
  };
}

/** Keeps a topic coming while somebody reads it. Returns the way to stop. */
export function want(topic: string): () => void {
  readers.set(topic, (readers.get(topic) ?? 0) + 1);
  if (readers.get(topic) === 1) sendTopics();
  let isDone = false;
  return () => {
    if (isDone) return;
    isDone = true;
    readers.set(topic, (readers.get(topic) ?? 1) - 1);
    setTimeout(() => {
      if (readers.get(topic) !== 0) return;
      readers.delete(topic);
      records.delete(topic);
      held.delete(topic);
      sendTopics();
    }, LINGER_MS);
  };
}

export function setPaused(isPaused: boolean): void {
  if (isPaused === pause.isPaused) return;
  shown = isPaused ? new Map(records) : undefined;
  pause = { isPaused, missed: 0, atMs: Date.now() };
  for (const key of listeners.keys()) emit(key);
}

function emit(key: string): void {
  for (const listener of listeners.get(key) ?? []) listener();
}

function take(message: FromStream): void {
  if (message.kind === 'link') {
    link = { state: message.state, sinceMs: message.sinceMs, tickMs: message.tickMs };
    emit(LINK);
    for (const topic of readers.keys()) emit(topic);
  } else if (message.kind === 'topic') put(message.topic, message);
  else if (message.kind === 'frame') {
    const now = taken(held.get(message.topic), JSON.parse(message.text) as TopicFrame);
    if (now !== undefined) put(message.topic, now);
    else if (readers.has(message.topic)) say?.({ kind: 'whole', topic: message.topic });
  }
}

function put(topic: string, { seq, record }: Held): void {
  const before = records.get(topic);
  held.set(topic, { seq, record });
  // What the node could not tell this time does not wipe out what it told before.
  const isLoss = record.problem !== null && record.data === null && before !== undefined;
  records.set(topic, isLoss ? { ...record, data: before.data, atMs: before.atMs } : record);
  noteCoverage(record.data);
  if (shown?.has(topic)) {
    pause = { ...pause, missed: pause.missed + 1 };
    emit(PAUSE);
  } else emit(topic);
}

function sendTopics(): void {
  say?.({ kind: 'topics', topics: isHidden ? [] : [...readers.keys()] });
}

/** Opens the stream of this browser. Once, from main.tsx. */
export function startStream(): void {
  say = typeof SharedWorker === 'undefined' ? ownStream() : sharedStream();
  sendTopics();
  let hiding: ReturnType<typeof setTimeout> | undefined;
  document.addEventListener('visibilitychange', () => {
    clearTimeout(hiding);
    if (document.hidden) hiding = setTimeout(() => setHidden(true), HIDDEN_MS);
    else setHidden(false);
  });
  addEventListener('pagehide', () => say?.({ kind: 'leave' }));
  addEventListener('pageshow', (event) => event.persisted && sendTopics());
}

function setHidden(hidden: boolean): void {
  if (hidden === isHidden) return;
  isHidden = hidden;
  sendTopics();
}

function sharedStream(): (message: ToStream) => void {
  const worker = new SharedWorker(new URL('./stream-worker.ts', import.meta.url), { type: 'module', name: 'weft' });
  worker.port.onmessage = ({ data }: MessageEvent<FromStream>) => take(data);
  setInterval(() => worker.port.postMessage({ kind: 'alive' } satisfies ToStream), ALIVE_MS);
  return (message) => worker.port.postMessage(message);
}

function ownStream(): (message: ToStream) => void {
  const stream = new StreamLink();
  const tellFrame = (topic: string, _text: string, now: Held) => take({ kind: 'topic', topic, ...now });
  const listener: Listener = { topics: new Set(), told: new Map(), tell: take, tellFrame };
  stream.add(listener);
  return (message) => {
    if (message.kind === 'topics') {
      listener.topics = new Set(message.topics);
      stream.topicsChanged(listener);
    } else if (message.kind === 'whole') stream.tellWhole(listener, message.topic);
    else if (message.kind === 'leave') stream.remove(listener);
  };
}
