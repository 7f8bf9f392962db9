/**
 * The graph: cards above, edges on the canvas below, moved together. Nothing in it moves by itself: what is new is placed, what
 * is dragged stays there, and only Tidy lays it out again.
 * @module
 */
import {
  type KeyboardEvent,
  type PointerEvent,
  type Ref,
  useCallback,
  useEffect,
  useImperativeHandle,
  useMemo,
  useRef,
  useState,
} from 'react';
import type { Topology, TopologyNode } from '../../shapes/topology.ts';
import { Card, DotsCard, NamespaceBox, NamespaceTitle } from './cards.tsx';
import { boxesOf, type Point, type Positions } from './geometry.ts';
import { hubsOf, layout } from './layout.ts';
import { type Detail, namespaceSums } from './lod.ts';
import { place } from './place.ts';
import { loadPositions, savePositions } from './positions.ts';
import { Scene, type View } from './scene.ts';
import { geometryOf, sceneModel } from './scene-model.ts';
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
  /** Under which places are kept: view and namespaces. */
  readonly layoutKey: string;
  /** `pay/ledger`, `pay/payments>pay/ledger`, `ns:pay`. */
  readonly chosen: string | null;
  /** Set apart is what is not among these. */
  readonly lit: ReadonlySet<string> | null;
  /** Seen in this range, and no more. */
  readonly gone: ReadonlySet<string>;
  readonly onChoose: (id: string | null) => void;
  readonly onOpen: (id: string) => void;
}

const DRAG_PX = 4;

export function GraphView(props: Props) {
  const { part, detail, layoutKey, chosen, lit, gone, onChoose, onOpen } = props;
  const host = useRef<HTMLDivElement>(null);
  const layers = useRef<(HTMLDivElement | null)[]>([]);
  const scene = useRef<Scene>(undefined);
  const geometry = geometryOf(detail);
  const key = `${layoutKey}/${geometry.perRow === null ? 'cards' : 'dots'}`;
  const [kept, setKept] = useState<{ key: string; positions: Positions }>(() => ({
    key,
    positions: loadPositions(key),
  }));
  const before = useRef<Positions>(undefined);
  const edges = useMemo(
    () => part.edges.map(({ from, to, requestsPerSec }) => ({ from, to, rate: requestsPerSec })),
    [part],
  );
  const base = kept.key === key ? kept.positions : loadPositions(key);
  const positions = useMemo(() => place(base, part.nodes, edges, geometry), [base, part, edges, geometry]);
  const latest = useRef({ onChoose, onOpen, positions, key });
  latest.current = { onChoose, onOpen, positions, key };

  const keep = useCallback((next: Positions) => {
    setKept({ key: latest.current.key, positions: next });
    savePositions(latest.current.key, next);
  }, []);
  useEffect(() => {
    if (positions !== base || kept.key !== key) keep(positions);
  }, [positions, base, kept.key, key, keep]);

  useEffect(() => {
    const onView = ({ x, y, zoom }: View) => {
      for (const layer of layers.current) {
        if (layer === null) continue;
        layer.style.transform = `translate(${x}px, ${y}px) scale(${zoom})`;
        layer.classList.toggle('is-far', zoom < 0.45);
      }
    };
    const element = host.current!;
    const made = new Scene(element, detail, {
      onView,
      onTap: (id) => latest.current.onChoose(id),
      onOpen: (id) => latest.current.onOpen(id),
    });
    scene.current = made;
    const sizes = new ResizeObserver(() => made.resize());
    sizes.observe(element);
    const onWheel = (event: WheelEvent) => {
      event.preventDefault();
      const { left, top } = element.getBoundingClientRect();
      made.zoomBy(Math.exp(-event.deltaY / (event.deltaMode === 1 ? 20 : 500)), {
        x: event.clientX - left,
        y: event.clientY - top,
      });
    };
    const root = element.parentElement!;
    root.addEventListener('wheel', onWheel, { passive: false });
    return () => {
      root.removeEventListener('wheel', onWheel);
      sizes.disconnect();
      made.close();
    };
  }, [detail, layoutKey]);

  useEffect(
    () => scene.current?.update(sceneModel(part, { detail, positions, chosen })),
    [part, detail, positions, chosen, layoutKey],
  );
  useEffect(
    () => scene.current?.mark(chosen?.includes('>') ? chosen : null, detail === 'dots' ? null : lit),
    [chosen, lit, detail, part],
  );

  useImperativeHandle(props.ref, () => ({
    zoomBy: (factor) => scene.current?.zoomBy(factor),
    fit: () => scene.current?.fit(),
    tidy: () => {
      before.current = positions;
      keep(layout(part.nodes, edges, geometry));
      requestAnimationFrame(() => requestAnimationFrame(() => scene.current?.fit()));
    },
    undoTidy: () => before.current && keep(before.current),
  }));

  const onDown = useCallback(
    (id: string, event: PointerEvent<HTMLButtonElement>) =>
      dragCard(id, event, {
        start: latest.current.positions.get(id)!,
        zoom: scene.current?.view().zoom ?? 1,
        geometry,
        onMove: (point) => scene.current?.move(id, point),
        onEnd: (point) => keep(new Map(latest.current.positions).set(id, point)),
      }),
    [geometry, keep],
  );

  /** Arrows walk along calls; with Alt they move the card. */
  const onKeyDown = (event: KeyboardEvent) => {
    const id = (event.target as HTMLElement).dataset.id;
    if (id === undefined || !event.key.startsWith('Arrow')) return;
    event.preventDefault();
    const at = positions.get(id);
    if (event.altKey && at !== undefined) {
      const step = ARROWS[event.key]!;
      return keep(new Map(positions).set(id, { x: at.x + step.x * 8, y: at.y + step.y * 8 }));
    }
    const next = neighbourTo(id, event.key, part, positions);
    if (next === undefined) return;
    scene.current?.show(positions.get(next)!);
    (event.currentTarget as HTMLElement).querySelector<HTMLElement>(`[data-id="${CSS.escape(next)}"]`)?.focus();
  };

  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: keys of the cards inside
    <div
      className={`graph is-${detail}`}
      onKeyDown={onKeyDown}
      onClick={(event) => {
        const id = (event.target as Element).closest<HTMLElement>('.node-card')?.dataset.id;
        if (id !== undefined) onChoose(id);
      }}
      onDoubleClick={(event) => {
        const id = (event.target as Element).closest<HTMLElement>('.node-card')?.dataset.id;
        if (id !== undefined) onOpen(id);
      }}
    >
      <Layers {...{ part, detail, positions, chosen, lit, gone, onDown, onChoose }} layers={layers} />
      <div className="graph-canvas" ref={host} />
    </div>
  );
}

