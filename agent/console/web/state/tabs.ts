/** The pages that share the one stream of a browser, by what they say of themselves. @module */
import type { FromStream, ToStream } from './messages.ts';
import type { Listener, StreamLink } from './stream-link.ts';

/** A tab that crashed says no `leave`; one that is silent for this long is taken for gone, until it speaks again. */
export const GONE_AFTER_MS = 90_000;

export class Tabs {
  readonly #link: Pick<StreamLink, 'add' | 'remove' | 'topicsChanged' | 'tellWhole'>;
  readonly #heardMs = new Map<Listener, number>();

  constructor(link: Pick<StreamLink, 'add' | 'remove' | 'topicsChanged' | 'tellWhole'>) {
    this.#link = link;
  }

  /** @returns what is to be called with each message of the page */
  join(tell: (message: FromStream) => void, nowMs: number): (message: ToStream, nowMs: number) => void {
    const tellFrame = (topic: string, text: string) => tell({ kind: 'frame', topic, text });
    const listener: Listener = { topics: new Set(), told: new Map(), tell, tellFrame };
    this.#heardMs.set(listener, nowMs);
    this.#link.add(listener);
    return (message, heardMs) => this.#hear(listener, message, heardMs);
  }

  /** After a machine has slept, all were silent: they say that they are alive soon after. */
  sweep(nowMs: number): void {
    for (const [listener, heardMs] of this.#heardMs) if (nowMs - heardMs > GONE_AFTER_MS) this.#leave(listener);
  }

  #hear(listener: Listener, message: ToStream, nowMs: number): void {
    if (message.kind === 'leave') {
      this.#leave(listener);
      return;
    }
    const isBack = !this.#heardMs.has(listener);
    this.#heardMs.set(listener, nowMs);
    if (isBack) this.#link.add(listener);
    if (message.kind === 'topics') listener.topics = new Set(message.topics);
    if (isBack || message.kind === 'topics') this.#link.topicsChanged(listener);
    if (message.kind === 'whole') this.#link.tellWhole(listener, message.topic);
  }

  #leave(listener: Listener): void {
    this.#heardMs.delete(listener);
    this.#link.remove(listener);
  }
}
