/** Columns for a directed graph: cycles cut where it costs least, then the longest path; order by barycentre. Pure. @module */

export interface Arc {
  readonly from: number;
  readonly to: number;
  readonly weight: number;
}

/** Longest path from a source, by node; arcs that close a cycle do not count. */
export function ranks(count: number, arcs: readonly Arc[]): number[] {
  const place = orderOf(count, arcs);
  const out: number[][] = Array.from({ length: count }, () => []);
  for (const { from, to } of arcs) if (place[from]! < place[to]!) out[from]!.push(to);
  const rank = new Array<number>(count).fill(0);
  const byPlace = place.map((at, node) => [at, node] as const).sort((a, b) => a[0] - b[0]);
  for (const [, node] of byPlace) for (const to of out[node]!) rank[to] = Math.max(rank[to]!, rank[node]! + 1);
  return rank;
}

/** Eades, Lin, Smyth 1993: sinks last, sources first, else what gives most more than it takes. Places from 0. */
function orderOf(count: number, arcs: readonly Arc[]): number[] {
  const outs = new Array<number>(count).fill(0);
  const ins = new Array<number>(count).fill(0);
  const touching: Arc[][] = Array.from({ length: count }, () => []);
  for (const arc of arcs) {
    if (arc.from === arc.to) continue;
    outs[arc.from]! += arc.weight;
    ins[arc.to]! += arc.weight;
    touching[arc.from]!.push(arc);
    touching[arc.to]!.push(arc);
  }
  const left = new Set(Array.from({ length: count }, (_, i) => i));
  const place = new Array<number>(count).fill(0);
  let first = 0;
  let last = count - 1;
  const take = (node: number, at: number): void => {
    place[node] = at;
    left.delete(node);
    for (const { from, to, weight } of touching[node]!) {
      if (from === node && left.has(to)) ins[to]! -= weight;
      if (to === node && left.has(from)) outs[from]! -= weight;
    }
  };
  while (left.size > 0) {
    let best = -1;
    let isSink = false;
    for (const node of left) {
      if (isNone(ins[node]!)) {
        best = node;
        break;
      }
      if (isNone(outs[node]!)) {
        best = node;
        isSink = true;
        break;
      }
      if (best === -1 || outs[node]! - ins[node]! > outs[best]! - ins[best]!) best = node;
    }
    if (isSink) take(best, last--);
    else take(best, first++);
  }
  return place;
}

/** Weights are sums of rates, so zero is not exact. */
function isNone(weight: number): boolean {
  return weight < 1e-9;
}

/** Orders each column by the mean place of neighbours in the others: `sweeps` times, forwards and back. */
export function sweep(columns: readonly (readonly number[])[], arcs: readonly Arc[], sweeps: number): number[][] {
  const ordered = columns.map((column) => [...column]);
  const near = new Map<number, { node: number; weight: number }[]>();
  const note = (node: number, other: number, weight: number): void => {
    near.set(node, [...(near.get(node) ?? []), { node: other, weight }]);
  };
  for (const { from, to, weight } of arcs) {
    note(from, to, weight);
    note(to, from, weight);
  }
  const place = new Map<number, number>();
  const number = (column: readonly number[]): void => {
    for (const [i, node] of column.entries()) place.set(node, i - (column.length - 1) / 2);
  };
  ordered.forEach(number);
  for (let turn = 0; turn < sweeps; turn += 1) {
    for (const column of turn % 2 === 0 ? ordered : ordered.toReversed()) {
      const centre = new Map(column.map((node) => [node, barycentre(near.get(node) ?? [], place) ?? place.get(node)!]));
      column.sort((a, b) => centre.get(a)! - centre.get(b)! || place.get(a)! - place.get(b)!);
      number(column);
    }
  }
  return ordered;
}

function barycentre(
  near: readonly { node: number; weight: number }[],
  place: ReadonlyMap<number, number>,
): number | undefined {
  let sum = 0;
  let weights = 0;
  for (const { node, weight } of near) {
    const at = place.get(node);
    if (at === undefined) continue;
    sum += at * weight;
    weights += weight;
  }
  return weights === 0 ? undefined : sum / weights;
}
