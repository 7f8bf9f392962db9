/** The tabs of a service that are lists: routes, callers and callees, endpoints, policies, facts. @module */
import type { EndpointRow, Fact, Neighbour, ObservedRoute, ServiceDetail } from '../../../shapes/services.ts';
import { Link } from '../../app/router.tsx';
import { useRange } from '../../app/time.ts';
import { TimeChart } from '../../charts/time-chart.tsx';
import { count, duration, rate, share } from '../../format/numbers.ts';
import { ago, exact } from '../../format/times.ts';
import { useNow } from '../../state/hooks.ts';
import { ButtonLink } from '../../ui/button.tsx';
import { Card } from '../../ui/card.tsx';
import { SourceChip } from '../../ui/chip.tsx';
import { StatusMark } from '../../ui/status-mark.tsx';
import { type Column, Table } from '../../ui/table.tsx';
import { Failed, failedRatio, ServiceName } from '../common/figures.tsx';
import { edgeHref, shortName } from '../common/hrefs.ts';

export const ROUTE_COLUMNS: readonly Column<ObservedRoute>[] = [
  {
    id: 'route',
    head: 'Route',
    cell: (row) => (
      <code>
        <span className="muted">{row.method}</span> {row.template}
      </code>
    ),
    value: (row) => row.template,
  },
  { id: 'consumers', head: 'Consumers', cell: (row) => row.consumers.map(shortName).join(', ') || '–' },
  {
    id: 'rate',
    head: 'Requests',
    align: 'end',
    cell: (row) => rate(row.requestsPerSec),
    value: (row) => row.requestsPerSec,
  },
  { id: 'failed', head: 'Failed', align: 'end', cell: (row) => <Failed {...row} />, value: failedRatio },
  { id: 'p50', head: 'p50', align: 'end', cell: (row) => duration(row.p50Ms), value: (row) => row.p50Ms },
  { id: 'p99', head: 'p99', align: 'end', cell: (row) => duration(row.p99Ms), value: (row) => row.p99Ms },
];

export function Routes({ detail: { routes, api, series, statuses } }: { readonly detail: ServiceDetail }) {
  const nowMs = useNow(10_000);
  const strange = new Set(api?.undeclared.map(({ method, template }) => `${method} ${template}`));
  const columns: readonly Column<ObservedRoute>[] = [
    ...ROUTE_COLUMNS,
    ...(api === null
      ? []
      : [
          {
            id: 'document',
            head: 'OpenAPI',
            cell: (row: ObservedRoute) =>
              strange.has(`${row.method} ${row.template}`) ? (
                <StatusMark health="warn">undeclared</StatusMark>
              ) : (
                'in it'
              ),
            value: (row: ObservedRoute) => (strange.has(`${row.method} ${row.template}`) ? 0 : 1),
          },
        ]),
    {
      id: 'statuses',
      head: 'Statuses',
      cell: ({ statuses }) =>
        Object.entries(statuses)
          .map(([status, times]) => `${status} × ${count(times)}`)
          .join(', ') || '–',
    },
    {
      id: 'first',
      head: 'First seen',
      align: 'end',
      cell: (row) => seen(row.firstSeenMs, nowMs),
      value: (row) => row.firstSeenMs,
    },
    {
      id: 'last',
      head: 'Last seen',
      align: 'end',
      cell: (row) => seen(row.lastSeenMs, nowMs),
      value: (row) => row.lastSeenMs,
    },
  ];
  return (
    <>
      <Card title="Routes seen">
        {routes.length === 0 ? (
          <p className="muted">No request with a path was seen in this time.</p>
        ) : (
          <Table name="Routes" columns={columns} rows={routes} rowKey={(row) => `${row.method} ${row.template}`} />
        )}
      </Card>
      {api !== null && <Api api={api} nowMs={nowMs} />}
      {Object.keys(statuses).length > 0 && (
        <Card>
          <TimeChart
            startMs={series.startMs}
            stepMs={series.stepMs}
            title="Answers by status"
            lines={Object.entries(statuses).map(([name, values]) => ({
              name: name === '0' ? 'no answer' : name,
              values,
              color: STATUS_COLORS[name] ?? 'series5',
              isDashed: name === '0',
            }))}
            format={rate}
          />
        </Card>
      )}
    </>
  );
}

const STATUS_COLORS: Readonly<Record<string, string>> = {
  '2xx': 'series5',
  '3xx': 'series1',
  '4xx': 'warn-mark',
  '5xx': 'bad-mark',
  '0': 'mesh-mark',
  'grpc ok': 'series3',
  'grpc failed': 'series4',
};

