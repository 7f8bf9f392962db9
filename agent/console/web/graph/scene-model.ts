/** What the scene is to draw, from a topology and where everything is; pure. @module */
import type { Topology, TopologyEdge, TopologyNode } from '../../shapes/topology.ts';
import { type Box, CARDS, DOTS, type Geometry, type Point, type Positions } from './geometry.ts';
import { hubsOf } from './hubs.ts';
import { bundles, type Detail, edgeWidth, isTrouble } from './lod.ts';

export interface SceneNode {
  readonly id: string;
  readonly x: number;
  readonly y: number;
  readonly w: number;
  readonly h: number;
  readonly label: string;
  readonly classes: string;
}
export interface SceneEdge {
  /** `from>to`, as in the address. */
  readonly id: string;
  readonly source: string;
  readonly target: string;
  readonly width: number;
  readonly turn: string;
  readonly bend: readonly number[];
  readonly weights: readonly number[];
  readonly classes: string;
}
export interface SceneModel {
  readonly detail: Detail;
  readonly nodes: readonly SceneNode[];
  readonly edges: readonly SceneEdge[];
}

export const geometryOf = (detail: Detail): Geometry => (detail === 'cards' ? CARDS : DOTS);

type Part = Pick<Topology, 'nodes' | 'edges'>;
export interface SceneOptions {
  readonly detail: Detail;
  readonly positions: Positions;
  /** Of namespaces. */
  readonly boxes: ReadonlyMap<string, Box>;
  /** Namespaces of which each service is drawn, though others are bundled. */
  readonly open: ReadonlySet<string>;
  /** Of what is chosen, edges of hubs are drawn too; only where services are cards. */
  readonly chosen: string | null;
}

export function sceneModel(part: Part, options: SceneOptions): SceneModel {
  if (options.detail === 'dots') return bundledModel(part, options);
  const { detail, positions, chosen } = options;
  const nodes = part.nodes.flatMap((node) => sceneNode(node, positions.get(node.id), detail));
  const hubs = detail === 'cards' ? hubsOf(part.nodes.length, part.edges) : NONE;
  const edges = part.edges.flatMap((edge) => {
    const [from, to] = [part.nodes[edge.from], part.nodes[edge.to]];
    if (from === undefined || to === undefined || !positions.has(from.id) || !positions.has(to.id) || from === to)
      return [];
    const isChosen = chosen === from.id || chosen === to.id;
    if (hubs.has(edge.to) && !isChosen && !isTrouble(edge.health) && edge.tls !== 'plaintext') return [];
    return [sceneEdge(edge, from, to, positions)];
  });
  return { detail, nodes, edges };
}

const NONE: ReadonlySet<number> = new Set();

function sceneNode(node: TopologyNode, point: Point | undefined, detail: Detail): SceneNode[] {
  if (point === undefined) return [];
  const classes = isTrouble(node.health) ? node.health : '';
  // In steps of half a pixel: less is not seen, and would draw everything anew for nothing.
  const size = 5 + Math.round(Math.min(9, Math.sqrt(node.requestsPerSec ?? 0) / 4) * 2) / 2;
  const { width, height } = CARDS;
  return [{ id: node.id, ...point, w: detail === 'cards' ? width : size, h: height, label: node.name, classes }];
}

function sceneEdge(edge: TopologyEdge, from: TopologyNode, to: TopologyNode, positions: Positions): SceneEdge {
  const [a, b] = [positions.get(from.id)!, positions.get(to.id)!];
  const isVertical = Math.abs(a.x - b.x) < CARDS.width;
  const isBowed = isVertical && Math.abs(a.y - b.y) > CARDS.slotY * 1.5; // around the cards between them
  const classes = [
    isTrouble(edge.health) ? edge.health : '',
    edge.tls === 'plaintext' ? 'plaintext' : '',
    edge.protocol === 'tcp' ? 'tcp' : '',
    isBowed ? 'bowed' : isVertical ? 'vertical' : '',
  ];
  return {
    id: `${from.id}>${to.id}`,
    source: from.id,
    target: to.id,
    width: edgeWidth(edge.requestsPerSec, edge.health),
    turn: `${-(14 + (Math.round(a.y / CARDS.slotY + 4_000) % 4) * 6)}px`,
    ...(isBowed ? { bend: [Math.sign(a.y - b.y) * -BOW], weights: [0.5] } : STRAIGHT),
    classes: classes.filter(Boolean).join(' '),
  };
}

const STRAIGHT = { bend: [0], weights: [0.5] };
/** Half of it is how far a bow goes out. */
const BOW = CARDS.width + 36;

function bundledModel(part: Part, { positions, boxes, open }: SceneOptions): SceneModel {
  const namespaces = [...boxes].filter(([name]) => !open.has(name)).map(([name, box]) => boxNode(name, box));
  const services = part.nodes.filter(({ namespace }) => open.has(namespace));
  const nodes = [...namespaces, ...services.flatMap((node) => sceneNode(node, positions.get(node.id), 'cards'))];
  const at = new Map(nodes.map((node) => [node.id, node]));
  const edges = bundles(part, open).flatMap((bundle): SceneEdge[] => {
    const [from, to] = [at.get(bundle.from), at.get(bundle.to)];
    if (from === undefined || to === undefined) return [];
    const isStraight = Math.abs(from.x - to.x) < (from.w + to.w) / 2; // one above the other
    const classes = [
      isTrouble(bundle.health) ? bundle.health : '',
      bundle.isPlaintext ? 'plaintext' : '',
      isStraight ? 'straight' : '',
    ];
    return [
      {
        id: `${bundle.from}>${bundle.to}`,
        source: bundle.from,
        target: bundle.to,
        width: Math.max(1, edgeWidth(bundle.rate, bundle.health) * 0.6),
        turn: '50%',
        ...sCurve(from, to),
        classes: classes.filter(Boolean).join(' '),
      },
    ];
  });
  return { detail: 'dots', nodes, edges };
}

function boxNode(name: string, { left, top, right, bottom }: Box): SceneNode {
  const [x, y, w, h] = [(left + right) / 2, (top + bottom) / 2, right - left, bottom - top];
  return { id: name, x, y, w, h, label: name, classes: '' };
}

/** Two control points level with the ends, as Cytoscape wants them: along the line, and off it. */
function sCurve(from: Point, to: Point): { bend: number[]; weights: number[] } {
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const length = Math.hypot(dx, dy) || 1;
  const off = (x: number, y: number) => (x * -dy + y * dx) / length;
  const along = (x: number, y: number) => (x * dx + y * dy) / (length * length);
  const round = (value: number) => Math.round(value * 1_000) / 1_000;
  return {
    bend: [round(off(dx * 0.5, 0)), round(off(dx * 0.5, dy))],
    weights: [round(along(dx * 0.5, 0)), round(along(dx * 0.5, dy))],
  };
}
