/** Where everything is: kept in this browser, changed by dragging and by Tidy alone; what has no place yet is given one. @module */
import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import type { Topology } from '../../shapes/topology.ts';
import type { ApiError } from '../state/api.ts';
import { type Box, boxesOf, CARDS, type Point, type Positions } from './geometry.ts';
import type { LayoutDesk } from './layout-desk.ts';
import type { Detail } from './lod.ts';
import { fromCorner, type Spread, spread } from './open.ts';
import type { PlacesFound } from './places-asked.ts';
import { loadPositions, savePositions } from './positions.ts';
import { geometryOf } from './scene-model.ts';

type Part = Pick<Topology, 'nodes' | 'edges'>;

export interface Places extends Spread {
  /** Of namespaces that are to be open, those of which it is known what is where. */
  readonly open: ReadonlySet<string>;
  /** Nothing is shown yet. */
  readonly isFirst: boolean;
  /** Why what is new has no place. */
  readonly problem: ApiError | undefined;
  /** Asks again after a problem. */
  again(): void;
  /** Where a card may be, nearest to a place: not left of the corner of a namespace that is open, nor above. */
  within(id: string, point: Point): Point;
  /** A card was let go there. */
  put(id: string, point: Point): void;
  /** Lays out anew; what was before comes back by `undo`. @param onFound just before it is shown */
  tidy(onFound: () => void): void;
  undo(): boolean;
}

interface Options {
  readonly desk: LayoutDesk;
  /** Of view and namespaces. */
  readonly layoutKey: string;
  readonly detail: Detail;
  readonly open: ReadonlySet<string>;
}

export function usePlaces(part: Part, { desk, layoutKey, detail, open }: Options): Places {
  const isCards = geometryOf(detail) === CARDS;
  const [outer, keepOuter] = useKept(`${layoutKey}/${isCards ? 'cards' : 'dots'}`);
  const [inner, keepInner] = useKept(`${layoutKey}/inside`);
  const [tidying, setTidying] = useState<{ readonly onFound: () => void }>();
  const [problem, setProblem] = useState<ApiError>();
  const [turn, setTurn] = useState(0);
  const { nodes } = part;
  const latest = useRef({ part, open });
  latest.current = { part, open };
  const before = useRef<{ outer: Positions; inner: Positions }>(undefined);

  /** Changes with who is there, not with figures; empty: all have their place. */
  const lacking = useMemo(() => {
    const isIn = ({ id, namespace }: { id: string; namespace: string }) =>
      outer.has(id) && (!open.has(namespace) || inner.has(id));
    if (tidying === undefined && nodes.every(isIn)) return '';
    return [...open, '', ...nodes.map(({ id }) => id)].join('\n');
  }, [nodes, open, outer, inner, tidying]);
  useEffect(() => {
    if (lacking === '') return;
    let isOver = false;
    const { part, open } = latest.current;
    const kept = tidying === undefined ? { outer, inner } : { outer: NO_POSITIONS, inner: NO_POSITIONS };
    const take = (found: PlacesFound | undefined) => {
      if (isOver || found === undefined) return;
      setProblem(undefined);
      if (tidying !== undefined) {
        before.current = { outer, inner };
        tidying.onFound();
        setTidying(undefined);
      }
      if (found.outer.size !== kept.outer.size || tidying !== undefined) keepOuter(found.outer);
      if (found.inner.size !== kept.inner.size || tidying !== undefined) keepInner(found.inner);
    };
    const asked = { nodes: part.nodes, edges: callsOf(part), isCards, open: [...open], ...kept };
    desk.ask(asked).then(take, (error: ApiError) => isOver || setProblem(error));
    return () => {
      isOver = true;
    };
  }, [lacking, tidying, turn, outer, inner, isCards, desk, keepOuter, keepInner]);

  const shown = useRef(false);
  shown.current ||= lacking === ''; // one picture, into which it is fitted once
  const isFirst = !shown.current;
  const openNames = [...open].filter((name) => nodes.some(({ id, namespace }) => namespace === name && inner.has(id)));
  const openKey = openNames.join('\n');
  const opened = useMemo(() => new Set(openKey.split('\n').filter(Boolean)), [openKey]);
  const { positions, boxes } = useMemo(() => {
    if (isFirst) return NOTHING;
    return isCards ? { positions: outer, boxes: boxesOf(nodes, outer, CARDS) } : spread(nodes, outer, inner, opened);
  }, [nodes, outer, inner, opened, isCards, isFirst]);

  const namespaces = useMemo(() => new Map(nodes.map(({ id, namespace }) => [id, namespace])), [nodes]);
  const openBox = (id: string): Box | undefined => {
    const name = namespaces.get(id) ?? '';
    return opened.has(name) ? boxes.get(name) : undefined;
  };
  const within = (id: string, point: Point) => {
    const box = openBox(id);
    if (box === undefined) return point;
    const { x, y } = fromCorner(point, box);
    return { x: x + box.left, y: y + box.top };
  };
  const put = (id: string, point: Point) => {
    const box = openBox(id);
    if (box !== undefined) keepInner(new Map(inner).set(id, fromCorner(point, box)));
    else keepOuter(new Map(outer).set(id, point));
  };
  const tidy = (onFound: () => void) => setTidying({ onFound });
  const undo = () => {
    setTidying(undefined);
    if (before.current === undefined) return false;
    keepOuter(before.current.outer);
    keepInner(before.current.inner);
    return true;
  };
  const again = () => {
    setProblem(undefined);
    setTurn(turn + 1);
  };
  return { positions, boxes, open: opened, isFirst, problem, again, within, put, tidy, undo };
}

const NO_POSITIONS: Positions = new Map();
const NOTHING: Spread = { positions: NO_POSITIONS, boxes: new Map() };

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
