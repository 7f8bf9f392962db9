/**
 * Which links this node wants: to its neighbours on the rings, to a few others that shorten paths, now and then to a dead
 * member that may be back; and which links it gives up.
 *
 * The rings follow the member table at once, and what follows from the rings a moment later, because members come in heaps.
 * @module
 */
import type { Context, Timer } from '../effects.ts';
import { arm, sample } from '../effects.ts';
import type { MemberTable, TableEntry } from '../members/table.ts';
import { isPresent, isRoutable } from '../members/table.ts';
import type { AddressBook, Peers } from './peers.ts';
import type { Rings } from './rings.ts';

export interface TopologyHost {
  readonly rings: Rings;
  readonly peers: Peers;
  readonly table: MemberTable;
  readonly addresses: AddressBook;
  /** Who looks after the members next to us on the rings, and makes links to them. */
  readonly detector: { watch(subjects: ReadonlySet<string>): void };
  /** Who finds the mesh again by the addresses of peers known last. */
  readonly bootstrap: { remember(peers: readonly string[]): void };
}

const REDIAL_MS = 1_000;
const REWATCH_MS = 50;
/** How many of the whole mesh dial a dead member each second: enough to find it soon, few enough not to trample it. */
const REDIALS_PER_DEAD = 3;
const REMEMBER_MS = 5_000;
const REMEMBERED = 32;
/** Up to so many members are all looked at when some are to be chosen; of more, this many are drawn for each wanted. */
const DRAWN_FROM = 128;
const DRAWS = 4;
/** Links beyond those the rings ask for: they shorten paths when the rings are still forming. */
const LONG_LINKS = 2;
/** News goes over so many links that the rings do not ask for. */
const NEWEST_LINKS = 4;
/** A link that no ring asks for is closed after this. */
const IDLE_LINK_MS = 60_000;
/** With more links than this, those that no ring asks for go after a shorter time: enough to learn the mesh from us. */
const MANY_LINKS = 64;
const BRIEF_LINK_MS = 5_000;

export class Topology {
  readonly #context: Context;
  readonly #host: TopologyHost;
  #longLinks: ReadonlySet<string> = new Set();
  #areRingsChanged: boolean;
  #isRewatchArmed = false;
  /** Members that died in this step and that we are linked to. */
  readonly #buried = new Set<string>();
  /** Somebody came, went or changed state since the peers to remember were last chosen. */
  #isRosterChanged = false;
  #isRememberArmed = false;

  constructor(context: Context, host: TopologyHost) {
    this.#context = context;
    this.#host = host;
    this.#areRingsChanged = host.rings.size > 1; // whoever begins with a mesh has neighbours to watch
  }

