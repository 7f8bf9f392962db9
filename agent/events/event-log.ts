/**
 * Events of this node, in memory and on disk: at most 20,000, for as long as the history is kept. A frame a change, in segments of
 * a day; the last frame of an id holds. Where the disk refuses, memory goes on, and that is said once.
 * @module
 */
import type { Logger } from 'pino';
import { event as eventShape, type MeshEvent } from '../console/shapes/common.ts';
import { Ring } from '../history/ring.ts';
import { type EventsQuestion, eventOf, type Happening, isWanted, REPEAT_MS, thingOf } from './event.ts';

const MAX_EVENTS = 20_000;
const DAY_MS = 86_400_000;
/** About 20 MB; beyond this the oldest day goes. */
const MAX_BYTES = 20_000_000;
const MAX_TEXT = 500;
const MAX_TOUCHES = 64;

export interface EventLogOptions {
  readonly directory: string;
  readonly days: number;
  readonly log: Logger;
}

export class EventLog implements AsyncDisposable {
  readonly #options: EventLogOptions;
  readonly #ring: Ring | undefined;
  /** By id, in the order they were noted. */
  readonly #events = new Map<string, MeshEvent>();
  /** The last event of each thing, for its repeats. */
  readonly #last = new Map<string, MeshEvent>();
  #writing: Promise<void> = Promise.resolve();
  #hasProblem = false;

  private constructor(options: EventLogOptions) {
    this.#options = options;
    const { directory, days } = options;
    try {
      this.#ring = new Ring({ directory, name: 'events', segmentMs: DAY_MS, keepMs: days * DAY_MS });
    } catch (err) {
      this.#failed(err);
    }
  }

  static async open(options: EventLogOptions): Promise<EventLog> {
    const log = new EventLog(options);
    await log.#recall();
    return log;
  }

  /** Returns at once. */
  note(what: Happening, atMs = Date.now()): void {
    const event = clipped(eventOf(what, atMs));
    const last = this.#last.get(thingOf(event));
    const isSoon = last !== undefined && atMs - last.atMs < REPEAT_MS && what.isApart !== true;
    const isRepeat = last !== undefined && (what.isOnce === true || isSoon);
    if (isRepeat && what.isOnce === true) return;
    const noted = isRepeat ? { ...last, count: last.count + 1 } : event;
    this.#keep(noted);
    this.#write(noted, atMs);
  }

  /** The latest first. */
  list(question: EventsQuestion): MeshEvent[] {
    const wanted = [...this.#events.values()].filter((event) => isWanted(event, question));
    return wanted.sort((a, b) => b.atMs - a.atMs).slice(0, question.limit);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writing;
  }

  #keep(event: MeshEvent): void {
    this.#events.set(event.id, event);
    this.#last.set(thingOf(event), event);
    for (const [id, oldest] of this.#events) {
      if (this.#events.size <= MAX_EVENTS) break;
      this.#events.delete(id);
      if (this.#last.get(thingOf(oldest))?.id === id) this.#last.delete(thingOf(oldest));
    }
  }

  #write(event: MeshEvent, nowMs: number): void {
    const ring = this.#ring;
    if (ring === undefined) return;
    this.#writing = this.#writing
      .then(async () => {
        ring.forgetOld(nowMs);
        while (ring.bytes > MAX_BYTES && ring.dropOldest());
        await ring.append(nowMs, Buffer.from(JSON.stringify(event)));
        this.#hasProblem = false;
      })
      .catch((err: unknown) => this.#failed(err));
  }

  async #recall(): Promise<void> {
    if (this.#ring === undefined) return;
    for await (const { frames } of this.#ring.read(0, Number.MAX_SAFE_INTEGER)) {
      for (const frame of frames) {
        const event = eventShape.safeParse(parsed(frame));
        if (event.success) this.#keep(event.data);
      }
    }
  }

  #failed(err: unknown): void {
    if (!this.#hasProblem) this.#options.log.warn({ err }, 'events cannot be written: they are kept in memory only');
    this.#hasProblem = true;
  }
}

function parsed(frame: Buffer): unknown {
  try {
    return JSON.parse(frame.toString());
  } catch {
    return undefined;
  }
}

function clipped(event: MeshEvent): MeshEvent {
  const clip = (text: string): string => (text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}...` : text);
  return {
    ...event,
    title: clip(event.title),
    detail: clip(event.detail),
    touches: event.touches.slice(0, MAX_TOUCHES),
  };
}
