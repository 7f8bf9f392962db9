/**
 * The picture where every service is a dot: lines of one look are one path, so that thousands of them cost little. A canvas without a
 * GPU is drawn by the page's own thread.
 * @module
 */
import { token } from '../theme/theme.ts';
import type { SceneEdge, SceneNode } from './scene-model.ts';
import { isInView, type Size, type View } from './viewport.ts';

const LABEL = { size: 4, leastPx: 9 } as const;
const APART_ALPHA = 0.15;

export interface Look {
  readonly color: string;
  readonly path: Path2D;
}
export interface Lines extends Look {
  /** Null: one pixel, however near. */
  readonly width: number | null;
  readonly isDashed: boolean;
  readonly alpha: number;
  /** Where each has a width: x and y of both ends. */
  readonly segments: [number, number, number, number][];
}
/**
 * How strong a line is of what is fine, by its width as elsewhere; here it is one pixel wide. Thousands of such lines in one path take
 * 20 ms; wider ones 300, as what overlaps is worked out first, or 100 each by itself, as the few in trouble are drawn.
 */
const FINE_ALPHA = [
  [3, 0.8],
  [2, 0.55],
  [0, 0.35],
] as const;

interface Picture {
  readonly nodes: readonly SceneNode[];
  readonly lines: readonly Lines[];
  readonly dots: readonly Look[];
  readonly view: View;
  /** Of the host. */
  readonly size: Size;
}

/** With half a host more at each side, so that a picture that is moved has something to show. */
export function drawPicture(canvas: HTMLCanvasElement, { nodes, lines, dots, view, size }: Picture): void {
  const context = canvas.getContext('2d');
  if (context === null) return; // no memory for it: the table has the same
  const [width, height] = [size.width * 2, size.height * 2];
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  Object.assign(canvas.style, { left: `${-size.width / 2}px`, top: `${-size.height / 2}px` });
  const { x, y, zoom } = view;
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, width, height);
  context.setTransform(zoom, 0, 0, zoom, x + size.width / 2, y + size.height / 2);
  for (const one of lines) drawLines(context, one, zoom);
  context.globalAlpha = 1;
  context.setLineDash([]);
  for (const { path, color } of dots) {
    context.fillStyle = color;
    context.fill(path);
  }
  if (LABEL.size * zoom < LABEL.leastPx) return;
  context.fillStyle = token('text2');
  context.font = `${LABEL.size}px "Inter Variable"`;
  context.textAlign = 'center';
  context.textBaseline = 'top';
  for (const node of nodes) {
    const isSeen = isInView({ left: node.x, right: node.x, top: node.y, bottom: node.y }, view, size);
    if (isSeen) context.fillText(node.label, node.x, node.y + node.w / 2);
  }
}

/** What is drawn later lies above. */
const TONES = ['', 'plaintext', 'warn', 'bad'] as const;
const TOKENS = { '': 'edge', plaintext: 'mesh-mark', warn: 'warn-mark', bad: 'bad-mark' } as const;

export function linesOf(
  edges: readonly SceneEdge[],
  at: ReadonlyMap<string, SceneNode>,
  lit: ReadonlySet<string> | null,
): Lines[] {
  const looks = new Map<string, Lines & { readonly order: number }>();
  for (const { source, target, width, classes } of edges) {
    const [from, to] = [at.get(source), at.get(target)];
    if (from === undefined || to === undefined) continue;
    const order = TONES.findLastIndex((tone) => classes.includes(tone));
    const isApart = lit !== null && !(lit.has(source) && lit.has(target));
    const isDashed = classes.includes('plaintext');
    const strength = FINE_ALPHA.find(([least]) => width >= least)![1];
    const line = order === 0 ? null : width;
    const key = `${order} ${line ?? strength} ${isApart} ${isDashed}`;
    let look = looks.get(key);
    if (look === undefined) {
      const color = token(TOKENS[TONES[order]!]);
      const alpha = isApart ? APART_ALPHA : line === null ? strength : 1;
      look = { order, path: new Path2D(), segments: [], color, width: line, isDashed, alpha };
      looks.set(key, look);
    }
    if (line === null) {
      look.path.moveTo(from.x, from.y);
      look.path.lineTo(to.x, to.y);
    } else look.segments.push([from.x, from.y, to.x, to.y]);
  }
  return [...looks.values()].sort((a, b) => a.order - b.order);
}

function drawLines(context: CanvasRenderingContext2D, lines: Lines, zoom: number): void {
  context.globalAlpha = lines.alpha;
  context.strokeStyle = lines.color;
  context.lineWidth = lines.width ?? 1 / zoom;
  context.setLineDash(lines.isDashed ? [6, 5] : []);
  context.stroke(lines.path); // of those that have a width it is empty
  for (const [x, y, toX, toY] of lines.segments) {
    context.beginPath();
    context.moveTo(x, y);
    context.lineTo(toX, toY);
    context.stroke();
  }
}

export function dotsOf(nodes: readonly SceneNode[]): Look[] {
  const looks = new Map<string, Look>();
  for (const { x, y, w, classes } of nodes) {
    const tone = classes.includes('bad') ? 'bad-mark' : classes.includes('warn') ? 'warn-mark' : 'border-strong';
    const look = looks.get(tone) ?? { color: token(tone), path: new Path2D() };
    looks.set(tone, look);
    look.path.moveTo(x + w / 2, y);
    look.path.arc(x, y, w / 2, 0, 2 * Math.PI);
  }
  return [...looks.values()];
}