  start(): void {
    arm(this.#context, 'redial', '', REDIAL_MS);
  }

  /** The member table changed: `before` is undefined for a new member, `after` for one that was forgotten. */
  memberChanged(name: string, before: TableEntry | undefined, after: TableEntry | undefined): void {
    const wasPresent = before !== undefined && isPresent(before.state);
    const isPresentNow = after !== undefined && isPresent(after.state);
    if (wasPresent !== isPresentNow) {
      if (isPresentNow) this.#host.rings.add(name);
      else this.#host.rings.remove(name);
      this.#areRingsChanged = true;
    }
    this.#isRosterChanged = true;
    if (after?.state === 'dead' && this.#host.peers.isLinked(name)) this.#buried.add(name);
  }

  /** Call at the end of every step: what changed in it is acted upon once. */
  settle(): void {
    if (this.#areRingsChanged) this.#rewatchSoon();
    if (this.#buried.size > 0) this.#hangUpBuried();
  }

  /** Chooses the peers to remember anew in a while, if there was a change. */
  rememberLater(): void {
    if (this.#isRememberArmed || !this.#isRosterChanged) return;
    this.#isRosterChanged = false;
    this.#isRememberArmed = true;
    arm(this.#context, 'remember', '', REMEMBER_MS);
  }

  fired(timer: Timer): void {
    if (timer.kind === 'redial') this.#redial();
    else if (timer.kind === 'rewatch') this.#rewatch();
    else if (timer.kind === 'remember') this.#remember();
  }

  /** Chooses other long links, and closes the links that nothing asks for. */
  sweep(): void {
    const { rings, peers, addresses } = this.#host;
    const wanted = new Set([...rings.subjects(), ...rings.observers()]);
    this.#longLinks = new Set(this.#draw(LONG_LINKS, ({ name, state }) => state === 'alive' && !wanted.has(name)));
    for (const name of this.#longLinks) {
      if (!peers.isLinked(name)) {
        this.#context.out.push({ kind: 'dial', to: name, address: addresses.addressOf(name)! });
      }
    }
    for (const [peer, sinceMs] of peers.links) {
      const isIdle = this.#context.nowMs - sinceMs > IDLE_LINK_MS;
      if (isIdle && !wanted.has(peer) && !this.#longLinks.has(peer)) {
        this.#context.out.push({ kind: 'hang-up', to: peer });
      }
    }
  }

  /**
   * Whom we tell the news of others: our neighbours on the rings, which alone join all members, and those we were linked to
   * last, through whom a part of the mesh may be met that our rings do not show yet.
   */
  audience(): string[] {
    const wanted = this.#wantedPeers();
    const audience: string[] = [];
    const others: string[] = [];
    for (const peer of this.#host.peers.links.keys()) (wanted.has(peer) ? audience : others).push(peer);
    return [...audience, ...others.slice(-NEWEST_LINKS)];
  }

  /** Peers that watch this member as we do. */
  coObservers(name: string): string[] {
    const { rings, peers, table } = this.#host;
    return [...rings.observersOf(name)].filter((peer) => {
      return peer !== this.#context.self && peers.isLinked(peer) && table.get(peer)?.state === 'alive';
    });
  }

  #wantedPeers(): Set<string> {
    const { rings } = this.#host;
    return new Set([...rings.subjects(), ...rings.observers(), ...this.#longLinks]);
  }

  #redial(): void {
    arm(this.#context, 'redial', '', REDIAL_MS);
    this.#thinOut();
    const { table, addresses } = this.#host;
    const chance = (REDIALS_PER_DEAD * table.count('dead')) / Math.max(1, table.count('alive'));
    if (this.#context.random() >= chance) return;
    const dead = [...table.tombstones()].filter((entry) => entry.state === 'dead');
    const [chosen] = sample(dead, 1, this.#context.random);
    const address = chosen === undefined ? undefined : addresses.addressOf(chosen.name);
    if (address !== undefined) this.#context.out.push({ kind: 'dial', to: chosen!.name, address });
  }

  /**
   * Everybody dials the seeds, and the edge takes a limited number of links: if they all stayed, those who watch a seed
   * would find no room, and take it for stalled.
   */
  #thinOut(): void {
    const { links } = this.#host.peers;
    if (links.size <= MANY_LINKS) return;
    const wanted = this.#wantedPeers();
    for (const [peer, sinceMs] of links) {
      const isBrief = this.#context.nowMs - sinceMs <= BRIEF_LINK_MS;
      if (!isBrief && !wanted.has(peer)) this.#context.out.push({ kind: 'hang-up', to: peer });
    }
  }

  /** Members come in heaps, and each may be our neighbour until the next one comes: whoever dials them all floods them all. */
  #rewatchSoon(): void {
    this.#areRingsChanged = false;
    if (this.#isRewatchArmed) return;
    this.#isRewatchArmed = true;
    arm(this.#context, 'rewatch', '', REWATCH_MS);
  }

  #rewatch(): void {
    this.#isRewatchArmed = false;
    this.#host.detector.watch(this.#host.rings.subjects());
  }

  /**
   * TCP waits longer with every packet that is not answered, a minute in the end, and nobody would dial as long as there
   * is a link. What was said to them in this step is still sent: a member that lives should hear that it is held dead.
   */
  #hangUpBuried(): void {
    for (const name of this.#buried) this.#context.out.push({ kind: 'hang-up', to: name });
    this.#buried.clear();
  }

  #remember(): void {
    this.#isRememberArmed = false;
    const { addresses, bootstrap } = this.#host;
    const drawn = this.#draw(REMEMBERED, ({ state }) => isRoutable(state)).map((name) => addresses.addressOf(name));
    const known = drawn.filter((one) => one !== undefined);
    bootstrap.remember(known);
    this.#context.out.push({ kind: 'remember-peers', addresses: known });
  }

  /** Some members at random, `count` if there are as many. Of a large mesh a sample is looked at, not the whole table. */
  #draw(count: number, isFit: (entry: TableEntry) => boolean): string[] {
    const { table, rings } = this.#host;
    const { random } = this.#context;
    if (table.size <= DRAWN_FROM) {
      const fit = [...table.entries()].filter(isFit);
      return sample(fit, count, random).map(({ name }) => name);
    }
    const drawn = new Set<string>();
    for (let draw = 0; draw < DRAWS * count && drawn.size < count; draw++) {
      const name = rings.random(random);
      const entry = name === undefined ? undefined : table.get(name);
      if (entry !== undefined && isFit(entry)) drawn.add(entry.name);
    }
    return [...drawn];
  }
}
