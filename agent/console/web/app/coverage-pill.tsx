/** Who answered and who did not: the figures beside it are of the first only. @module */
import type { Coverage } from '../../../mesh-query/shapes.ts';
import { plural } from '../format/numbers.ts';
import { age } from '../format/times.ts';
import { useCoverage, useLink, useNow, useSession } from '../state/hooks.ts';
import { Menu } from '../ui/menu.tsx';
import { Link } from './router.tsx';

/** After this long without contact other nodes' consoles are offered. */
const OFFER_MS = 30_000;

export function CoveragePill() {
  const coverage = useCoverage();
  const link = useLink();
  const session = useSession();
  const nowMs = useNow(2_000);
  const isLong = link.state === 'lost' && nowMs - link.sinceMs > OFFER_MS;
  if (coverage === undefined) return <span className="pill is-unknown">No node has answered</span>;
  const isWhole = coverage.missing.length === 0;
  return (
    <Menu
      label={`${coverage.answered} of ${plural(coverage.asked, 'node')}`}
      name="Who answered"
      mark={isWhole ? 'ok' : 'unknown'}
      className={`pill ${isWhole ? 'is-ok' : 'is-unknown'}`}
      role="dialog"
    >
      {() => (
        <div className="coverage">
          <p>
            {isWhole
              ? 'Every node of the mesh answered.'
              : 'Figures are of the nodes that answered. What the others saw is not counted.'}
          </p>
          {coverage.missing.map((one) => (
            <p key={one.node}>
              <Link to={`/members/${encodeURIComponent(one.node)}`}>{one.node}</Link> {missingWords(one, nowMs)}
            </p>
          ))}
          {isLong && <p>No contact with {session?.node ?? 'this node'}. The same page elsewhere:</p>}
          {(isLong ? (session?.consoles ?? []) : []).map(({ node, url }) => (
            <p key={node}>
              <a href={new URL(location.pathname + location.search, url).href}>{node}</a>
            </p>
          ))}
        </div>
      )}
    </Menu>
  );
}

export function missingWords(missing: Coverage['missing'][number], nowMs: number): string {
  const heard = missing.lastHeardMs === null ? 'never heard' : `last heard ${age(nowMs - missing.lastHeardMs)} ago`;
  const reason = { silent: 'is silent', late: 'did not answer in time', refused: 'would not answer' }[missing.reason];
  return `${reason}, ${heard}${missing.endpoints > 0 ? `; had ${plural(missing.endpoints, 'endpoint')}` : ''}`;
}