const ARROWS: Readonly<Record<string, Point>> = {
  ArrowLeft: { x: -1, y: 0 },
  ArrowRight: { x: 1, y: 0 },
  ArrowUp: { x: 0, y: -1 },
  ArrowDown: { x: 0, y: 1 },
};

type LayerProps = Pick<Props, 'part' | 'detail' | 'chosen' | 'lit' | 'gone'> & {
  readonly positions: Positions;
  readonly onDown: (id: string, event: PointerEvent<HTMLButtonElement>) => void;
  readonly onChoose: (id: string) => void;
  readonly layers: React.RefObject<(HTMLDivElement | null)[]>;
};

function Layers({ part, detail, positions, chosen, lit, gone, onDown, onChoose, layers }: LayerProps) {
  const calls = useMemo(() => countCalls(part), [part]);
  const hubs = useMemo(
    () =>
      hubsOf(
        part.nodes.length,
        part.edges.map(({ from, to }) => ({ from, to, rate: null })),
      ),
    [part],
  );
  const boxes = useMemo(() => boxesOf(part.nodes, positions, geometryOf(detail)), [part.nodes, positions, detail]);
  const sums = useMemo(() => (detail === 'dots' ? namespaceSums(part.nodes) : []), [part.nodes, detail]);
  const under = (element: HTMLDivElement | null) => {
    layers.current[0] = element;
  };
  const above = (element: HTMLDivElement | null) => {
    layers.current[1] = element;
  };
  const cards = (node: TopologyNode, i: number) => {
    const point = positions.get(node.id);
    return (
      point && (
        <Card
          key={node.id}
          node={node}
          x={point.x}
          y={point.y}
          callers={calls.callers[i]!}
          callees={calls.callees[i]!}
          isHub={hubs.has(i)}
          isChosen={chosen === node.id}
          isApart={lit !== null && !lit.has(node.id)}
          isGone={gone.has(node.id)}
          onDown={onDown}
        />
      )
    );
  };
  return (
    <>
      <div className="graph-layer is-under" ref={under}>
        {detail === 'cards' && [...boxes].map(([name, box]) => <NamespaceBox key={name} box={box} />)}
      </div>
      <div className="graph-layer" ref={above}>
        {detail === 'cards' &&
          [...boxes].map(([name, box]) => <NamespaceTitle key={name} {...{ name, box, onChoose }} />)}
        {detail === 'cards' && part.nodes.map(cards)}
        {sums.map((sum) => {
          const box = boxes.get(sum.name);
          return box && <DotsCard key={sum.name} {...{ sum, box, positions, chosen, onChoose }} />;
        })}
      </div>
    </>
  );
}

function countCalls({ nodes, edges }: Pick<Topology, 'nodes' | 'edges'>): { callers: number[]; callees: number[] } {
  const callers = new Array<number>(nodes.length).fill(0);
  const callees = new Array<number>(nodes.length).fill(0);
  for (const { from, to } of edges) {
    callers[to] = (callers[to] ?? 0) + 1;
    callees[from] = (callees[from] ?? 0) + 1;
  }
  return { callers, callees };
}

interface Drag {
  readonly start: Point;
  readonly zoom: number;
  readonly geometry: { readonly width: number; readonly height: number };
  readonly onMove: (point: Point) => void;
  readonly onEnd: (point: Point) => void;
}

/** Follows the pointer outside React; a click that moves no further than some pixels stays a click. */
function dragCard(
  _id: string,
  event: PointerEvent<HTMLButtonElement>,
  { start, zoom, geometry, onMove, onEnd }: Drag,
): void {
  if (event.button !== 0) return;
  const card = event.currentTarget;
  const [x, y] = [event.clientX, event.clientY];
  let at: Point | undefined;
  const move = (moved: globalThis.PointerEvent) => {
    const [dx, dy] = [moved.clientX - x, moved.clientY - y];
    if (at === undefined && Math.hypot(dx, dy) < DRAG_PX) return;
    at = { x: Math.round(start.x + dx / zoom), y: Math.round(start.y + dy / zoom) };
    card.style.transform = `translate(${at.x - geometry.width / 2}px, ${at.y - geometry.height / 2}px)`;
    onMove(at);
  };
  const end = () => {
    card.removeEventListener('pointermove', move);
    if (at === undefined) return;
    onEnd(at);
    card.addEventListener('click', (click) => click.stopPropagation(), { once: true, capture: true });
  };
  card.setPointerCapture(event.pointerId);
  card.addEventListener('pointermove', move);
  card.addEventListener('pointerup', end, { once: true });
  card.addEventListener('pointercancel', end, { once: true });
}
