/** The first tab of a service: what is wrong, four charts on one crosshair, routes, versions, who is affected, what changed. @module */
import type { ServiceDetail } from '../../../shapes/services.ts';
import { Link } from '../../app/router.tsx';
import { useRange } from '../../app/time.ts';
import { TimeChart } from '../../charts/time-chart.tsx';
import { duration, plural, rate, share, threeDigits } from '../../format/numbers.ts';
import { clock, exact } from '../../format/times.ts';
import { ButtonLink, CopyButton } from '../../ui/button.tsx';
import { Banner, Card, ShareBar } from '../../ui/card.tsx';
import { Table } from '../../ui/table.tsx';
import { Failed, failedRatio, failedTone, ServiceName } from '../common/figures.tsx';
import { edgeHref, hrefOfSource, shortName } from '../common/hrefs.ts';
import { groupEvents, hrefOf } from '../events/group.ts';
import { ROUTE_COLUMNS } from './lists.tsx';
import { beganWords, objectiveAside, objectiveWords, summaryWords, whereWords, whoseWords } from './words.ts';

const MAX_ROUTES = 8;
const MAX_EVENTS = 8;
const COLORS = ['series1', 'series2', 'series3', 'series4', 'series5'] as const;

export function Overview({ detail }: { readonly detail: ServiceDetail }) {
  return (
    <>
      <Conclusion detail={detail} />
      <Charts detail={detail} />
      <div className="columns">
        <div className="stack">
          <Card title="Routes seen" aside={plural(detail.routes.length, 'route')} isFlush>
            {detail.routes.length === 0 ? (
              <p className="muted card-note">No request with a path was seen in this time.</p>
            ) : (
              <Table
                name="Routes seen"
                isPlain
                columns={ROUTE_COLUMNS}
                rows={detail.routes.slice(0, MAX_ROUTES)}
                rowKey={(row) => `${row.method} ${row.template}`}
              />
            )}
          </Card>
          {detail.objective && <Objective objective={detail.objective} />}
        </div>
        <div className="stack">
          <Versions detail={detail} />
          <Affected detail={detail} />
          <Changed detail={detail} />
        </div>
      </div>
    </>
  );
}

function Conclusion({ detail }: { readonly detail: ServiceDetail }) {
  const { problem, id, health } = detail;
  if (problem === null) return <p>{summaryWords(detail)}.</p>;
  const after = detail.events.find((event) => event.id === problem.after?.eventId)?.document ?? null;
  return (
    <Banner
      tone={health === 'bad' ? 'bad' : 'warn'}
      actions={
        <>
          <ButtonLink icon="trace" to={`/traces?q=${encodeURIComponent(`service:${id} failed`)}`}>
            See a failing trace
          </ButtonLink>
          {after !== null && (
            <>
              <ButtonLink icon="document" to={hrefOfSource(after)}>{`Open ${after.kind}`}</ButtonLink>
              <CopyButton text={`weft undo ${after.kind} ${after.name} -n ${after.namespace}`}>Copy undo</CopyButton>
            </>
          )}
        </>
      }
    >
      <p className="strong">
        {beganWords(problem)} {whereWords(problem)}
      </p>
      <p>
        {problem.cause}. {whoseWords(detail)}
      </p>
    </Banner>
  );
}

function Charts({ detail: { series, now, events } }: { readonly detail: ServiceDetail }) {
  const { startMs, stepMs } = series;
  const markers = events.filter(({ atMs }) => atMs >= startMs).map(({ atMs, title }) => ({ atMs, title }));
  const shared = { startMs, stepMs, events: markers };
  const failed = failedRatio(now);
  const inFlight = series.inFlight.findLast((value) => value !== null) ?? null;
  return (
    <div className="quads">
      <Card>
        <TimeChart
          {...shared}
          title="Requests"
          figure={<Now value={rate(now.requestsPerSec)} note="requests" />}
          lines={[{ name: 'requests', values: series.requestsPerSec, color: 'series1' }]}
          format={rate}
        />
      </Card>
      <Card>
        <TimeChart
          {...shared}
          title="Failed"
          figure={<Now value={share(failed)} note="of requests" tone={failedTone(failed)} />}
          lines={[
            { name: 'application', values: series.appFailedRatio, color: 'bad-mark' },
            { name: 'mesh', values: series.meshFailedRatio, color: 'mesh-mark', isDashed: true },
          ]}
          format={share}
          leastTop={0.01}
        />
      </Card>
      <Card>
        <TimeChart
          {...shared}
          title="Answer time"
          figure={<Now value={duration(now.p99Ms)} note="p99" />}
          lines={(['p50', 'p95', 'p99'] as const).map((name) => ({ name, values: series[`${name}Ms`], color: name }))}
          format={duration}
        />
      </Card>
      <Card>
        <TimeChart
          {...shared}
          title="In flight"
          figure={<Now value={inFlight === null ? '–' : threeDigits(inFlight)} note="requests" />}
          lines={[{ name: 'in flight', values: series.inFlight, color: 'series1' }]}
          format={(value) => (value === null ? '–' : threeDigits(value))}
        />
      </Card>
    </div>
  );
}

