/**
 * Every service a dot and every call a line, thousands of them, on a canvas of our own: lines of one look are one path, and while the
 * view moves the picture is moved, not drawn. Cytoscape keeps a style for each element, which at 1,000 services and 5,000 edges
 * takes seconds for the first picture and more than a frame for each change.
 * @module
 */
import { onTheme } from '../theme/theme.ts';
import { dotsOf, drawPicture, type Lines, type Look, linesOf } from './dot-picture.ts';
import { type Box, enclosing, fromLine, type Point } from './geometry.ts';
import type { GraphScene, SceneEvents } from './scene.ts';
import type { SceneEdge, SceneModel, SceneNode } from './scene-model.ts';
import { fitted, isInView, laidOver, type Size, unprojected, type View, zoomed } from './viewport.ts';

/** After the last move of the view the picture is drawn anew. */
const REST_MS = 200;
const DRAG_PX = 4;
const SVG = 'http://www.w3.org/2000/svg';
/** From a pointer to what it still means, in pixels. */
const NEAR_PX = 6;

export class DotScene implements GraphScene {
  readonly #host: HTMLElement;
  readonly #canvas = document.createElement('canvas');
  /** The one chosen line, above the picture, which is not drawn anew for it. */
  readonly #mark = document.createElementNS(SVG, 'svg');
  readonly #line = document.createElementNS(SVG, 'line');
  readonly #events: SceneEvents;
  readonly #over = new AbortController();
  readonly #stopTheme: () => void;
  #model: SceneModel = { detail: 'all', nodes: [], edges: [] };
  #at: ReadonlyMap<string, SceneNode> = new Map();
  #lines: readonly Lines[] = [];
  #dots: readonly Look[] = [];
  #chosen: SceneEdge | undefined;
  #lit: ReadonlySet<string> | null = null;
  #view: View = { x: 0, y: 0, zoom: 1 };
  #drawn: View = this.#view;
  #isFitted = false;
  #rest: ReturnType<typeof setTimeout> | undefined;
  #frame = 0;

