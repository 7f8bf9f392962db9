/**
 * The least edits from one list to another, after Myers, "An O(ND) Difference Algorithm" (1986), §3, greedy forward with the
 * trace kept. Pure.
 * @module
 */
export interface Edit {
  readonly kind: 'same' | 'gone' | 'new';
  /** Places in the two lists, from 0; -1 where it is in one only. */
  readonly left: number;
  readonly right: number;
}

/** Lists that are further apart than this many edits are told as all gone and all new: time and memory grow with its square. */
const MAX_EDITS = 2_000;

export function edits<T>(left: readonly T[], right: readonly T[]): Edit[] {
  const trace = search(left, right);
  if (trace === undefined) {
    return [
      ...left.map((_, i): Edit => ({ kind: 'gone', left: i, right: -1 })),
      ...right.map((_, i): Edit => ({ kind: 'new', left: -1, right: i })),
    ];
  }
  const found: Edit[] = [];
  let x = left.length;
  let y = right.length;
  for (let d = trace.length - 1; d > 0; d -= 1) {
    const reached = trace[d - 1]!;
    const k = x - y;
    const isNew = k === -d || (k !== d && at(reached, k - 1) < at(reached, k + 1));
    const fromK = isNew ? k + 1 : k - 1;
    const fromX = at(reached, fromK);
    const fromY = fromX - fromK;
    while (x > fromX && y > fromY && x > 0 && y > 0 && left[x - 1] === right[y - 1]) {
      x -= 1;
      y -= 1;
      found.push({ kind: 'same', left: x, right: y });
    }
    if (isNew) found.push({ kind: 'new', left: -1, right: fromY });
    else found.push({ kind: 'gone', left: fromX, right: -1 });
    x = fromX;
    y = fromY;
  }
  while (x > 0) {
    x -= 1;
    found.push({ kind: 'same', left: x, right: x });
  }
  return found.reverse();
}

/** Of each number of edits the furthest place in `left` by diagonal; undefined past `MAX_EDITS`. */
function search<T>(left: readonly T[], right: readonly T[]): ReadonlyMap<number, number>[] | undefined {
  const trace: Map<number, number>[] = [];
  let before = new Map<number, number>([[1, 0]]);
  const most = Math.min(left.length + right.length, MAX_EDITS);
  for (let d = 0; d <= most; d += 1) {
    const reached = new Map<number, number>();
    for (let k = -d; k <= d; k += 2) {
      const isNew = k === -d || (k !== d && at(before, k - 1) < at(before, k + 1));
      let x = isNew ? at(before, k + 1) : at(before, k - 1) + 1;
      while (x < left.length && x - k < right.length && left[x] === right[x - k]) x += 1;
      reached.set(k, x);
      if (x >= left.length && x - k >= right.length) return [...trace, reached];
    }
    trace.push(reached);
    before = reached;
  }
  return undefined;
}

function at(reached: ReadonlyMap<number, number>, k: number): number {
  return reached.get(k) ?? -1;
}
