/**
 * What happened in the mesh, as each node notes it: events get their id from what they say, so that what several nodes saw is
 * one event.
 * @module
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { EVENT_KINDS, type MeshEvent } from '../console/shapes/common.ts';

/** The same again within this is one event with a count; two nodes that note one thing are never further apart. */
export const REPEAT_MS = 600_000;
const SAME_MS = 120_000;

/** What is to be noted. */
export interface Happening extends Pick<MeshEvent, 'kind' | 'title'> {
  /** What makes it this event, the same on all nodes: `applied REVISION`, `member node-2 dead 1 0`. */
  readonly subject: string;
  readonly detail?: string;
  readonly touches: readonly string[];
  readonly document?: MeshEvent['document'];
  readonly node?: string;
  /** Can happen only once, such as a revision that is applied: when it is noted again, it was known. */
  readonly isOnce?: boolean;
  /** Happens anew each time: not counted as a repeat of the last time. */
  readonly isApart?: boolean;
}

export function eventOf(what: Happening, atMs: number): MeshEvent {
  const { kind, title, subject, detail = '', touches, document = null, node = null, isOnce = false } = what;
  const hash = createHash('sha256').update(`${kind} ${subject}`).digest('hex').slice(0, 12);
  const id = isOnce ? hash : `${hash}-${Math.floor(atMs / 1_000).toString(36)}`;
  return { id, atMs, kind, title, detail, touches: [...touches], document, node, count: 1 };
}

/** The same for events that tell of one thing, whenever they were noted. */
export function thingOf({ id }: Pick<MeshEvent, 'id'>): string {
  return id.split('-')[0]!;
}

/**
 * Events of all nodes, the latest first, each once: as the node tells it that noted it first, and with the highest count, because
 * several nodes count the same.
 */
export function mergedEvents(lists: Iterable<readonly MeshEvent[]>): MeshEvent[] {
  const sorted = [...lists].flat().sort((a, b) => a.atMs - b.atMs || a.id.localeCompare(b.id));
  const known = new Map<string, MeshEvent>();
  const merged: MeshEvent[] = [];
  for (const event of sorted) {
    const thing = thingOf(event);
    const earlier = known.get(thing);
    const isOnce = !event.id.includes('-');
    if (earlier !== undefined && (isOnce || event.atMs - earlier.atMs <= SAME_MS)) {
      earlier.count = Math.max(earlier.count, event.count);
      earlier.touches = [...new Set([...earlier.touches, ...event.touches])];
      continue;
    }
    const own = { ...event };
    known.set(thing, own);
    merged.push(own);
  }
  return merged.reverse();
}

export const eventsQuestion = z.object({
  fromMs: z.number(),
  toMs: z.number(),
  kinds: z.array(z.enum(EVENT_KINDS)),
  /** 'namespace/service' or `node:NAME`; null: all. */
  touches: z.string().max(600).nullable(),
  limit: z.int().min(1).max(1_001),
});
export type EventsQuestion = z.infer<typeof eventsQuestion>;

export function isWanted(event: MeshEvent, { fromMs, toMs, kinds, touches }: EventsQuestion): boolean {
  if (event.atMs < fromMs || event.atMs >= toMs) return false;
  if (kinds.length > 0 && !kinds.includes(event.kind)) return false;
  return touches === null || event.touches.includes(touches);
}
