/**
 * How news of standings travels. A single death or farewell goes to every peer in full: nothing is faster, and no bad
 * link keeps it from anybody. When a mesh splits, heals or starts, that would carry every certificate to every node once
 * over each of its links. So above a rate, news is collected for a moment and only announced, by a line of a few bytes;
 * who lacks it asks one of those who announced it. Peers take turns to be told, so that of two with the same news one
 * mostly hears it before it has said it. Each node is then sent each standing once, and each link carries each line about
 * once.
 *
 * The questions of a contest travel the same way: as lines, to everybody, until they reach whom they are about.
 * @module
 */
import type { Context } from '../effects.ts';
import { arm, send } from '../effects.ts';
import { hashText, mix } from '../overlay/hash.ts';
import { LIMITS } from '../wire/messages.ts';
import type { Standing, StandingLine } from './standing.ts';
import { compareLine, lineOf } from './standing.ts';

/** News told in full at once, and how many more of it every second. */
const IN_FULL = 4;
const IN_FULL_PER_SECOND = 4;
/** What is announced goes to one of `TURNS` parts of the peers at each tick. */
const TICK_MS = 10;
const TURNS = 4;
/** Members whose tellers are kept in mind; beyond that all are forgotten, and some lines are said in vain. */
const MAX_TOLD = 20_000;

export interface NewsHost {
  peers(): Iterable<string>;
  /** The standing to pass on for this member; undefined when there is none any more. */
  standingOf(name: string): Standing | undefined;
}

interface Told {
  readonly line: StandingLine;
  readonly peers: Set<string>;
}

interface Rumour extends Told {
  turns: number;
}

export class News {
  readonly #context: Context;
  readonly #host: NewsHost;
  readonly #salt: number;
  /** Which peers know of a standing, from us or others, and so need not hear of it from us. */
  readonly #told = new Map<string, Told>();
  /** News being announced, and for how many turns more. */
  readonly #announced = new Map<string, number>();
  readonly #asked = new Map<string, Rumour>();
  #tick = 0;
  #isArmed = false;
  #allowance = IN_FULL;
  #allowedAtMs = 0;

  constructor(context: Context, host: NewsHost) {
    this.#context = context;
    this.#host = host;
    this.#salt = hashText(context.self);
  }

  /** A peer holds this standing. */
  heard(peer: string, line: StandingLine): void {
    const held = this.#host.standingOf(line.name);
    const isNews = held === undefined || compareLine(line, lineOf(line.name, held)) > 0;
    if (isNews || this.#announced.has(line.name)) this.#note(peer, line);
  }

  /** Passes on what was news to us. */
  tell(name: string, standing: Standing, from: string | undefined): void {
    const line = lineOf(name, standing);
    if (from !== undefined) this.#note(from, line);
    if (!this.#isInFull()) {
      this.#announced.set(name, TURNS);
      this.#arm();
      return;
    }
    for (const peer of this.#host.peers()) {
      if (!this.#knows(peer, line)) send(this.#context, peer, { kind: 'standing', name, standing });
    }
    this.#told.delete(name);
    this.#announced.delete(name);
  }

  /** Asks whether somebody who is held dead lives, by way of everybody. */
  ask(line: StandingLine, from: string | undefined): void {
    const asked = this.#asked.get(line.name);
    if (asked !== undefined && compareLine(line, asked.line) <= 0) {
      if (from !== undefined) asked.peers.add(from);
      return;
    }
    this.#asked.set(line.name, { line, peers: new Set(from === undefined ? [] : [from]), turns: TURNS });
    this.#arm();
  }

  /** Those whose turn it is are told what was collected. */
  fired(): void {
    this.#isArmed = false;
    this.#tick++;
    const news: StandingLine[] = [];
    for (const [name, turns] of this.#announced) {
      const standing = this.#host.standingOf(name);
      if (standing !== undefined) news.push(lineOf(name, standing));
      if (turns > 1) this.#announced.set(name, turns - 1);
      else this.#announced.delete(name);
    }
    for (const peer of this.#host.peers()) {
      if ((mix(hashText(peer), this.#salt) + this.#tick) % TURNS === 0) this.#tellAll(peer, news);
    }
    for (const { name } of news) if (!this.#announced.has(name)) this.#told.delete(name);
    for (const [name, asked] of this.#asked) if (--asked.turns === 0) this.#asked.delete(name);
    if (this.#announced.size > 0 || this.#asked.size > 0) this.#arm();
  }

  #tellAll(peer: string, news: readonly StandingLine[]): void {
    const unknown = news.filter((line) => !this.#knows(peer, line));
    for (const line of unknown) this.#note(peer, line);
    for (const lines of chunks(unknown)) send(this.#context, peer, { kind: 'news', lines });
    const questions: StandingLine[] = [];
    for (const { line, peers } of this.#asked.values()) {
      if (peers.has(peer)) continue;
      peers.add(peer);
      questions.push(line);
    }
    for (const lines of chunks(questions)) send(this.#context, peer, { kind: 'contest', lines });
  }

  #arm(): void {
    if (this.#isArmed) return;
    this.#isArmed = true;
    arm(this.#context, 'news', '', TICK_MS);
  }

  #note(peer: string, line: StandingLine): void {
    const told = this.#told.get(line.name);
    const newer = told === undefined ? 1 : compareLine(line, told.line);
    if (newer === 0) told?.peers.add(peer);
    if (newer <= 0) return;
    if (this.#told.size >= MAX_TOLD) this.#told.clear();
    this.#told.set(line.name, { line, peers: new Set([peer]) });
  }

  #knows(peer: string, line: StandingLine): boolean {
    const told = this.#told.get(line.name);
    return told !== undefined && compareLine(told.line, line) >= 0 && told.peers.has(peer);
  }

  #isInFull(): boolean {
    const { nowMs } = this.#context;
    const earned = ((nowMs - this.#allowedAtMs) * IN_FULL_PER_SECOND) / 1_000;
    this.#allowance = Math.min(IN_FULL, this.#allowance + earned);
    this.#allowedAtMs = nowMs;
    if (this.#allowance < 1) return false;
    this.#allowance--;
    return true;
  }
}

function* chunks(lines: readonly StandingLine[]): Iterable<readonly StandingLine[]> {
  for (let at = 0; at < lines.length; at += LIMITS.lines) yield lines.slice(at, at + LIMITS.lines);
}
