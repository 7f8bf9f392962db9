/**
 * The peers: members that we are linked to, and so can send to. Which links there should be is for topology.ts to say.
 * @module
 */
import type { Context } from '../effects.ts';
import { sample, send } from '../effects.ts';
import type { Message } from '../wire/messages.ts';

/** Where members said that they are reached. */
export interface AddressBook {
  /** `ip:port`; undefined of members we know nothing of. */
  addressOf(name: string): string | undefined;
}

export class Peers {
  readonly #context: Context;
  readonly #addresses: AddressBook;
  readonly #links = new Map<string, number>();

  constructor(context: Context, addresses: AddressBook) {
    this.#context = context;
    this.#addresses = addresses;
  }

  /** Peers and since when, on our clock; the newest link last. */
  get links(): ReadonlyMap<string, number> {
    return this.#links;
  }

  up(peer: string): void {
    this.#links.set(peer, this.#context.nowMs);
  }

  /** False when there was no link. */
  down(peer: string): boolean {
    return this.#links.delete(peer);
  }

  isLinked(name: string): boolean {
    return this.#links.has(name);
  }

  /** Any peer; undefined when there is none. */
  random(): string | undefined {
    return sample([...this.#links.keys()], 1, this.#context.random)[0];
  }

  /** Sends, making a link first where there is none. */
  deliver(to: string, message: Message): void {
    const address = this.#links.has(to) ? undefined : this.#addresses.addressOf(to);
    if (address !== undefined) this.#context.out.push({ kind: 'dial', to, address });
    send(this.#context, to, message);
  }

  flood(message: Message, except: string): void {
    for (const peer of this.#links.keys()) if (peer !== except) send(this.#context, peer, message);
  }

  hangUpAll(): void {
    for (const peer of this.#links.keys()) this.#context.out.push({ kind: 'hang-up', to: peer });
  }
}
