/** What a span says: who, where, how it ended, what the mesh did, and the way to why. @module */
import type { ReactNode } from 'react';
import type { Span } from '../../../shapes/mesh.ts';
import { Link } from '../../app/router.tsx';
import { duration } from '../../format/numbers.ts';
import { ButtonLink } from '../../ui/button.tsx';
import { Facts } from '../../ui/card.tsx';
import { edgeHref, serviceHref } from '../common/hrefs.ts';
import { meshTicks } from './waterfall.ts';

export function SpanDetail({ span }: { readonly span: Span }) {
  const [from, to] = span.kind === 'server' ? [span.peer, span.service] : [span.service, span.peer];
  const isEdge = from.includes('/') && to.includes('/');
  const [method = 'GET', path = '/'] = span.name.split(' ');
  const ticks = meshTicks(span);
  const items: (readonly [string, ReactNode])[] = [
    ['Service', span.service.includes('/') ? <Link to={serviceHref(span.service)}>{span.service}</Link> : span.service],
    [span.kind === 'server' ? 'Called by' : 'Calls', span.peer || '–'],
    ['Node', <Link to={`/members/${encodeURIComponent(span.node)}`}>{span.node}</Link>],
    ['Took', duration(span.tookMs)],
    [
      'Ended',
      <span className={span.isFailed ? 'is-bad' : ''}>{[span.status || '', span.reason].join(' ').trim() || '–'}</span>,
    ],
  ];
  if (span.inferredConfidence !== null) {
    items.push(['Caller', `Guessed from times, ${Math.round(span.inferredConfidence * 100)} % sure`]);
  }
  if (ticks.length > 0) items.push(['Mesh', <span className="is-mesh">{ticks.join(', ')}</span>]);
  for (const [key, value] of Object.entries(span.attributes)) items.push([key, <code>{String(value)}</code>]);
  return (
    <aside className="card stack" aria-label="Span">
      <h2>{span.name}</h2>
      <Facts items={items} />
      {isEdge && (
        <p>
          <ButtonLink icon="play" to={`${edgeHref(from, to)}?${new URLSearchParams({ method, path })}`}>
            Explain this request
          </ButtonLink>
        </p>
      )}
    </aside>
  );
}
