/** What the catalog tells of each service in its row. @module */
import type { ServiceRow } from '../../../shapes/services.ts';
import { Link } from '../../app/router.tsx';
import { duration, rate } from '../../format/numbers.ts';
import { ago } from '../../format/times.ts';
import { Sparkline } from '../../ui/sparkline.tsx';
import { StatusMark } from '../../ui/status-mark.tsx';
import type { Column } from '../../ui/table.tsx';
import { Failed, failedRatio, ServiceName } from '../common/figures.tsx';
import { serviceHref } from '../common/hrefs.ts';

/** Three times the p99 of most services is no scale; this one only colours. */
const SLOW_MS = 1_000;

export const serviceColumns: readonly Column<ServiceRow>[] = [
  {
    id: 'name',
    head: 'Service',
    cell: (row) => (
      <span className="service-cell">
        <StatusMark health={row.health} cause={row.cause} isGlyphOnly />
        <ServiceName id={row.id} />
        <span className="muted">{row.namespace}</span>
      </span>
    ),
    value: (row) => row.id,
  },
  {
    id: 'owner',
    head: 'Owner',
    cell: (row) =>
      row.owner === null ? (
        <span className="is-warn">no owner</span>
      ) : (
        <Link to={`/services?f=owner:${encodeURIComponent(`"${row.owner}"`)}`}>{row.owner}</Link>
      ),
    value: (row) => row.owner,
  },
  {
    id: 'language',
    head: 'Language',
    cell: (row) =>
      row.language === null ? (
        '–'
      ) : (
        <span>
          {row.language.value}{' '}
          {row.language.source !== 'declared' && <span className="chip">{row.language.source}</span>}
        </span>
      ),
    value: (row) => row.language?.value ?? null,
  },
  {
    id: 'versions',
    head: 'Versions',
    cell: (row) => row.versions.join(' ') || '–',
    value: (row) => row.versions.length,
  },
  {
    id: 'endpoints',
    head: 'Endpoints',
    align: 'end',
    cell: (row) => (
      <span className={row.endpointsReady === 0 && row.endpointsTotal > 0 ? 'is-bad strong' : ''}>
        {row.endpointsReady === null
          ? '–'
          : row.endpointsReady === row.endpointsTotal
            ? row.endpointsTotal
            : `${row.endpointsReady}/${row.endpointsTotal}`}
      </span>
    ),
    value: (row) => row.endpointsReady,
  },
  {
    id: 'rate',
    head: 'Requests',
    align: 'end',
    cell: (row) =>
      row.health === 'quiet' && row.lastSeenMs !== null ? (
        <Seen atMs={row.lastSeenMs} rate={row.requestsPerSec} />
      ) : (
        rate(row.requestsPerSec)
      ),
    value: (row) => row.requestsPerSec,
  },
  { id: 'failed', head: 'Failed', align: 'end', cell: (row) => <Failed {...row} />, value: failedRatio },
  {
    id: 'p99',
    head: 'p99',
    align: 'end',
    cell: (row) => <span className={(row.p99Ms ?? 0) >= SLOW_MS ? 'is-warn strong' : ''}>{duration(row.p99Ms)}</span>,
    value: (row) => row.p99Ms,
  },
  {
    id: 'trend',
    head: 'Failed, range',
    cell: (row) => <Sparkline values={row.trend} tone={row.health === 'bad' ? 'bad' : 'plain'} />,
  },
  {
    id: 'rules',
    head: 'Rules',
    align: 'end',
    cell: (row) =>
      row.rulesTotal === 0 ? (
        '–'
      ) : (
        <Link to={serviceHref(row.id, 'facts')}>
          {row.rulesMet}/{row.rulesTotal}
        </Link>
      ),
    value: (row) => (row.rulesTotal === 0 ? null : row.rulesMet / row.rulesTotal),
  },
];

function Seen({ atMs, rate: perSec }: { readonly atMs: number; readonly rate: number | null }) {
  return perSec !== null && perSec > 0 ? (
    rate(perSec)
  ) : (
    <span className="muted" title="Its last request">
      {ago(Date.now() - atMs)}
    </span>
  );
}
