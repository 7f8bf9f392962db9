/**
 * What peers tell us of members, taken in: pages, deltas and news of standings.
 *
 * A standing cannot be verified without the certificate in its member's record, and both can arrive on their own. So a
 * record goes into the register first, the standing is heard next, and what is lacking for either is pulled from whoever
 * showed that there is more.
 * @module
 */
import type { Context } from '../effects.ts';
import type { Hearing, Via } from '../members/membership.ts';
import { KNOWN_ELSEWHERE } from '../members/membership.ts';
import type { Standing, StandingLine } from '../members/standing.ts';
import { lineOf } from '../members/standing.ts';
import type { TableEntry } from '../members/table.ts';
import type { DigestItem, Message, Page } from '../wire/messages.ts';
import { Pace } from './pace.ts';
import type { Puller } from './puller.ts';
import type { NodeRecord, RecordDelta } from './record.ts';
import { recordStatement } from './record.ts';
import type { Register } from './register.ts';

export interface IntakeHost {
  /** Our own record. */
  readonly own: { readonly record: NodeRecord };
  readonly register: Register;
  readonly puller: Puller;
  readonly pages: { isNews(item: DigestItem): boolean };
  readonly members: {
    readonly table: { get(name: string): TableEntry | undefined };
    hear(name: string, standing: Standing, via: Via, from: string): Hearing;
    hearContest(lines: readonly StandingLine[], from: string): void;
  };
  /** Who keeps in mind what peers hold. */
  readonly news: { heard(peer: string, line: StandingLine): void };
  readonly peers: { flood(message: Message, except: string): void };
  /** Who begins a new life of ours where one is known elsewhere. */
  readonly publisher: { raiseEpoch(above: number, why: string): void };
  /** The record of another is not what it was. */
  recordChanged(name: string): void;
}

export class Intake {
  readonly #context: Context;
  readonly #host: IntakeHost;
  readonly #pace = new Pace();

  constructor(context: Context, host: IntakeHost) {
    this.#context = context;
    this.#host = host;
  }

  /** The member is gone for good. */
  forget(name: string): void {
    this.#host.register.forget(name);
    this.#pace.forget(name);
  }

  /** The first word on a link. */
  hello(from: string, page: Page): void {
    if (page.name === from && page.record !== null) this.#merge(page, 'contact', from);
    else this.#dropOutOfPlace();
  }

  /** The answer to a pull. */
  pages(from: string, pages: readonly Page[]): void {
    const { puller } = this.#host;
    const asked = puller.answered(
      from,
      pages.map((page) => page.name),
    );
    for (const page of pages) {
      const via = asked.get(page.name);
      if (via === undefined) this.#dropOutOfPlace();
      else if (this.#merge(page, via, from)) this.#context.stats.repairs++;
    }
    puller.resume(from);
  }

  /**
   * @param isDirect it came over a link instead of by broadcast, so it goes on over links
   * @returns whether it was news
   */
  delta(from: string, delta: RecordDelta, isDirect: boolean): boolean {
    if (delta.name === this.#context.self) return false;
    if (this.#pace.isExceeded(delta.name, this.#context.nowMs)) {
      this.#context.stats.dropped.pace++;
      return false;
    }
    const offer = this.#host.register.offerDelta(delta);
    if (offer === 'gap') {
      this.#context.stats.gaps++;
      const { name, epoch, to: ver } = delta;
      this.#host.puller.pull(from, [{ name, epoch, ver, inc: 0, rank: 0 }], 'repair');
    }
    if (offer !== 'news') return false; // over a gap there is nothing to verify it with: whoever holds the page passes it on
    this.#pace.took(delta.name, this.#context.nowMs);
    this.#host.recordChanged(delta.name);
    if (isDirect) this.#host.peers.flood({ kind: 'delta', delta }, from);
    return true;
  }

  standing(from: string, name: string, standing: Standing): void {
    const { register, puller, members, news } = this.#host;
    const line = lineOf(name, standing);
    news.heard(from, line);
    // A member we do not know, or a new life of one: whoever told us has its record, without which we cannot verify.
    const recordEpoch = register.get(name)?.record.epoch ?? 0;
    if (name !== this.#context.self && standing.epoch > recordEpoch) {
      puller.pull(from, [{ ...line, ver: 0 }], 'flood');
    } else {
      members.hear(name, standing, 'flood', from);
    }
  }

  /** Others hold these: pull what we lack. */
  news(from: string, lines: readonly StandingLine[]): void {
    const { puller, pages, members, news } = this.#host;
    const wanted: DigestItem[] = [];
    for (const line of lines) {
      if (line.name === this.#context.self) {
        members.hearContest([line], from);
        continue;
      }
      news.heard(from, line);
      const item = { ...line, ver: 0 };
      if (pages.isNews(item)) wanted.push(item);
    }
    if (wanted.length > 0) puller.pull(from, wanted, 'flood');
  }

  /** Whether anything in the page was news. */
  #merge(page: Page, via: Via, from: string): boolean {
    const { register, members } = this.#host;
    const { name } = page;
    if (name === this.#context.self) {
      if (page.record !== null && this.#isOwnLaterLife(page.record)) {
        this.#host.publisher.raiseEpoch(page.record.epoch, KNOWN_ELSEWHERE);
      }
      members.hear(name, page.standing, via, from);
      return false;
    }
    let offer = page.record === null ? 'old' : register.offer(page.record);
    if (page.delta !== null) offer = register.offerDelta(page.delta);
    if (offer === 'refused') return false;
    if (register.get(name) === undefined) {
      this.#context.stats.dropped.stranger++;
      return false;
    }
    const hearing = members.hear(name, page.standing, via, from);
    if (members.table.get(name) === undefined) register.forget(name); // the standing was not believed
    if (offer === 'news') this.#host.recordChanged(name);
    return offer === 'news' || hearing === 'news';
  }

  /** Signed by us, in a life that we forgot: with the disk, or because our bundle is used twice. */
  #isOwnLaterLife(record: NodeRecord): boolean {
    if (record.epoch <= this.#host.own.record.epoch) return false;
    const { signer, trustDomain, self } = this.#context;
    const credential = signer.admit(record.meta.chain);
    return (
      credential?.name === self &&
      signer.verify(credential, recordStatement(trustDomain, record, signer), record.signature)
    );
  }

  #dropOutOfPlace(): void {
    this.#context.stats.dropped['out-of-place']++;
  }
}
