/** What happened, newest first: documents, deploys, members, certificates, health, ejections, capture. @module */
import type { MeshEvent, MeshEvents } from '../../../shapes/common.ts';
import { Link, setQuery, usePlace } from '../../app/router.tsx';
import { parseInstant, useRange } from '../../app/time.ts';
import { exact, moment } from '../../format/times.ts';
import { useNow, useTopic } from '../../state/hooks.ts';
import { Card } from '../../ui/card.tsx';
import { Answer } from '../common/answer.tsx';
import { Frame } from '../common/frame.tsx';
import { hrefOfSource } from '../common/hrefs.ts';
import { groupEvents, hrefOf } from './group.ts';

const KINDS: readonly MeshEvent['kind'][] = [
  'document',
  'deploy',
  'member',
  'certificate',
  'health',
  'ejection',
  'capture',
];

/** On either side of the instant that a link is about. */
const BEFORE_MS = 2 * 60_000;
const AFTER_MS = 10 * 60_000;

export function EventsPage() {
  const { query } = usePlace();
  const chosen = (query.get('kind') ?? '').split(',').filter(Boolean);
  const touches = query.get('touches') ?? undefined;
  const toggle = (kind: string) => {
    const wanted = chosen.includes(kind) ? chosen.filter((one) => one !== kind) : [...chosen, kind];
    setQuery({ kind: wanted.join(',') });
  };
  return (
    <Frame
      title="Events"
      about={
        touches === undefined ? (
          'Kept for 14 days.'
        ) : (
          <>
            Of {touches}. <Link to="/events">All events</Link>
          </>
        )
      }
      actions={
        <fieldset className="choices">
          <legend className="unseen">Kinds</legend>
          {KINDS.map((kind) => (
            <button
              type="button"
              key={kind}
              className="choice"
              aria-pressed={chosen.includes(kind)}
              onClick={() => toggle(kind)}
            >
              {kind}
            </button>
          ))}
        </fieldset>
      }
      command="weft audit"
    >
      <EventList
        kinds={chosen}
        {...(touches === undefined ? {} : { touches })}
        around={parseInstant(query.get('around'))}
      />
    </Frame>
  );
}

interface ListProps {
  readonly kinds?: readonly string[];
  readonly touches?: string;
  readonly around?: number | null;
}

export function EventList({ kinds = [], touches, around = null }: ListProps) {
  const { rangeMs, atMs } = useRange();
  const params = new URLSearchParams({ limit: '500' });
  if (around !== null) {
    params.set('fromMs', String(around - BEFORE_MS));
    params.set('toMs', String(around + AFTER_MS));
  } else if (atMs !== null) {
    params.set('fromMs', String(atMs - rangeMs));
    params.set('toMs', String(atMs));
  }
  if (kinds.length > 0) params.set('kind', kinds.join(','));
  if (touches !== undefined) params.set('touches', touches);
  const read = useTopic<MeshEvents>(`/events?${params}`);
  return (
    <Answer
      read={read}
      what="events"
      isEmpty={({ events }) => events.length === 0}
      empty={{ why: 'Nothing happened in this time that a node would tell.', command: 'weft audit' }}
    >
      {({ events }) => <Lines events={events} />}
    </Answer>
  );
}

export function Lines({ events, title }: { readonly events: readonly MeshEvent[]; readonly title?: string }) {
  const nowMs = useNow(30_000);
  return (
    <Card {...(title === undefined ? {} : { title })}>
      <ol className="event-lines" aria-label="Events">
        {groupEvents(events).map(({ event, count, firstMs }) => (
          <li key={event.id}>
            <time dateTime={new Date(event.atMs).toISOString()} title={exact(event.atMs)}>
              {moment(event.atMs, nowMs)}
            </time>
            <span className="chip">{event.kind}</span>
            <span className="event-words">
              <Title event={event} />
              {count > 1 && (
                <span className="muted">
                  {' '}
                  × {count} since {moment(firstMs, nowMs)}
                </span>
              )}
              {event.detail !== '' && <span className="muted"> {event.detail}</span>}
            </span>
            <span className="muted event-by">{event.document?.signer ?? event.node ?? ''}</span>
          </li>
        ))}
      </ol>
    </Card>
  );
}

function Title({ event }: { readonly event: MeshEvent }) {
  const href = event.document === null ? hrefOf(event) : hrefOfSource(event.document);
  return href === undefined ? event.title : <Link to={href}>{event.title}</Link>;
}
