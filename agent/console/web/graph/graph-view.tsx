/**
 * The graph: cards above, edges on the canvas below, moved together. Nothing in it moves by itself: what is new is placed, what
 * is dragged stays there; only Tidy, and opening a namespace in place, move others.
 * @module
 */
import {
  type KeyboardEvent,
  type PointerEvent,
  type Ref,
  useCallback,
  useEffect,
  useImperativeHandle,
  useRef,
  useState,
} from 'react';
import type { Topology, TopologyNode } from '../../shapes/topology.ts';
import type { ApiError } from '../state/api.ts';
import { ErrorState } from '../ui/states.tsx';
import { dragCard, dragGround } from './drag.ts';
import { enclosing, type Point } from './geometry.ts';
import { Layers } from './layers.tsx';
import { type LayoutDesk, unloaded } from './layout-desk.ts';
import type { Detail } from './lod.ts';
import type { GraphScene } from './scene.ts';
import { sceneFor } from './scene-code.ts';
import { sceneModel } from './scene-model.ts';
import { useMotion } from './use-motion.ts';
import { usePlaces } from './use-places.ts';
import type { View } from './viewport.ts';
import { neighbourTo } from './walk.ts';

export interface GraphHandle {
  zoomBy(factor: number): void;
  fit(): void;
  /** Lays out anew; what was before comes back by `undoTidy`. */
  tidy(): void;
  undoTidy(): void;
}

interface Props {
  readonly ref: Ref<GraphHandle>;
  readonly part: Pick<Topology, 'nodes' | 'edges'>;
  readonly detail: Detail;
  readonly desk: LayoutDesk;
  /** Under which places are kept: view and namespaces. */
  readonly layoutKey: string;
  /** Namespaces open in place, the one opened last at the end. */
  readonly open: ReadonlySet<string>;
  /** `pay/ledger`, `pay/payments>pay/ledger`, `ns:pay`. */
  readonly chosen: string | null;
  /** Set apart is what is not among these. */
  readonly lit: ReadonlySet<string> | null;
  /** Seen in this range, and no more. */
  readonly gone: ReadonlySet<string>;
  readonly onChoose: (id: string | null) => void;
  readonly onOpen: (id: string) => void;
  /** A dot was clicked. */
  readonly onDot: (node: TopologyNode) => void;
}

const FAR_ZOOM = 0.45;

