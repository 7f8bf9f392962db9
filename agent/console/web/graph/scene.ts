/**
 * The canvas below the cards: edges, drawn by Cytoscape. Kept outside React; told what to draw, it changes only what differs. Pan
 * and zoom are its, and the layer of cards follows. Where every service is a dot, `dot-scene.ts` draws.
 * @module
 */
import cytoscape from 'cytoscape';
import { onTheme } from '../theme/theme.ts';
import { styleFor } from './cy-style.ts';
import type { Box, Point } from './geometry.ts';
import type { Detail } from './lod.ts';
import type { SceneEdge, SceneModel, SceneNode } from './scene-model.ts';
import { fitted, isInView, type View, ZOOM } from './viewport.ts';

export interface SceneEvents {
  readonly onView: (view: View) => void;
  /** An edge or, where services are dots of the canvas, a service; null: the ground. */
  readonly onTap: (id: string | null) => void;
  readonly onOpen: (id: string) => void;
}
/** What draws the graph below the cards; told what to draw, it changes only what differs. */
export interface GraphScene {
  close(): void;
  view(): View;
  /**
   * Fits once, the first time there is something.
   *
   * @param moveMs how long what is elsewhere now takes to get there; 0: it is there at once
   */
  update(model: SceneModel, moveMs: number): void;
  /** Marks an edge, and sets apart all that is not `lit`; null: nothing is set apart. */
  mark(chosenEdge: string | null, lit: ReadonlySet<string> | null): void;
  move(id: string, point: Point): void;
  fit(): void;
  /** Brings the whole of a box into view, in so many ms. */
  frame(box: Box, moveMs: number): void;
  isInView(box: Box): boolean;
  /** Around a place of the host; without one, its middle. */
  zoomBy(factor: number, at?: Point): void;
  panBy(x: number, y: number): void;
  /** Brings a place into view, if it is not. */
  show(point: Point): void;
  resize(): void;
}
const FIT_PADDING = 24;

export class Scene implements GraphScene {
  readonly #cy: cytoscape.Core;
  readonly #drawn = new Map<string, SceneNode | SceneEdge>();
  readonly #stop: () => void;
  #isFitted = false;
  #isMarked = false;

