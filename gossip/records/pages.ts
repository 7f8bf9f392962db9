/**
 * The pages we hold, as other nodes see them: of every member its standing and its record, or what a peer lacks of it; and
 * the version of each, by which anti-entropy finds who lacks what.
 *
 * A member in probation is hearsay: that is not passed on, so it has no page here.
 * @module
 */
import type { Buckets } from '../anti-entropy/buckets.ts';
import { isNewer } from '../anti-entropy/session.ts';
import type { Context } from '../effects.ts';
import { send } from '../effects.ts';
import type { Standing } from '../members/standing.ts';
import { incarnation, RANK } from '../members/standing.ts';
import type { TableEntry } from '../members/table.ts';
import type { DigestItem, Page, PullItem } from '../wire/messages.ts';
import type { NodeRecord } from './record.ts';
import { deltaSince } from './record.ts';
import type { Register } from './register.ts';
import { contentBytes } from './register.ts';

export interface PagesHost {
  /** Our own record. */
  readonly own: { readonly record: NodeRecord };
  readonly register: Register;
  readonly buckets: Buckets;
  readonly members: {
    /** Our own standing. */
    readonly self: Standing;
    readonly table: { get(name: string): TableEntry | undefined };
  };
}

/** Pages of one answer, in bytes, with room for the frame around them. */
const PAGES_BYTES = 256 * 1024;

export class Pages {
  readonly #context: Context;
  readonly #host: PagesHost;

  constructor(context: Context, host: PagesHost) {
    this.#context = context;
    this.#host = host;
  }

  /** Our own page, whole. */
  own(): Page {
    const { own, members } = this.#host;
    return { name: this.#context.self, standing: members.self, record: own.record, delta: null };
  }

  /** Sends what we have of these and the asker lacks, as far as it fits into one frame. */
  answer(from: string, items: readonly PullItem[]): void {
    const pages: Page[] = [];
    let bytes = 0;
    for (const item of items) {
      const page = this.#pageFor(item);
      if (page === undefined) continue;
      bytes += page.record === null ? 2_000 : contentBytes(page.record);
      if (bytes > PAGES_BYTES && pages.length > 0) break;
      pages.push(page);
    }
    send(this.#context, from, { kind: 'pages', pages });
  }

  /** What we have of another's record, for a pull. */
  known(name: string): PullItem {
    const record = this.#host.register.get(name)?.record;
    return { name, epoch: record?.epoch ?? 0, ver: record?.ver ?? 0 };
  }

  /** Whether a page of this version holds anything that ours does not. */
  isNews(item: DigestItem): boolean {
    return isNewer(item, this.#host.buckets.get(item.name));
  }

  /** Keeps the sums for anti-entropy in step with what we hold; call it after every change of a page. */
  stamp(name: string): void {
    const { own, register, buckets, members } = this.#host;
    const isSelf = name === this.#context.self;
    const entry = members.table.get(name);
    const standing = isSelf ? members.self : entry?.standing;
    const record = isSelf ? own.record : register.get(name)?.record;
    if (standing === undefined || record === undefined || entry?.state === 'probation') {
      buckets.remove(name);
      return;
    }
    buckets.put({
      name,
      epoch: Math.max(standing.epoch, record.epoch),
      ver: record.epoch === standing.epoch ? record.ver : 0,
      inc: incarnation(standing),
      rank: RANK[standing.kind],
    });
  }

  /** What the asker lacks of one page: nothing but the standing, a delta, or the whole record. */
  #pageFor(item: PullItem): Page | undefined {
    if (item.name === this.#context.self) return this.own();
    const entry = this.#host.members.table.get(item.name);
    const replica = this.#host.register.get(item.name);
    if (entry === undefined || replica === undefined || entry.state === 'probation') return undefined;
    const { record } = replica;
    const page = { name: item.name, standing: entry.standing };
    if (item.epoch === record.epoch && item.ver >= record.ver) return { ...page, record: null, delta: null };
    const delta = item.epoch === record.epoch ? deltaSince(record, item.ver) : undefined;
    return delta === undefined ? { ...page, record, delta: null } : { ...page, record: null, delta };
  }
}