export function GraphView(props: Props) {
  const { part, detail, desk, layoutKey, chosen, lit, gone, onChoose, onOpen, onDot } = props;
  const root = useRef<HTMLDivElement>(null);
  const host = useRef<HTMLDivElement>(null);
  const layers = useRef<(HTMLDivElement | null)[]>([]);
  const scene = useRef<GraphScene>(undefined);
  const places = usePlaces(part, { desk, layoutKey, detail, open: props.open });
  const { positions, boxes, open, isFirst } = places;
  const latest = useRef({ onChoose, onOpen, places });
  latest.current = { onChoose, onOpen, places };
  const motion = useMotion(root, open);
  /** How often a scene came, later than its effect: what it shows has to be told to it then. */
  const [late, setLate] = useState(0);
  const [undrawn, setUndrawn] = useState<ApiError>();
  const [turn, setTurn] = useState(0);

  useEffect(() => {
    const onView = ({ x, y, zoom }: View) => {
      for (const layer of layers.current) {
        if (layer === null) continue;
        layer.style.transform = `translate(${x}px, ${y}px) scale(${zoom})`;
        layer.classList.toggle('is-far', zoom < FAR_ZOOM);
      }
    };
    const element = host.current!;
    const events = {
      onView,
      onTap: (id: string | null) => latest.current.onChoose(id),
      onOpen: (id: string) => latest.current.onOpen(id),
    };
    let isOver = false;
    sceneFor(detail).then(
      (make) => {
        if (isOver) return;
        scene.current = make(element, events);
        setLate((before) => before + 1);
      },
      () => isOver || setUndrawn(unloaded('drawing')),
    );
    const sizes = new ResizeObserver(() => scene.current?.resize());
    sizes.observe(element);
    const onWheel = (event: WheelEvent) => {
      event.preventDefault();
      const { left, top } = element.getBoundingClientRect();
      scene.current?.zoomBy(Math.exp(-event.deltaY / (event.deltaMode === 1 ? 20 : 500)), {
        x: event.clientX - left,
        y: event.clientY - top,
      });
    };
    const whole = root.current!;
    whole.addEventListener('wheel', onWheel, { passive: false });
    return () => {
      isOver = true;
      whole.removeEventListener('wheel', onWheel);
      sizes.disconnect();
      scene.current?.close();
      scene.current = undefined;
    };
  }, [detail, layoutKey, turn]);

  const drawnFor = detail === 'cards' ? chosen : null;
  useEffect(() => {
    if (isFirst || scene.current === undefined) return; // nothing has its place, or nobody draws it
    const { ms, to } = motion.take();
    scene.current.update(sceneModel(part, { detail, positions, boxes, open, chosen: drawnFor }), ms);
    const box = to === 'all' ? enclosing(boxes.values()) : to === undefined ? undefined : boxes.get(to);
    if (box !== undefined && (to === 'all' || !scene.current.isInView(box))) scene.current.frame(box, ms);
  }, [part, detail, positions, boxes, open, isFirst, drawnFor, layoutKey, motion, late]);
  useEffect(() => {
    const isCall = chosen?.includes('>') ?? false;
    scene.current?.mark(isCall ? chosen : null, detail === 'dots' ? null : lit);
  }, [chosen, lit, detail, part, late]);

  useImperativeHandle(props.ref, () => ({
    zoomBy: (factor) => scene.current?.zoomBy(factor),
    fit: () => scene.current?.fit(),
    tidy: () => places.tidy(() => motion.start('all')),
    undoTidy: () => {
      motion.start('all');
      places.undo();
    },
  }));

  const onDown = useCallback((id: string, event: PointerEvent<HTMLButtonElement>) => {
    dragCard(event, {
      start: latest.current.places.positions.get(id)!,
      zoom: scene.current?.view().zoom ?? 1,
      within: (point) => latest.current.places.within(id, point),
      onMove: (point) => scene.current?.move(id, point),
      onEnd: (point) => latest.current.places.put(id, point),
    });
  }, []);

  /** Arrows walk along calls; with Alt they move the card. */
  const onKeyDown = (event: KeyboardEvent) => {
    const id = (event.target as HTMLElement).dataset.id;
    if (id === undefined || !event.key.startsWith('Arrow')) return;
    event.preventDefault();
    const at = positions.get(id);
    if (event.altKey && at !== undefined) {
      const step = ARROWS[event.key]!;
      return places.put(id, { x: at.x + step.x * 8, y: at.y + step.y * 8 });
    }
    const next = neighbourTo(id, event.key, part, positions);
    if (next === undefined) return;
    const point = positions.get(next);
    if (point !== undefined) scene.current?.show(point);
    const namespace = part.nodes.find((node) => node.id === next)?.namespace ?? '';
    const found = [next, `ns:${namespace}`].map((name) =>
      root.current!.querySelector<HTMLElement>(`[data-id="${CSS.escape(name)}"]`),
    );
    (found[0] ?? found[1])?.focus();
  };
  const problem = undrawn ?? places.problem;
  const retry = () => {
    if (undrawn !== undefined) setTurn(turn + 1);
    setUndrawn(undefined);
    if (places.problem !== undefined) places.again();
  };
  const idOf = (target: EventTarget) =>
    (target as Element).closest<HTMLElement>('.node-card, .ns-title, .ns-card > button')?.dataset.id;

  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: keys of the cards inside
    <div
      className={`graph is-${detail}${isFirst || late === 0 ? ' is-waiting' : ''}`}
      ref={root}
      aria-busy={problem === undefined && (isFirst || late === 0)}
      onKeyDown={onKeyDown}
      onPointerDown={(event) => {
        if ((event.target as Element).closest('.ns-card')) dragGround(event, (x, y) => scene.current?.panBy(x, y));
      }}
      onClick={(event) => {
        const id = idOf(event.target);
        if (id !== undefined && !id.startsWith('ns:')) onChoose(id);
      }}
      onDoubleClick={(event) => {
        const id = idOf(event.target);
        if (id !== undefined) onOpen(id);
      }}
    >
      <Layers {...{ part, detail, positions, boxes, open, chosen, lit, gone, onDown, onChoose, onDot, layers }} />
      <div className="graph-canvas" ref={host} />
      {problem !== undefined && <ErrorState error={problem} onRetry={retry} />}
    </div>
  );
}

const ARROWS: Readonly<Record<string, Point>> = {
  ArrowLeft: { x: -1, y: 0 },
  ArrowRight: { x: 1, y: 0 },
  ArrowUp: { x: 0, y: -1 },
  ArrowDown: { x: 0, y: 1 },
};