/** Of all time that is remembered, not of the range alone. */
function Api({ api, nowMs }: { readonly api: NonNullable<ServiceDetail['api']>; readonly nowMs: number }) {
  const { definedBy, problems, undeclared, unused } = api;
  const isAlike = problems.length + undeclared.length + unused.length === 0;
  return (
    <Card title="Held against its OpenAPI document" aside={<span className="muted">{definedBy.join(', ')}</span>}>
      {isAlike && <StatusMark health="ok">All routes are in it, and all were called</StatusMark>}
      <ul className="plain-lines">
        {problems.map((problem) => (
          <li key={problem}>
            <StatusMark health="warn">not read</StatusMark> {problem}
          </li>
        ))}
        {undeclared.map(({ method, template, count: calls, consumers, lastSeenMs }) => (
          <li key={`${method} ${template}`}>
            <StatusMark health="warn">undeclared</StatusMark>
            <code>{`${method} ${template}`}</code>
            <span className="muted">
              {count(calls)} requests by {consumers.map(shortName).join(', ') || 'nobody known'}, last{' '}
              {seen(lastSeenMs, nowMs)}
            </span>
          </li>
        ))}
        {unused.map(({ method, template }) => (
          <li key={`${method} ${template}`}>
            <StatusMark health="quiet">unused</StatusMark>
            <code>{`${method} ${template}`}</code>
          </li>
        ))}
      </ul>
    </Card>
  );
}

interface NeighboursProps {
  readonly title: string;
  readonly detail: ServiceDetail;
  readonly rows: readonly Neighbour[];
  readonly isCaller: boolean;
}

export function Neighbours({ title, detail, rows, isCaller }: NeighboursProps) {
  const nowMs = useNow(10_000);
  const columns: readonly Column<Neighbour>[] = [
    {
      id: 'service',
      head: 'Service',
      cell: (row) => <ServiceName id={row.service} isWhole />,
      value: (row) => row.service,
    },
    {
      id: 'path',
      head: 'Path',
      cell: (row) =>
        row.hops > 1 ? (
          <span className="muted">
            {row.via.length > 0 ? `via ${row.via.map(shortName).join(', ')}` : `${row.hops} hops`}
          </span>
        ) : (
          <Link to={isCaller ? edgeHref(row.service, detail.id) : edgeHref(detail.id, row.service)}>direct</Link>
        ),
      value: (row) => row.hops,
    },
    { id: 'protocol', head: 'Protocol', cell: (row) => row.protocol, value: (row) => row.protocol },
    {
      id: 'tls',
      head: 'TLS',
      cell: (row) => (
        <span className={row.tls === 'plaintext' ? 'is-mesh strong' : 'muted'}>
          {row.tls === 'mutual' ? 'mTLS' : row.tls}
        </span>
      ),
      value: (row) => row.tls,
    },
    {
      id: 'rate',
      head: 'Requests',
      align: 'end',
      cell: (row) => rate(row.requestsPerSec),
      value: (row) => row.requestsPerSec,
    },
    { id: 'failed', head: 'Failed', align: 'end', cell: (row) => <Failed {...row} />, value: failedRatio },
    { id: 'p99', head: 'p99', align: 'end', cell: (row) => duration(row.p99Ms), value: (row) => row.p99Ms },
    {
      id: 'last',
      head: 'Last seen',
      align: 'end',
      cell: (row) => seen(row.lastSeenMs, nowMs),
      value: (row) => row.lastSeenMs,
    },
  ];
  return (
    <Card title={title}>
      {rows.length === 0 ? (
        <p className="muted">Nobody in this time, as far as the nodes that answered know.</p>
      ) : (
        <Table
          name={title}
          columns={columns}
          rows={rows}
          rowKey={(row) => `${row.service} ${row.protocol} ${row.hops}`}
        />
      )}
    </Card>
  );
}

