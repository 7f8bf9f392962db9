/** The layer above the canvas: a card a service, or a card a namespace with a dot a service. Real buttons, in the colours of tokens. @module */
import { type MouseEvent, memo, type PointerEvent } from 'react';
import type { TopologyNode } from '../../shapes/topology.ts';
import { duration, plural, rate, share } from '../format/numbers.ts';
import { Icon, type IconName } from '../ui/icon.tsx';
import { HealthGlyph, MARK_WORDS } from '../ui/status-mark.tsx';
import { type Box, CARDS, DOTS, type Point, type Positions } from './geometry.ts';
import { failedOf, isTrouble, type NamespaceSum } from './lod.ts';
import './cards.css';

const KIND_ICONS: Readonly<Record<string, IconName>> = {
  ingress: 'ingress',
  outside: 'outside',
  store: 'store',
  node: 'node',
};

interface CardProps {
  readonly node: TopologyNode;
  readonly x: number;
  readonly y: number;
  readonly callers: number;
  readonly callees: number;
  readonly isHub: boolean;
  readonly isChosen: boolean;
  readonly isApart: boolean;
  readonly isGone: boolean;
  readonly onDown: (id: string, event: PointerEvent<HTMLButtonElement>) => void;
}

export const Card = memo(function Card({
  node,
  x,
  y,
  callers,
  callees,
  isHub,
  isChosen,
  isApart,
  isGone,
  onDown,
}: CardProps) {
  const failed = failedOf(node);
  const tone = isTrouble(node.health) ? ` is-${node.health}` : '';
  const classes = `node-card kind-${node.kind} health-${node.health}${isChosen ? ' is-chosen' : ''}${isApart ? ' is-apart' : ''}${isGone ? ' is-gone' : ''}`;
  const badges = [...(isHub ? [plural(callers, 'caller')] : []), ...versionBadge(node), ...node.badges].slice(0, 2);
  const icon = KIND_ICONS[node.kind];
  const isSlow = node.cause.startsWith('p99');
  return (
    <button
      type="button"
      className={classes}
      style={{ transform: `translate(${x - CARDS.width / 2}px, ${y - CARDS.height / 2}px)` }}
      data-id={node.id}
      aria-pressed={isChosen}
      title={node.cause || undefined}
      onPointerDown={(event) => onDown(node.id, event)}
    >
      <span className="node-name">
        {node.health === 'ok' ? icon && <Icon name={icon} size={12} /> : <HealthGlyph health={node.health} size={12} />}
        {node.kind === 'unmeshed' && <HealthGlyph health="mesh" size={12} />}
        <b>{node.name}</b>
        {badges.map((badge) => (
          <span key={badge} className="node-badge">
            {badge}
          </span>
        ))}
      </span>
      <span className="node-figures">
        {isGone ? (
          'gone'
        ) : (
          <>
            <span>{rate(node.requestsPerSec)}</span>
            <span className={failed !== null && failed >= 0.01 ? `strong${tone}` : ''}>{share(failed)}</span>
            <span className={isSlow ? `strong${tone}` : ''}>{duration(node.p99Ms)}</span>
          </>
        )}
      </span>
      {isSplit(node) && <Split versions={node.versions} />}
      <span className="only-spoken">{`, ${spoken(node, callers, callees, isGone)}`}</span>
    </button>
  );
});

/** What each version takes, as a line; the words are among what is read out. */
function Split({ versions }: Pick<TopologyNode, 'versions'>) {
  return (
    <span className="node-split" aria-hidden="true">
      {versions.map(({ name, shareRatio }) => (
        <span key={name} style={{ flexGrow: shareRatio ?? 0 }} />
      ))}
    </span>
  );
}

/** Of two versions or more the smaller share; of a version by itself its own. */
function versionBadge({ kind, versions }: TopologyNode): string[] {
  const own = versions[0]?.shareRatio;
  if (kind === 'version' && typeof own === 'number' && own < 1) return [share(own)];
  const least = versions
    .filter(({ shareRatio }) => shareRatio !== null)
    .sort((a, b) => a.shareRatio! - b.shareRatio!)[0];
  return versions.length > 1 && least !== undefined ? [`${least.name} ${share(least.shareRatio)}`] : [];
}

/** Whether several versions are known to share the requests. */
export function isSplit({ versions }: Pick<TopologyNode, 'versions'>): boolean {
  return versions.length > 1 && versions.some(({ shareRatio }) => shareRatio !== null);
}

/** `v1 70 %, v2 30 %`. */
export function versionWords({ versions }: Pick<TopologyNode, 'versions'>): string {
  return versions.map(({ name, shareRatio }) => `${name} ${share(shareRatio)}`).join(', ');
}

