/** What goes where the pointer goes: a card, which stays where it is let go, or the whole ground. @module */
import type { PointerEvent } from 'react';
import { CARDS, type Point } from './geometry.ts';

const DRAG_PX = 4;

interface Drag {
  readonly start: Point;
  readonly zoom: number;
  /** Where it may be, nearest to a place. */
  readonly within: (point: Point) => Point;
  readonly onMove: (point: Point) => void;
  readonly onEnd: (point: Point) => void;
}

/** Follows the pointer outside React; a click that moves no further than some pixels stays a click. */
export function dragCard(event: PointerEvent<HTMLButtonElement>, drag: Drag): void {
  const { start, zoom, within, onMove, onEnd } = drag;
  if (event.button !== 0) return;
  const card = event.currentTarget;
  const [x, y] = [event.clientX, event.clientY];
  let at: Point | undefined;
  const move = (moved: globalThis.PointerEvent) => {
    const [dx, dy] = [moved.clientX - x, moved.clientY - y];
    if (at === undefined && Math.hypot(dx, dy) < DRAG_PX) return;
    at = within({ x: Math.round(start.x + dx / zoom), y: Math.round(start.y + dy / zoom) });
    card.style.transform = `translate(${at.x - CARDS.width / 2}px, ${at.y - CARDS.height / 2}px)`;
    onMove(at);
  };
  const end = () => {
    if (at === undefined) return;
    onEnd(at);
    ignoreClick(card);
  };
  follow(event, card, move, end);
}

/** From a namespace that stands for its services, as those leave little ground between them. */
export function dragGround(event: PointerEvent<HTMLElement>, panBy: (x: number, y: number) => void): void {
  if (event.button !== 0) return;
  const handle = event.target as HTMLElement;
  let [x, y] = [event.clientX, event.clientY];
  let isMoved = false;
  const move = (moved: globalThis.PointerEvent) => {
    const [dx, dy] = [moved.clientX - x, moved.clientY - y];
    if (!isMoved && Math.hypot(dx, dy) < DRAG_PX) return;
    isMoved = true;
    [x, y] = [moved.clientX, moved.clientY];
    panBy(dx, dy);
  };
  follow(event, handle, move, () => isMoved && ignoreClick(handle));
}

function follow(
  { pointerId }: PointerEvent,
  handle: HTMLElement,
  move: (moved: globalThis.PointerEvent) => void,
  end: () => void,
): void {
  const over = new AbortController();
  const { signal } = over;
  const stop = () => {
    over.abort();
    end();
  };
  handle.setPointerCapture(pointerId);
  handle.addEventListener('pointermove', move, { signal });
  handle.addEventListener('pointerup', stop, { signal });
  handle.addEventListener('pointercancel', stop, { signal });
}

/** The one that ends a drag. */
function ignoreClick(handle: HTMLElement): void {
  handle.addEventListener('click', (click) => click.stopPropagation(), { once: true, capture: true });
}
