/** How requests of the range ended: one bar, the application's failures and the mesh's told apart. @module */
import type { EdgeDetail } from '../../../shapes/edge.ts';
import { useRange } from '../../app/time.ts';
import { count, duration, rate, share } from '../../format/numbers.ts';
import { Card } from '../../ui/card.tsx';
import { Failed } from '../common/figures.tsx';

type Outcome = EdgeDetail['outcomes'][number];

const byName = (a: { readonly name: string }, b: { readonly name: string }) => a.name.localeCompare(b.name);

export function Outcomes({ edge }: { readonly edge: EdgeDetail }) {
  const { rangeMs } = useRange();
  const total = edge.outcomes.reduce((sum, outcome) => sum + outcome.count, 0);
  const isPartial = edge.coverage.missing.length > 0;
  return (
    <Card
      title={<>How requests of the last {duration(rangeMs)} ended</>}
      aside={
        <span className="muted">
          {isPartial && '≥ '}
          {count(total)} requests
        </span>
      }
    >
      {total === 0 ? (
        <p className="muted">No request went this way in this time; the steps hold all the same.</p>
      ) : (
        <>
          <div className="shares" aria-hidden="true">
            {edge.outcomes.map((outcome) => (
              <span key={nameOf(outcome)} className={`share ${toneOf(outcome)}`} style={{ flexGrow: outcome.count }} />
            ))}
          </div>
          <ul className="share-words">
            {edge.outcomes.map((outcome) => (
              <li key={nameOf(outcome)}>
                <span className={`dot ${toneOf(outcome)}`} aria-hidden="true" />
                <b>{share(outcome.ratio)}</b> {nameOf(outcome)}
              </li>
            ))}
          </ul>
        </>
      )}
      {edge.versions.length > 1 && (
        <ul className="plain-lines">
          {edge.versions.toSorted(byName).map((version) => (
            <li key={version.name}>
              <b>{version.name}</b>
              <span>
                {share(version.shareRatio)} of requests, {rate(version.requestsPerSec)}, failed <Failed {...version} />,
                p99 {duration(version.p99Ms)}
              </span>
            </li>
          ))}
        </ul>
      )}
      {edge.identities.length > 0 && (
        <p className="muted">
          As <code>{edge.identities.join(', ')}</code>
        </p>
      )}
    </Card>
  );
}

function nameOf({ class: whose, status, reason }: Outcome): string {
  if (whose === 'app')
    return status >= 200 && status < 400
      ? `${status} succeeded`
      : `${reason || status || 'ended'} from the application`;
  if (whose === 'client') return `given up by the client, ${reason || status}`;
  return whose === 'mesh' ? `made by the mesh, ${reason || status}` : `refused by policy, ${reason || status}`;
}

function toneOf({ class: whose, status }: Outcome): string {
  if (whose === 'mesh') return 'is-mesh-tone';
  if (whose === 'policy' || whose === 'client') return 'is-unknown-tone';
  return status >= 500 || status === 0 ? 'is-bad-tone' : status >= 400 ? 'is-warn-tone' : 'is-plain-tone';
}
