/**
 * Which changes of health are worth an event. Pure: told the time and how services fare, every 10 s.
 *
 * Trouble is told when two looks in a row show it, its end after 2 min without it, each as of the first of these looks. What
 * nobody knows changes nothing; a service that is quiet after trouble is over it five times as late. One that changed five times
 * in 30 min wavers: that is said once, and nothing more until it kept still for 15 min. Bounded: 5,000 services, 20 events a look.
 * @module
 */
import type { Health } from '../console/shapes/common.ts';
import type { Happening } from '../events/event.ts';

export const LOOK_MS = 10_000;
const WORSE_LOOKS = 2;
const BETTER_LOOKS = 12;
/** Looks at a quiet service that count as one at a service that is well. */
const QUIET_LOOKS = 5;
const WAVERING_CHANGES = 5;
const WAVERING_MS = 1_800_000;
const STILL_MS = 900_000;
const MAX_SERVICES = 5_000;
const MAX_EVENTS = 20;

/** The better first. */
const LEVELS = ['ok', 'warn', 'bad'] as const;
type Level = (typeof LEVELS)[number];
const WORDS: Readonly<Record<Level, string>> = { ok: 'is well again', warn: 'warns', bad: 'is bad' };

export interface Fares {
  /** 'namespace/service' */
  readonly service: string;
  readonly health: Health;
  readonly cause: string;
}

/** What is to be noted, and as of when. */
export interface HealthHappening {
  readonly what: Happening;
  readonly atMs: number;
}

interface Known {
  /** What was told last. */
  level: Level;
  sinceMs: number;
  /** Looks in a row that were worse than this, or better; weighed. */
  side: 'worse' | 'better' | undefined;
  looks: number;
  /** What all of these were at least, or at most; and when the first was. */
  held: Level;
  heldSinceMs: number;
  /** Instants of the changes of the last 30 min. */
  changes: number[];
  isWavering: boolean;
}

export class HealthSight {
  #known = new Map<string, Known>();

  /** @param told titles of earlier events, by service; what is not among them was well */
  constructor(told: readonly { readonly title: string; readonly atMs: number }[] = []) {
    for (const { title, atMs } of told.toSorted((a, b) => a.atMs - b.atMs)) {
      const [service = '', ...words] = title.split(' ');
      const level = LEVELS.find((one) => WORDS[one] === words.join(' '));
      if (level !== undefined) this.#known.set(service, known(level, atMs));
    }
  }

  look(nowMs: number, all: readonly Fares[]): readonly HealthHappening[] {
    const before = this.#known;
    this.#known = new Map();
    const told: (HealthHappening & { readonly level: Level })[] = [];
    for (const fares of all.slice(0, MAX_SERVICES)) {
      const service = before.get(fares.service) ?? known('ok', nowMs);
      this.#known.set(fares.service, service);
      const happening = changeOf(service, nowMs, fares);
      if (happening !== undefined) told.push({ ...happening, level: service.level });
    }
    if (told.length <= MAX_EVENTS) return told;
    told.sort((a, b) => LEVELS.indexOf(b.level) - LEVELS.indexOf(a.level));
    return [...told.slice(0, MAX_EVENTS), moreOf(told.slice(MAX_EVENTS), nowMs)];
  }
}

function known(level: Level, sinceMs: number): Known {
  const run = { side: undefined, looks: 0, held: level, heldSinceMs: sinceMs };
  return { level, sinceMs, ...run, changes: [], isWavering: false };
}

function changeOf(service: Known, nowMs: number, fares: Fares): HealthHappening | undefined {
  const hasChanged = isOver(service, nowMs, fares);
  service.changes = service.changes.filter((atMs) => nowMs - atMs < WAVERING_MS);
  if (hasChanged) {
    const [was, wasSinceMs, atMs] = [service.level, service.sinceMs, service.heldSinceMs];
    Object.assign(service, { level: service.held, sinceMs: atMs, side: undefined, looks: 0 });
    service.changes.push(nowMs);
    if (service.isWavering) return undefined;
    if (service.changes.length < WAVERING_CHANGES) {
      return happening(fares, service.level, atMs, `${after(was, atMs - wasSinceMs)}${fares.cause}`);
    }
    service.isWavering = true;
    const text = `${WAVERING_CHANGES} changes in 30 min; no more is said of it until it has kept still for 15 min`;
    return happening(fares, 'wavers', nowMs, text);
  }
  const stillMs = nowMs - (service.changes.at(-1) ?? service.sinceMs);
  if (!service.isWavering || stillMs < STILL_MS) return undefined;
  service.isWavering = false;
  service.changes = [];
  return happening(fares, service.level, nowMs, `wavers no more; ${fares.cause}`);
}

/** Takes the look into account. @returns whether what was told no longer holds */
function isOver(service: Known, nowMs: number, { health }: Fares): boolean {
  if (health === 'unknown') return false;
  const level: Level = health === 'quiet' ? 'ok' : health;
  const [now, told] = [LEVELS.indexOf(level), LEVELS.indexOf(service.level)];
  const side = now === told ? undefined : now > told ? 'worse' : 'better';
  if (side !== service.side) Object.assign(service, { side, looks: 0, held: level, heldSinceMs: nowMs });
  if (side === undefined) return false;
  const held = LEVELS.indexOf(service.held);
  service.held = LEVELS[side === 'worse' ? Math.min(held, now) : Math.max(held, now)]!;
  service.looks += health === 'quiet' ? 1 : QUIET_LOOKS;
  return service.looks >= QUIET_LOOKS * (side === 'worse' ? WORSE_LOOKS : BETTER_LOOKS);
}

function after(was: Level, ms: number): string {
  return was === 'ok' ? '' : `${was} for ${Math.max(1, Math.round(ms / 60_000))} min; `;
}

function happening({ service }: Fares, state: Level | 'wavers', atMs: number, detail: string): HealthHappening {
  const words = state === 'wavers' ? 'wavers' : WORDS[state];
  const title = `${service} ${words}`;
  return { atMs, what: { kind: 'health', subject: title, title, detail, touches: [service], isApart: true } };
}

function moreOf(rest: readonly HealthHappening[], nowMs: number): HealthHappening {
  const title = `health of ${rest.length} more services changed`;
  const detail = rest.map(({ what }) => what.title).join(', ');
  const touches = rest.flatMap(({ what }) => what.touches);
  return { atMs: nowMs, what: { kind: 'health', subject: 'more', title, detail, touches, isApart: true } };
}