  constructor(host: HTMLElement, events: SceneEvents) {
    this.#host = host;
    this.#events = events;
    this.#canvas.style.position = 'absolute';
    this.#canvas.style.transformOrigin = '0 0';
    this.#mark.setAttribute('class', 'dot-mark');
    this.#mark.append(this.#line);
    host.append(this.#canvas, this.#mark);
    const { signal } = this.#over;
    host.addEventListener('pointerdown', (event) => this.#follow(event), { signal });
    host.addEventListener('pointermove', (event) => this.#name(event), { signal });
    host.addEventListener('dblclick', (event) => this.#open(event), { signal });
    this.#stopTheme = onTheme(() => this.#change());
  }

  close(): void {
    this.#over.abort();
    this.#stopTheme();
    clearTimeout(this.#rest);
    cancelAnimationFrame(this.#frame);
    this.#canvas.remove();
    this.#mark.remove();
  }

  view(): View {
    return this.#view;
  }

  update(model: SceneModel): void {
    this.#model = model;
    this.#at = new Map(model.nodes.map((node) => [node.id, node]));
    this.#change();
    if (this.#isFitted || model.nodes.length === 0) return;
    this.#isFitted = true;
    this.fit();
  }

  mark(chosenEdge: string | null, lit: ReadonlySet<string> | null): void {
    this.#chosen = this.#model.edges.find(({ id }) => id === chosenEdge);
    this.#lay();
    if (lit === this.#lit) return;
    this.#lit = lit;
    this.#change();
  }

  move(): void {} // dots stay where they are

  fit(): void {
    const box = enclosing(
      this.#model.nodes.map(({ x, y, w }) => ({
        left: x - w / 2,
        right: x + w / 2,
        top: y - w / 2,
        bottom: y + w / 2,
      })),
    );
    if (box !== undefined) this.#show(fitted(box, this.#size()));
    this.#redraw();
  }

  frame(box: Box): void {
    this.#show(fitted(box, this.#size()));
  }

  isInView(box: Box): boolean {
    return isInView(box, this.#view, this.#size());
  }

  zoomBy(factor: number, at?: Point): void {
    const { width, height } = this.#size();
    this.#show(zoomed(this.#view, factor, at ?? { x: width / 2, y: height / 2 }));
  }

  panBy(x: number, y: number): void {
    this.#show({ ...this.#view, x: this.#view.x + x, y: this.#view.y + y });
  }

  show({ x, y }: Point): void {
    const { width, height } = this.#size();
    const { zoom } = this.#view;
    if (!this.isInView({ left: x, right: x, top: y, bottom: y }))
      this.#show({ zoom, x: width / 2 - x * zoom, y: height / 2 - y * zoom });
  }

  resize(): void {
    this.#redraw();
  }

  #size(): Size {
    return { width: this.#host.clientWidth, height: this.#host.clientHeight };
  }

  #show(view: View): void {
    this.#view = view;
    this.#lay();
    this.#events.onView(view);
    clearTimeout(this.#rest);
    this.#rest = setTimeout(() => this.#redraw(), REST_MS);
  }

  #lay(): void {
    const { width, height } = this.#size();
    const { x, y, scale } = laidOver(this.#drawn, this.#view, { x: width / 2, y: height / 2 });
    this.#canvas.style.transform = `translate(${x}px, ${y}px) scale(${scale})`;
    const [from, to] = [this.#at.get(this.#chosen?.source ?? ''), this.#at.get(this.#chosen?.target ?? '')];
    this.#mark.style.display = from === undefined || to === undefined ? 'none' : '';
    if (from === undefined || to === undefined) return;
    const { x: left, y: top, zoom } = this.#view;
    const ends = { x1: from.x * zoom + left, y1: from.y * zoom + top, x2: to.x * zoom + left, y2: to.y * zoom + top };
    for (const [name, value] of Object.entries(ends)) this.#line.setAttribute(name, String(value));
  }

  /** What is drawn is other than it was. */
  #change(): void {
    this.#lines = linesOf(this.#model.edges, this.#at, this.#lit);
    this.#dots = dotsOf(this.#model.nodes);
    this.#redraw();
  }

  #redraw(): void {
    cancelAnimationFrame(this.#frame);
    this.#frame = requestAnimationFrame(() => this.#draw());
  }

  #draw(): void {
    const size = this.#size();
    if (size.width === 0 || size.height === 0) return;
    drawPicture(this.#canvas, {
      nodes: this.#model.nodes,
      lines: this.#lines,
      dots: this.#dots,
      view: this.#view,
      size,
    });
    this.#drawn = this.#view;
    this.#lay();
  }

  #follow(event: PointerEvent): void {
    if (event.button !== 0) return;
    let at = { x: event.clientX, y: event.clientY };
    let isMoved = false;
    const over = new AbortController();
    const { signal } = over;
    const move = (moved: PointerEvent) => {
      const [dx, dy] = [moved.clientX - at.x, moved.clientY - at.y];
      if (!isMoved && Math.hypot(dx, dy) < DRAG_PX) return;
      isMoved = true;
      at = { x: moved.clientX, y: moved.clientY };
      this.panBy(dx, dy);
    };
    const end = (ended: PointerEvent) => {
      over.abort();
      if (!isMoved && ended.type === 'pointerup') this.#events.onTap(this.#idUnder(ended));
    };
    this.#host.setPointerCapture(event.pointerId);
    this.#host.addEventListener('pointermove', move, { signal });
    this.#host.addEventListener('pointerup', end, { signal });
    this.#host.addEventListener('pointercancel', end, { signal });
  }

  #name(event: PointerEvent): void {
    if (event.buttons === 0) this.#host.title = this.#nodeUnder(this.#placeOf(event))?.id ?? '';
  }

  #open(event: MouseEvent): void {
    const id = this.#idUnder(event);
    if (id !== null) this.#events.onOpen(id);
  }

  #placeOf(event: MouseEvent): Point {
    const { left, top } = this.#host.getBoundingClientRect();
    return unprojected(this.#view, { x: event.clientX - left, y: event.clientY - top });
  }

  #idUnder(event: MouseEvent): string | null {
    const at = this.#placeOf(event);
    return this.#nodeUnder(at)?.id ?? this.#edgeUnder(at)?.id ?? null;
  }

  #nodeUnder(at: Point): SceneNode | undefined {
    const near = NEAR_PX / this.#view.zoom / 2;
    return nearest(this.#model.nodes, ({ x, y, w }) => Math.hypot(x - at.x, y - at.y) - w / 2, near);
  }

  #edgeUnder(at: Point): SceneEdge | undefined {
    const far = ({ source, target }: SceneEdge) => fromLine(at, this.#at.get(source)!, this.#at.get(target)!);
    return nearest(this.#model.edges, far, NEAR_PX / this.#view.zoom);
  }
}

function nearest<T>(all: readonly T[], distance: (one: T) => number, within: number): T | undefined {
  let [found, least]: [T | undefined, number] = [undefined, within];
  for (const one of all) {
    const far = distance(one);
    if (far <= least) [found, least] = [one, far];
  }
  return found;
}
