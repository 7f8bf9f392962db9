/** What lies below and above the canvas: boxes of namespaces, cards, and namespaces that stand for their services. @module */
import { type PointerEvent, type RefObject, useMemo } from 'react';
import type { Topology, TopologyNode } from '../../shapes/topology.ts';
import { Card, DotsCard, NamespaceBox, NamespaceTitle } from './cards.tsx';
import type { Box, Positions } from './geometry.ts';
import { hubsOf } from './hubs.ts';
import { type Detail, namespaceSums } from './lod.ts';

interface Props {
  readonly part: Pick<Topology, 'nodes' | 'edges'>;
  readonly detail: Detail;
  readonly positions: Positions;
  readonly boxes: ReadonlyMap<string, Box>;
  /** Namespaces that are open in place; only where others are dots. */
  readonly open: ReadonlySet<string>;
  readonly chosen: string | null;
  readonly lit: ReadonlySet<string> | null;
  readonly gone: ReadonlySet<string>;
  readonly onDown: (id: string, event: PointerEvent<HTMLButtonElement>) => void;
  readonly onChoose: (id: string) => void;
  /** A dot: its service, which its namespace shows as a card then. */
  readonly onDot: (node: TopologyNode) => void;
  readonly layers: RefObject<(HTMLDivElement | null)[]>;
}

export function Layers({ part, detail, boxes, open, layers, ...rest }: Props) {
  const { positions, chosen, lit, gone, onDown, onChoose, onDot } = rest;
  const isEach = detail === 'cards';
  const calls = useMemo(() => (isEach || open.size > 0 ? countCalls(part) : NONE), [part, isEach, open]);
  const hubs = useMemo(() => (isEach ? hubsOf(part.nodes.length, part.edges) : new Set<number>()), [part, isEach]);
  const sums = useMemo(() => (detail === 'dots' ? namespaceSums(part.nodes) : []), [part.nodes, detail]);
  const opened = detail === 'all' ? [] : [...boxes].filter(([name]) => isEach || open.has(name));
  const card = (node: TopologyNode, i: number) => {
    const point = positions.get(node.id);
    return (
      point &&
      (isEach || open.has(node.namespace)) && (
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
  const keep = (place: number) => (element: HTMLDivElement | null) => {
    layers.current[place] = element;
  };
  return (
    <>
      <div className="graph-layer is-under" ref={keep(0)}>
        {opened.map(([name, box]) => (
          <NamespaceBox key={name} box={box} />
        ))}
      </div>
      <div className="graph-layer" ref={keep(1)}>
        {opened.map(([name, box]) => (
          <NamespaceTitle key={name} {...{ name, box, onChoose }} />
        ))}
        {(isEach || open.size > 0) && part.nodes.map(card)}
        {sums.map((sum) => {
          const box = boxes.get(sum.name);
          return (
            box !== undefined &&
            !open.has(sum.name) && (
              <DotsCard
                key={sum.name}
                isChosen={chosen === `ns:${sum.name}`}
                {...{ sum, box, positions, onChoose, onDot }}
              />
            )
          );
        })}
      </div>
    </>
  );
}

interface Calls {
  readonly callers: readonly number[];
  readonly callees: readonly number[];
}
const NONE: Calls = { callers: [], callees: [] };

function countCalls({ nodes, edges }: Pick<Topology, 'nodes' | 'edges'>): Calls {
  const callers = new Array<number>(nodes.length).fill(0);
  const callees = new Array<number>(nodes.length).fill(0);
  for (const { from, to } of edges) {
    callers[to] = (callers[to] ?? 0) + 1;
    callees[from] = (callees[from] ?? 0) + 1;
  }
  return { callers, callees };
}
