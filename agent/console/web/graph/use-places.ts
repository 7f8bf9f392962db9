/** Where everything is: kept in this browser, changed by dragging and by Tidy alone; what has no place yet is given one. @module */
import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import type { Topology } from '../../shapes/topology.ts';
import { type Box, boxesOf, CARDS, type Point, type Positions } from './geometry.ts';
import { layout } from './layout.ts';
import type { Detail } from './lod.ts';
import { fromCorner, inside, type Spread, spread } from './open.ts';
import { place } from './place.ts';
import { loadPositions, savePositions } from './positions.ts';
import { geometryOf } from './scene-model.ts';

type Part = Pick<Topology, 'nodes' | 'edges'>;

export interface Places extends Spread {
  /** Where a card may be, nearest to a place: not left of the corner of a namespace that is open, nor above. */
  within(id: string, point: Point): Point;
  /** A card was let go there. */
  put(id: string, point: Point): void;
  /** Lays out anew; what was before comes back by `undo`. */
  tidy(): void;
  undo(): boolean;
}

interface Options {
  /** Of view and namespaces. */
  readonly layoutKey: string;
  readonly detail: Detail;
  readonly open: ReadonlySet<string>;
}

export function usePlaces(part: Part, { layoutKey, detail, open }: Options): Places {
  const geometry = geometryOf(detail);
  const [outer, keepOuter] = useKept(`${layoutKey}/${geometry === CARDS ? 'cards' : 'dots'}`);
  const [inner, keepInner] = useKept(`${layoutKey}/inside`);
  const { nodes } = part;
  const placed = useMemo(() => {
    if (nodes.every(({ id }) => outer.has(id))) return outer;
    return place(outer, nodes, callsOf(part), geometry);
  }, [outer, nodes, part, geometry]);
  const own = useMemo(() => inside(inner, part, open), [inner, part, open]);
  useEffect(() => {
    if (placed !== outer) keepOuter(placed);
    if (own !== inner) keepInner(own);
  }, [placed, outer, own, inner, keepOuter, keepInner]);
  const { positions, boxes } = useMemo(
    () =>
      geometry === CARDS
        ? { positions: placed, boxes: boxesOf(nodes, placed, CARDS) }
        : spread(nodes, placed, own, open),
    [nodes, placed, own, open, geometry],
  );
  const before = useRef<{ outer: Positions; inner: Positions }>(undefined);
  const namespaces = useMemo(() => new Map(nodes.map(({ id, namespace }) => [id, namespace])), [nodes]);
  const openBox = (id: string): Box | undefined => {
    const name = namespaces.get(id) ?? '';
    return open.has(name) ? boxes.get(name) : undefined;
  };
  const within = (id: string, point: Point) => {
    const box = openBox(id);
    if (box === undefined) return point;
    const { x, y } = fromCorner(point, box);
    return { x: x + box.left, y: y + box.top };
  };
  const put = (id: string, point: Point) => {
    const box = openBox(id);
    if (box !== undefined) keepInner(new Map(own).set(id, fromCorner(point, box)));
    else keepOuter(new Map(placed).set(id, point));
  };
  const tidy = () => {
    before.current = { outer: placed, inner: own };
    keepOuter(layout(nodes, callsOf(part), geometry));
    keepInner(new Map());
  };
  const undo = () => {
    if (before.current === undefined) return false;
    keepOuter(before.current.outer);
    keepInner(before.current.inner);
    return true;
  };
  return { positions, boxes, within, put, tidy, undo };
}

function callsOf({ edges }: Part) {
  return edges.map(({ from, to, requestsPerSec }) => ({ from, to, rate: requestsPerSec }));
}

function useKept(key: string): readonly [Positions, (next: Positions) => void] {
  const [kept, setKept] = useState(() => ({ key, positions: loadPositions(key) }));
  const positions = useMemo(() => (kept.key === key ? kept.positions : loadPositions(key)), [kept, key]);
  const keep = useCallback(
    (next: Positions) => {
      setKept({ key, positions: next });
      savePositions(key, next);
    },
    [key],
  );
  return [positions, keep];
}