/** Behind what is seen of a card, which a name has to begin with (WCAG 2.5.3). */
function spoken(node: TopologyNode, callers: number, callees: number, isGone: boolean): string {
  if (isGone) return `${node.namespace}, gone`;
  return [
    node.namespace,
    MARK_WORDS[node.health].toLowerCase(),
    `${rate(node.requestsPerSec).replace('/s', '')} requests a second`,
    `${share(failedOf(node))} failing`,
    plural(callers, 'caller'),
    plural(callees, 'callee'),
    ...(isSplit(node) ? [versionWords(node)] : []),
  ].join(', ');
}

/** What lies below the edges, and its title, which lies above them. */
export const NamespaceBox = memo(function NamespaceBox({ box }: { readonly box: Box }) {
  const { left, top, right, bottom } = box;
  return (
    <div
      className="ns-box"
      style={{ transform: `translate(${left}px, ${top}px)`, width: right - left, height: bottom - top }}
    />
  );
});

interface NamespaceTitleProps {
  readonly name: string;
  readonly box: Box;
  readonly onChoose: (id: string) => void;
}

export const NamespaceTitle = memo(function NamespaceTitle(props: NamespaceTitleProps) {
  const { name, box, onChoose } = props;
  return (
    <button
      type="button"
      className="ns-title"
      style={{ transform: `translate(${box.left}px, ${box.top}px)` }}
      data-id={`ns:${name}`}
      onClick={() => onChoose(`ns:${name}`)}
    >
      {name}
    </button>
  );
});

interface DotsProps {
  readonly sum: NamespaceSum;
  readonly box: Box;
  readonly positions: Positions;
  readonly isChosen: boolean;
  readonly onChoose: (id: string) => void;
  readonly onDot: (node: TopologyNode) => void;
}
/** From a pointer to a dot that it still means. */
const NEAR_PX = 7;

/** A namespace with a dot a service; trouble as glyphs. Dots are for the pointer, the panel's list for keys. */
export const DotsCard = memo(function DotsCard({ sum, box, positions, isChosen, onChoose, onDot }: DotsProps) {
  const tone = isTrouble(sum.health) ? ` health-${sum.health}` : '';
  const width = box.right - box.left;
  const height = box.bottom - box.top;
  const placed = sum.nodes.filter(({ id }) => positions.has(id));
  const at = (node: TopologyNode): Point => {
    const point = positions.get(node.id)!;
    return { x: point.x - box.left, y: point.y - box.top };
  };
  const dotUnder = (event: MouseEvent<HTMLElement>): TopologyNode | undefined => {
    const { left, top, width: seen } = event.currentTarget.getBoundingClientRect();
    const zoom = seen / width || 1;
    const [x, y] = [(event.clientX - left) / zoom, (event.clientY - top) / zoom];
    return placed.find((node) => Math.hypot(at(node).x - x, at(node).y - y) < NEAR_PX);
  };
  return (
    <div
      className={`ns-card${tone}${isChosen ? ' is-chosen' : ''}`}
      style={{ transform: `translate(${box.left}px, ${box.top}px)`, width, height }}
    >
      <button
        type="button"
        onClick={(event) => {
          const node = event.detail === 0 ? undefined : dotUnder(event); // 0: by a key
          if (node === undefined) onChoose(`ns:${sum.name}`);
          else onDot(node);
        }}
        onPointerMove={(event) => {
          event.currentTarget.title = dotUnder(event)?.name ?? '';
        }}
        data-id={`ns:${sum.name}`}
      >
        {isTrouble(sum.health) && <HealthGlyph health={sum.health} size={11} />}
        <b>{sum.name}</b>
        <span className="ns-count">{sum.nodes.length}</span>
        <span className="ns-figures">
          {rate(sum.rate)}{' '}
          <span className={tone === '' ? '' : `strong is-${sum.health}`}>{share(sum.failedRatio)}</span>
        </span>
        <span className="only-spoken">{`, ${plural(sum.nodes.length, 'service')}, ${MARK_WORDS[sum.health].toLowerCase()}, ${share(sum.failedRatio)} failing`}</span>
      </button>
      <svg width={width} height={height} aria-hidden="true">
        <path
          className="dots"
          d={placed
            .filter(({ health }) => !isTrouble(health))
            .map((node) => dot(at(node)))
            .join('')}
        />
        {placed
          .filter(({ health }) => isTrouble(health))
          .map((node) => (
            <g key={node.id} transform={`translate(${at(node).x - 6} ${at(node).y - 6})`}>
              <HealthGlyph health={node.health} size={12} />
            </g>
          ))}
      </svg>
    </div>
  );
});

const R = DOTS.width / 2 - 1;
function dot({ x, y }: Point): string {
  return `M${x - R} ${y}a${R} ${R} 0 1 0 ${2 * R} 0a${R} ${R} 0 1 0 ${-2 * R} 0`;
}
