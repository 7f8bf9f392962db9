/** Events as they are listed: newest first, what repeats as one line, a heading a day. @module */
import type { MeshEvent } from '../../../shapes/common.ts';

export interface EventGroup {
  /** The newest. */
  readonly event: MeshEvent;
  /** How often in all. */
  readonly count: number;
  readonly firstMs: number;
}

/** Repeats further apart than that are told as two. */
const REPEAT_WITHIN_MS = 15 * 60_000;

/** Events that say the same of the same, with nothing else about it between them, are one. */
export function groupEvents(events: readonly MeshEvent[]): readonly EventGroup[] {
  const groups: EventGroup[] = [];
  const open = new Map<string, number>();
  for (const event of events.toSorted((a, b) => b.atMs - a.atMs)) {
    const about = `${event.kind} ${event.touches.toSorted().join(' ')}`;
    const at = open.get(about);
    const group = at === undefined ? undefined : groups[at]!;
    const isSame = group !== undefined && group.event.title === event.title && group.event.document === null;
    if (isSame && event.document === null && group.firstMs - event.atMs <= REPEAT_WITHIN_MS) {
      groups[at!] = { event: group.event, count: group.count + event.count, firstMs: event.atMs };
    } else {
      open.set(about, groups.length);
      groups.push({ event, count: event.count, firstMs: event.atMs });
    }
  }
  return groups;
}

/** The page that an event is about. */
export function hrefOf(event: MeshEvent): string | undefined {
  const { document } = event;
  if (document !== null) {
    const place = document.namespace === '' ? '-' : document.namespace;
    return `/policies/${document.kind}/${place}/${document.name}`;
  }
  const [first] = event.touches;
  if (first === undefined) return event.node === null ? undefined : `/members/${event.node}`;
  return first.startsWith('node:') ? `/members/${first.slice('node:'.length)}` : `/services/${first}`;
}
