/** Memory of outboxes: what a socket still holds is not written over, what it has passed on is. @module */

import type { Socket } from 'node:net';
import { Writable } from 'node:stream';
import { expect, test } from 'vitest';
import { Outbox } from '../../../proxy/http1/outbox.ts';

/** Keeps what is written, as a socket does whose kernel buffer is full, until it is told to go on. */
class Held {
  readonly chunks: Buffer[] = [];
  readonly outbox: Outbox;
  isHolding: boolean;
  #done: (() => void) | undefined;

  constructor(isHolding: boolean) {
    this.isHolding = isHolding;
    const write = (chunk: Buffer, _encoding: string, done: () => void): void => {
      this.chunks.push(chunk);
      if (this.isHolding) this.#done = done;
      else done();
    };
    this.outbox = new Outbox(new Writable({ write }) as unknown as Socket);
  }

  send(text: string): void {
    this.outbox.text(text);
    this.outbox.flush();
  }

  goOn(): void {
    this.isHolding = false;
    this.#done?.();
  }

  get text(): string {
    return Buffer.concat(this.chunks).toString('latin1');
  }
}

test('what was passed on at once is written over by whoever sends next', () => {
  const [one, other] = [new Held(false), new Held(false)];
  one.send('first');
  other.send('second');
  expect(other.text).toBe('second');
  expect(other.chunks[0]!.buffer).toBe(one.chunks[0]!.buffer);
});

test('what a socket holds stays as it was, whatever others send', () => {
  const [slow, quick] = [new Held(true), new Held(false)];
  for (let i = 0; i < 200; i++) {
    slow.send(`slow ${i};`);
    quick.send(`quick ${i};`);
  }
  slow.goOn();
  expect(slow.text).toBe(Array.from({ length: 200 }, (_, i) => `slow ${i};`).join(''));
});

test('text that outgrows its memory arrives whole', () => {
  const socket = new Held(false);
  const sent = [10, 5_000, 4_096, 20_000, 1].map((size, i) => String(i).repeat(size));
  for (const text of sent) {
    for (let at = 0; at < text.length; at += 700) socket.outbox.text(text.slice(at, at + 700));
    const before = socket.chunks.length;
    socket.outbox.flush();
    expect(Buffer.concat(socket.chunks.slice(before)).toString('latin1')).toBe(text);
  }
});