function Now({ value, note, tone = '' }: { readonly value: string; readonly note: string; readonly tone?: string }) {
  return (
    <p className="chart-now">
      <span className={`figure-value ${tone}`}>{value}</span> <span className="muted">{note}</span>
    </p>
  );
}

function Objective({ objective }: { readonly objective: NonNullable<ServiceDetail['objective']> }) {
  const left = Math.max(0, objective.budgetLeftRatio ?? 0);
  return (
    <Card title="Objective" aside={objectiveAside(objective)}>
      <ShareBar
        label={objectiveWords(objective)}
        parts={[
          { name: 'left', ratio: left, color: left < 0.2 ? 'bad-mark' : left < 0.5 ? 'warn-mark' : 'series1' },
          { name: 'used', ratio: 1 - left, color: 'sunken' },
        ]}
      />
      <p>
        {objectiveWords(objective)}{' '}
        {objective.isProposed && 'Nobody declared it: it is proposed, and changes no health.'}
        {objective.source !== null && (
          <Link to={hrefOfSource(objective.source)}>{`ServiceLevelObjective ${objective.source.name}`}</Link>
        )}
      </p>
    </Card>
  );
}

function Versions({ detail: { versions } }: { readonly detail: ServiceDetail }) {
  const { atMs } = useRange();
  if (versions.length === 0) return null;
  const colorOf = (i: number) => COLORS[i % COLORS.length]!;
  return (
    <Card title="Versions" aside={plural(versions.length, 'version')}>
      <ShareBar
        label={versions.map(({ name, shareRatio }) => `${name} ${share(shareRatio)}`).join(', ')}
        parts={versions.map(({ name, shareRatio }, i) => ({ name, ratio: shareRatio ?? 0, color: colorOf(i) }))}
      />
      <ul className="plain-lines">
        {versions.map((version, i) => (
          <li key={version.name}>
            <span className="dot" style={{ background: `var(--${colorOf(i)})` }} aria-hidden="true" />
            <b>{version.name || 'none'}</b>
            {atMs === null && <span className="muted">{plural(version.endpoints, 'endpoint')}</span>}
            <span>{share(version.shareRatio)}</span>
            <span>
              <Failed {...version} /> failed
            </span>
            <span>p99 {duration(version.p99Ms)}</span>
          </li>
        ))}
      </ul>
    </Card>
  );
}

function Affected({ detail: { callers, id } }: { readonly detail: ServiceDetail }) {
  const sorted = callers.toSorted((a, b) => a.hops - b.hops || (failedRatio(b) ?? 0) - (failedRatio(a) ?? 0));
  return (
    <Card title="Who is affected" aside="callers, then their callers" isFlush>
      {sorted.length === 0 ? (
        <p className="muted card-note">Nobody called it in this time.</p>
      ) : (
        <Table
          name="Who is affected"
          isPlain
          rows={sorted}
          rowKey={(row) => `${row.service} ${row.protocol} ${row.hops}`}
          columns={[
            { id: 'caller', head: 'Caller', cell: (row) => <ServiceName id={row.service} /> },
            { id: 'rate', head: 'Requests', align: 'end', cell: (row) => rate(row.requestsPerSec) },
            { id: 'failed', head: 'Failed', align: 'end', cell: (row) => <Failed {...row} /> },
            {
              id: 'path',
              head: 'Path',
              align: 'end',
              cell: (row) =>
                row.hops > 1 ? (
                  <span className="muted">
                    {row.via.length > 0 ? `via ${row.via.map(shortName).join(', ')}` : `${row.hops} hops`}
                  </span>
                ) : (
                  <Link to={edgeHref(row.service, id)}>direct</Link>
                ),
            },
          ]}
        />
      )}
    </Card>
  );
}

function Changed({ detail: { events } }: { readonly detail: ServiceDetail }) {
  const groups = groupEvents(events).slice(0, MAX_EVENTS);
  return (
    <Card title="What changed" aside={groups.length === 0 ? undefined : 'newest first'}>
      {groups.length === 0 && <p className="muted">Nothing that a node would tell.</p>}
      <ol className="plain-lines">
        {groups.map(({ event, count }) => {
          const href = event.document === null ? hrefOf(event) : hrefOfSource(event.document);
          return (
            <li key={event.id}>
              <time className="muted" title={exact(event.atMs)}>
                {clock(event.atMs)}
              </time>
              <span>
                {href === undefined ? event.title : <Link to={href}>{event.title}</Link>}
                {count > 1 && <span className="muted"> × {count}</span>}
              </span>
            </li>
          );
        })}
      </ol>
    </Card>
  );
}
