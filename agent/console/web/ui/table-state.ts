/** What a table keeps between drawings: the order of its rows while it is used, and which of them are seen. @module */
import { type RefObject, useEffect, useMemo, useRef, useState } from 'react';
import { type Sort, sortRows, type Valued } from './table-rows.ts';

/** Drawn above and below what is seen. */
const SPARE = 12;

/** The order of before stays while the table is in use; new rows come last. */
export function useFrozenOrder<R>(
  rows: readonly R[],
  columns: readonly Valued<R>[],
  sort: Sort | undefined,
  rowKey: (row: R) => string,
) {
  const [isHeld, setHeld] = useState(false);
  const order = useRef<{ keys: ReadonlyMap<string, number>; sort: Sort | undefined }>({ keys: new Map(), sort });
  const [turn, setTurn] = useState(0);
  const lastTurn = useRef(turn);
  const fresh = useMemo(() => sortRows(rows, columns, sort), [rows, columns, sort]);
  const isFrozen = isHeld && order.current.sort === sort && lastTurn.current === turn && order.current.keys.size > 0;
  lastTurn.current = turn;
  let sorted = fresh;
  if (isFrozen) {
    const place = (row: R) => order.current.keys.get(rowKey(row)) ?? Number.MAX_SAFE_INTEGER;
    sorted = fresh.toSorted((a, b) => place(a) - place(b));
  } else order.current = { keys: new Map(fresh.map((row, i) => [rowKey(row), i])), sort };
  const moved = isFrozen ? fresh.filter((row, i) => rowKey(row) !== rowKey(sorted[i]!)).length : 0;
  const hold = {
    onPointerEnter: () => setHeld(true),
    onPointerLeave: () => setHeld(false),
    onFocus: () => setHeld(true),
    onBlur: () => setHeld(false),
  };
  return { sorted, moved, hold, thaw: () => setTurn((value) => value + 1) };
}

/** Rows from and to which are drawn, by what of the scrolling parent is seen. */
export function useView(
  root: RefObject<HTMLDivElement | null>,
  rows: number,
  rowPx: number,
): readonly [number, number] {
  const [view, setView] = useState<readonly [number, number]>([0, 60]);
  useEffect(() => {
    const element = root.current;
    if (rows === 0 || element === null) return;
    const look = () => {
      const from = Math.max(0, Math.floor(element.scrollTop / rowPx) - SPARE);
      const to = Math.min(rows, Math.ceil((element.scrollTop + element.clientHeight) / rowPx) + SPARE);
      setView((before) => (before[0] === from && before[1] === to ? before : [from, to]));
    };
    look();
    element.addEventListener('scroll', look, { passive: true });
    const sizes = new ResizeObserver(look);
    sizes.observe(element);
    return () => {
      element.removeEventListener('scroll', look);
      sizes.disconnect();
    };
  }, [root, rows, rowPx]);
  return view;
}
