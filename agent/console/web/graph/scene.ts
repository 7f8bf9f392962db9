/**
 * The canvas below the cards: edges, and dots where every service is one. Kept outside React; told what to draw, it changes only
 * what differs. Pan and zoom are its, and the layer of cards follows.
 * @module
 */
import cytoscape from 'cytoscape';
import { onTheme } from '../theme/theme.ts';
import { styleFor } from './cy-style.ts';
import type { Point } from './geometry.ts';
import type { Detail } from './lod.ts';
import type { SceneEdge, SceneModel, SceneNode } from './scene-model.ts';

export interface View {
  readonly x: number;
  readonly y: number;
  readonly zoom: number;
}
export interface SceneEvents {
  readonly onView: (view: View) => void;
  /** An edge or, where services are dots of the canvas, a service; null: the ground. */
  readonly onTap: (id: string | null) => void;
  readonly onOpen: (id: string) => void;
}
const ZOOM = { least: 0.08, most: 3 } as const;
const FIT_PADDING = 24;

export class Scene {
  readonly #cy: cytoscape.Core;
  readonly #drawn = new Map<string, string>();
  readonly #stop: () => void;
  #isFitted = false;

  constructor(host: HTMLElement, detail: Detail, events: SceneEvents) {
    this.#cy = cytoscape({
      container: host,
      style: styleFor(detail),
      minZoom: ZOOM.least,
      maxZoom: ZOOM.most,
      userZoomingEnabled: false, // wheel and pinch come from the layer above as well
      boxSelectionEnabled: false,
      autoungrabify: true,
      autounselectify: true,
      textureOnViewport: detail === 'all',
      ...(detail === 'all' ? { pixelRatio: 1 } : {}),
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

  /** Fits once, the first time there is something. */
  update(model: SceneModel): void {
    this.#cy.batch(() => {
      const seen = new Set<string>();
      for (const node of model.nodes) this.#put(`n:${node.id}`, node, seen);
      for (const edge of model.edges) this.#put(`e:${edge.id}`, edge, seen);
      for (const id of [...this.#drawn.keys()].reverse()) {
        if (seen.has(id)) continue;
        this.#drawn.delete(id);
        this.#cy.getElementById(id).remove();
      }
    });
    if (this.#isFitted || model.nodes.length === 0) return;
    this.#isFitted = true;
    this.fit();
  }

  #put(id: string, one: SceneNode | SceneEdge, seen: Set<string>): void {
    seen.add(id);
    const now =
      'source' in one
        ? `${one.width} ${one.classes} ${one.bend}`
        : `${one.x} ${one.y} ${one.w} ${one.h} ${one.classes}`;
    const before = this.#drawn.get(id);
    if (before === now) return;
    this.#drawn.set(id, now);
    const { classes, id: _, ...data } = one;
    if (before !== undefined) {
      const element = this.#cy.getElementById(id);
      const { source: _s, target: _t, ...rest } = data as Partial<SceneEdge>;
      element.data(rest).classes(classes);
      if ('x' in one) element.position({ x: one.x, y: one.y });
    } else if ('source' in one) {
      this.#cy.add({
        group: 'edges',
        data: { ...data, id, source: `n:${one.source}`, target: `n:${one.target}` },
        classes,
      });
    } else this.#cy.add({ group: 'nodes', data: { ...data, id }, position: { x: one.x, y: one.y }, classes });
  }

  move(id: string, point: Point): void {
    this.#cy.getElementById(`n:${id}`).position({ ...point });
  }

  /** Marks an edge, and sets apart all that is not `lit`; null: nothing is set apart. */
  mark(chosenEdge: string | null, lit: ReadonlySet<string> | null): void {
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

  /** Around a place of the host; without one, its middle. */
  zoomBy(factor: number, at?: Point): void {
    const level = Math.min(ZOOM.most, Math.max(ZOOM.least, this.#cy.zoom() * factor));
    this.#cy.zoom({ level, renderedPosition: at ?? { x: this.#cy.width() / 2, y: this.#cy.height() / 2 } });
  }

  panBy(x: number, y: number): void {
    this.#cy.panBy({ x, y });
  }

  /** Brings a place into view, if it is not. */
  show(point: Point): void {
    const { x1, y1, x2, y2 } = this.#cy.extent();
    const isSeen = point.x > x1 + 80 && point.x < x2 - 80 && point.y > y1 + 30 && point.y < y2 - 30;
    if (!isSeen) this.panBy(((x1 + x2) / 2 - point.x) * this.#cy.zoom(), ((y1 + y2) / 2 - point.y) * this.#cy.zoom());
  }

  resize(): void {
    this.#cy.resize();
  }
}