  constructor(host: HTMLElement, detail: Exclude<Detail, 'all'>, events: SceneEvents) {
    this.#cy = cytoscape({
      container: host,
      style: styleFor(detail),
      minZoom: ZOOM.least,
      maxZoom: ZOOM.most,
      userZoomingEnabled: false, // wheel and pinch come from the layer above as well
      boxSelectionEnabled: false,
      autoungrabify: true,
      autounselectify: true,
    });
    this.#cy.on('viewport', () => events.onView(this.view()));
    this.#cy.on('tap', (event) =>
      events.onTap(event.target === this.#cy ? null : event.target.id().replace(/^[ne]:/, '')),
    );
    this.#cy.on(
      'dbltap',
      (event) => event.target !== this.#cy && events.onOpen(event.target.id().replace(/^[ne]:/, '')),
    );
    this.#stop = onTheme(() => this.#cy.style(styleFor(detail)));
  }

  close(): void {
    this.#stop();
    this.#cy.destroy();
  }

  view(): View {
    return { ...this.#cy.pan(), zoom: this.#cy.zoom() };
  }

  update(model: SceneModel, moveMs: number): void {
    this.#cy.batch(() => {
      const seen = new Set<string>();
      const fresh: cytoscape.ElementDefinition[] = [];
      for (const node of model.nodes) this.#putNode(`n:${node.id}`, node, { seen, fresh, moveMs });
      for (const edge of model.edges) this.#putEdge(`e:${edge.id}`, edge, { seen, fresh });
      if (fresh.length > 0) this.#cy.add(fresh);
      if (seen.size < this.#drawn.size) this.#removeBut(seen);
    });
    if (this.#isFitted || model.nodes.length === 0) return;
    this.#isFitted = true;
    this.fit();
  }

  #putNode(id: string, node: SceneNode, { seen, fresh, moveMs }: Putting & { readonly moveMs: number }): void {
    const before = this.#drawn.get(id) as SceneNode | undefined;
    seen.add(id);
    this.#drawn.set(id, node);
    const { x, y, w, h, label, classes } = node;
    if (before === undefined) {
      fresh.push({ group: 'nodes', data: { id, w, h, label }, position: { x, y }, classes });
      return;
    }
    if (before.w !== w || before.h !== h) this.#cy.getElementById(id).data({ w, h });
    if (before.classes !== classes) this.#cy.getElementById(id).classes(classes);
    if (before.x === x && before.y === y) return;
    const element = this.#cy.getElementById(id);
    if (moveMs > 0) element.animate({ position: { x, y } }, { duration: moveMs, easing: 'ease-out', queue: false });
    else element.position({ x, y });
  }

  #putEdge(id: string, edge: SceneEdge, { seen, fresh }: Putting): void {
    const before = this.#drawn.get(id) as SceneEdge | undefined;
    seen.add(id);
    this.#drawn.set(id, edge);
    const { width, turn, bend, weights, classes } = edge;
    if (before === undefined) {
      const data = { id, source: `n:${edge.source}`, target: `n:${edge.target}`, width, turn, bend, weights };
      fresh.push({ group: 'edges', data, classes });
      return;
    }
    if (before.width !== width) this.#cy.getElementById(id).data('width', width);
    if (before.turn !== turn || !isSame(before.bend, bend) || !isSame(before.weights, weights))
      this.#cy.getElementById(id).data({ turn, bend, weights });
    if (before.classes !== classes) this.#cy.getElementById(id).classes(classes);
  }

  /** Edges first: they are drawn last. */
  #removeBut(seen: ReadonlySet<string>): void {
    for (const id of [...this.#drawn.keys()].reverse()) {
      if (seen.has(id)) continue;
      this.#drawn.delete(id);
      this.#cy.getElementById(id).remove();
    }
  }

  move(id: string, point: Point): void {
    const node = this.#drawn.get(`n:${id}`);
    if (node !== undefined) this.#drawn.set(`n:${id}`, { ...node, ...point });
    this.#cy.getElementById(`n:${id}`).position({ ...point });
  }

  mark(chosenEdge: string | null, lit: ReadonlySet<string> | null): void {
    if (!this.#isMarked && chosenEdge === null && lit === null) return;
    this.#isMarked = chosenEdge !== null || lit !== null;
    this.#cy.batch(() => {
      this.#cy.edges('.chosen,.apart').removeClass('chosen apart');
      if (chosenEdge !== null) this.#cy.getElementById(`e:${chosenEdge}`).addClass('chosen');
      if (lit === null) return;
      for (const edge of this.#cy.edges()) {
        if (!lit.has(edge.source().id().slice(2)) || !lit.has(edge.target().id().slice(2))) edge.addClass('apart');
      }
    });
  }

  fit(): void {
    this.#cy.resize();
    this.#cy.fit(undefined, FIT_PADDING);
    if (this.#cy.zoom() > 1) {
      this.#cy.zoom(1);
      this.#cy.center();
    }
  }

  frame(box: Box, moveMs: number): void {
    const { zoom, ...pan } = fitted(box, this.#size());
    this.#cy.stop();
    if (moveMs > 0) this.#cy.animate({ zoom, pan }, { duration: moveMs, easing: 'ease-out' });
    else this.#cy.viewport({ zoom, pan });
  }

  #size() {
    return { width: this.#cy.width(), height: this.#cy.height() };
  }

  zoomBy(factor: number, at?: Point): void {
    const level = Math.min(ZOOM.most, Math.max(ZOOM.least, this.#cy.zoom() * factor));
    this.#cy.zoom({ level, renderedPosition: at ?? { x: this.#cy.width() / 2, y: this.#cy.height() / 2 } });
  }

  panBy(x: number, y: number): void {
    this.#cy.panBy({ x, y });
  }

  isInView(box: Box): boolean {
    return isInView(box, this.view(), this.#size());
  }

  show(point: Point): void {
    const { x1, y1, x2, y2 } = this.#cy.extent();
    const isSeen = point.x > x1 + 80 && point.x < x2 - 80 && point.y > y1 + 30 && point.y < y2 - 30;
    if (!isSeen) this.panBy(((x1 + x2) / 2 - point.x) * this.#cy.zoom(), ((y1 + y2) / 2 - point.y) * this.#cy.zoom());
  }

  resize(): void {
    this.#cy.resize();
  }
}

interface Putting {
  readonly seen: Set<string>;
  readonly fresh: cytoscape.ElementDefinition[];
}

function isSame(a: readonly number[], b: readonly number[]): boolean {
  return a === b || (a.length === b.length && a.every((value, i) => value === b[i]));
}
