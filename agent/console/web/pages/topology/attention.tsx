/** "Needs attention", worst first, and what else is worth knowing. @module */
import type { MeshEvent, Problem } from '../../../shapes/common.ts';
import type { Topology } from '../../../shapes/topology.ts';
import { Link } from '../../app/router.tsx';
import { useRange } from '../../app/time.ts';
import { plural, share } from '../../format/numbers.ts';
import { age, clock } from '../../format/times.ts';
import { useNow } from '../../state/hooks.ts';
import { Button, ButtonLink } from '../../ui/button.tsx';
import { HealthGlyph, StatusMark } from '../../ui/status-mark.tsx';
import { undoHref } from '../common/hrefs.ts';
import { beganWords, missingFacts, problemFigure, whereWords } from './words.ts';

interface Props {
  readonly data: Topology;
  readonly onShow: (service: string) => void;
  readonly onAffected: (service: string) => void;
}
/** More are in the list of services. */
const MAX_PROBLEMS = 20;
const MAX_CHANGES = 8;
const HOUR_MS = 3_600_000;

export function Attention({ data, onShow, onAffected }: Props) {
  const { zone } = useRange();
  const nowMs = useNow(5_000);
  const plaintext = data.edges.filter(({ tls }) => tls === 'plaintext');
  const changes = data.events
    .filter(({ atMs, kind }) => kind !== 'health' && data.asOfMs - atMs < HOUR_MS)
    .toSorted((a, b) => b.atMs - a.atMs)
    .slice(0, MAX_CHANGES);
  const missing = missingFacts(data.coverage, nowMs, age);
  return (
    <div className="attention">
      <header className="attention-head">
        <h2>Needs attention</h2>
        {data.problems.length > 0 && <span className="muted">worst first</span>}
      </header>
      {data.problems.length === 0 && <p className="muted">Nothing.</p>}
      {data.problems.slice(0, MAX_PROBLEMS).map((problem) => (
        <ProblemCard key={problem.id} {...{ problem, zone, onShow, onAffected }} after={eventOf(data, problem)} />
      ))}
      {data.problems.length > MAX_PROBLEMS && (
        <Link to="/services?f=health:bad,warn">{data.problems.length - MAX_PROBLEMS} more</Link>
      )}
      {(missing.length > 0 || plaintext.length > 0) && <h2>Worth knowing</h2>}
      {missing.map((text) => (
        <p key={text} className="worth">
          <HealthGlyph health="unknown" />
          {text}
        </p>
      ))}
      {plaintext.length > 0 && (
        <p className="worth">
          <HealthGlyph health="mesh" />
          <Link to="/identities">{plural(plaintext.length, 'plaintext edge')}</Link>
        </p>
      )}
      {changes.length > 0 && <h2>Changed in the last hour</h2>}
      <ul className="changes">
        {changes.map((event) => (
          <li key={event.id}>
            <span className="muted">{clock(event.atMs, zone)}</span>{' '}
            <Link to={`/events?around=${new Date(event.atMs).toISOString()}`}>{event.title}</Link>
            {event.count > 1 && <span className="muted"> × {event.count}</span>}
          </li>
        ))}
      </ul>
    </div>
  );
}

/** What it began after. */
function eventOf({ events }: Topology, { after }: Problem): MeshEvent | undefined {
  return events.find(({ id }) => id === after?.eventId);
}

interface CardProps extends Omit<Props, 'data'> {
  readonly problem: Problem;
  readonly after: MeshEvent | undefined;
  readonly zone: 'local' | 'utc';
}

function ProblemCard({ problem, after, zone, onShow, onAffected }: CardProps) {
  const { service, health, cause, feltBy } = problem;
  const changed = after?.document ?? null;
  const [namespace = '', name = service] = service.split('/');
  const where = whereWords(problem);
  const began = beganWords(problem, zone);
  return (
    <article className="problem">
      <header>
        <button type="button" className="problem-name" onClick={() => onShow(service)}>
          <HealthGlyph health={health} />
          <b>{name}</b> <span className="muted">{namespace}</span>
        </button>
        <span className={`strong is-${health}`}>{problemFigure(problem)}</span>
      </header>
      <p>{where === '' ? cause : `${where}.`}</p>
      {began !== '' && (
        <p className="began">
          {problem.after === null ? (
            began
          ) : (
            <Link to={`/events?around=${new Date(problem.sinceMs ?? 0).toISOString()}`}>{began}</Link>
          )}
        </p>
      )}
      {feltBy.length > 0 && (
        <>
          <button type="button" className="textual" onClick={() => onAffected(service)}>
            Felt by
          </button>
          <ul className="felt">
            {feltBy.slice(0, 4).map((one) => (
              <li key={one.service}>
                <Link to={`/services/${one.service}`}>{one.service.split('/')[1] ?? one.service}</Link>
                <span
                  className={
                    (one.failedRatio ?? 0) >= 0.03 ? 'is-bad' : (one.failedRatio ?? 0) >= 0.01 ? 'is-warn' : ''
                  }
                >
                  {share(one.failedRatio)}
                </span>
              </li>
            ))}
          </ul>
        </>
      )}
      <div className="row">
        {changed !== null && <ButtonLink to={undoHref(changed)}>Undo {revisionIn(after!.title)}</ButtonLink>}
        <ButtonLink to={`/services/${service}`}>Open {name}</ButtonLink>
        <Button onClick={() => onShow(service)}>Show in graph</Button>
      </div>
    </article>
  );
}

/** `revision 14` of `Rollout ledger applied, revision 14`. */
function revisionIn(title: string): string {
  return /revision \d+$/.exec(title)?.[0] ?? 'this change';
}

export function HealthLine({ health, cause }: Pick<Problem, 'health' | 'cause'>) {
  return (
    <p>
      <StatusMark health={health} cause={cause} isSoft />
      {cause && <span className="muted"> {cause}</span>}
    </p>
  );
}