const ENDPOINT_COLUMNS: readonly Column<EndpointRow>[] = [
  { id: 'workload', head: 'Workload', cell: (row) => <b>{row.workload}</b>, value: (row) => row.workload },
  {
    id: 'address',
    head: 'Address',
    cell: (row) => (
      <code>
        {row.address}:{row.port}
      </code>
    ),
    value: (row) => row.address,
  },
  {
    id: 'node',
    head: 'Node',
    cell: (row) => <Link to={`/members/${encodeURIComponent(row.node)}`}>{row.node}</Link>,
    value: (row) => row.node,
  },
  { id: 'zone', head: 'Zone', cell: (row) => row.zone || '–', value: (row) => row.zone },
  { id: 'version', head: 'Version', cell: (row) => row.version || '–', value: (row) => row.version },
  { id: 'weight', head: 'Weight', align: 'end', cell: (row) => row.weight, value: (row) => row.weight },
  {
    id: 'state',
    head: 'State',
    cell: (row) =>
      row.isEjected ? (
        <StatusMark health="warn">ejected</StatusMark>
      ) : (
        <StatusMark health={row.state === 'ready' ? 'ok' : 'unknown'}>{row.state}</StatusMark>
      ),
    value: (row) => (row.isEjected ? 'ejected' : row.state),
  },
  {
    id: 'identity',
    head: 'Identity',
    cell: (row) => <code title={row.identity}>{row.identity.replace(/^spiffe:\/\/[^/]*\//, '')}</code>,
  },
];

type Answering = ServiceDetail['answeredBy'][number];
const ANSWERING_COLUMNS: readonly Column<Answering>[] = [
  {
    id: 'node',
    head: 'Node',
    cell: (row) => <Link to={`/members/${encodeURIComponent(row.node)}`}>{row.node}</Link>,
    value: (row) => row.node,
  },
  {
    id: 'rate',
    head: 'Requests',
    align: 'end',
    cell: (row) => rate(row.requestsPerSec),
    value: (row) => row.requestsPerSec,
  },
  { id: 'failed', head: 'Failed', align: 'end', cell: (row) => <Failed {...row} />, value: failedRatio },
  { id: 'p99', head: 'p99', align: 'end', cell: (row) => duration(row.p99Ms), value: (row) => row.p99Ms },
];

export function Endpoints({ detail: { endpoints, answeredBy } }: { readonly detail: ServiceDetail }) {
  const { atMs } = useRange();
  const isPast = atMs !== null;
  return (
    <>
      {isPast && (
        <Card title="Nodes that answered then">
          {answeredBy.length === 0 ? (
            <p className="muted">No node counted a request to it in this range.</p>
          ) : (
            <Table
              name="Nodes that answered then"
              columns={ANSWERING_COLUMNS}
              rows={answeredBy}
              rowKey={({ node }) => node}
            />
          )}
        </Card>
      )}
      <Card title={isPast ? 'Endpoints of now: addresses of then are not kept' : 'Endpoints'}>
        {endpoints.length === 0 ? (
          <p className="muted">
            {isPast ? 'It has none now.' : 'It has no endpoint. Callers get no answer until a workload is ready.'}
          </p>
        ) : (
          <Table
            name="Endpoints"
            columns={ENDPOINT_COLUMNS}
            rows={endpoints}
            rowKey={(row) => `${row.workload} ${row.address}:${row.port}`}
          />
        )}
      </Card>
    </>
  );
}

export function Policies({ detail }: { readonly detail: ServiceDetail }) {
  const make = ['canary', 'limit', 'access', 'mirror', 'fault'];
  return (
    <Card title="Documents about it">
      {detail.policies.length === 0 ? (
        <p className="muted">None; the defaults apply.</p>
      ) : (
        <ul className="plain-lines">
          {detail.policies.map((source) => (
            <li key={`${source.kind}/${source.namespace}/${source.name}`}>
              <SourceChip source={source} />
            </li>
          ))}
        </ul>
      )}
      <div className="row">
        {make.map((form) => (
          <ButtonLink key={form} icon="plus" to={`/policies/new/${form}?service=${detail.id}`}>
            {`New ${form}`}
          </ButtonLink>
        ))}
      </div>
    </Card>
  );
}

export function FactsTab({ detail: { facts, rules } }: { readonly detail: ServiceDetail }) {
  const nowMs = useNow(10_000);
  const columns: readonly Column<Fact>[] = [
    { id: 'key', head: 'What', cell: (row) => <b>{row.key}</b>, value: (row) => row.key },
    { id: 'value', head: 'Value', cell: (row) => row.value, value: (row) => row.value },
    {
      id: 'source',
      head: 'How it is known',
      cell: (row) => <span className="chip">{row.source}</span>,
      value: (row) => row.source,
    },
    { id: 'by', head: 'Said by', cell: (row) => row.by, value: (row) => row.by },
    {
      id: 'at',
      head: 'When',
      align: 'end',
      cell: (row) => <span title={exact(row.atMs)}>{seen(row.atMs, nowMs)}</span>,
      value: (row) => row.atMs,
    },
  ];
  const met = rules.filter(({ isMet }) => isMet).length;
  return (
    <div className="columns">
      <Card title="Facts">
        {facts.length === 0 ? (
          <p className="muted">Nobody declared or observed anything of it.</p>
        ) : (
          <Table
            name="Facts"
            columns={columns}
            rows={facts}
            rowKey={(row) => `${row.key} ${row.source} ${row.by} ${row.value}`}
          />
        )}
      </Card>
      <Card
        title="Rules"
        aside={
          <span className="muted">
            {met} of {rules.length} met{rules.length > 0 && `, ${share(met / rules.length)}`}
          </span>
        }
      >
        <ul className="plain-lines">
          {rules.map(({ id, title, isMet, fix }) => (
            <li key={id}>
              <StatusMark health={isMet ? 'ok' : 'warn'} cause={isMet ? undefined : fix} isGlyphOnly>
                {isMet ? 'met' : 'not met'}
              </StatusMark>
              <span>
                {title}
                {!isMet && <span className="muted"> {fix}</span>}
              </span>
            </li>
          ))}
        </ul>
      </Card>
    </div>
  );
}

function seen(atMs: number | null, nowMs: number): string {
  return atMs === null ? '–' : ago(nowMs - atMs);
}
