/** Access logs of all nodes, newest first, each line as its node wrote it: fields of OpenTelemetry. @module */
import type { Logs } from '../../../shapes/mesh.ts';
import { setQuery, usePlace } from '../../app/router.tsx';
import { useRange } from '../../app/time.ts';
import { duration, plural } from '../../format/numbers.ts';
import { clockSeconds, exact } from '../../format/times.ts';
import { useGet } from '../../state/hooks.ts';
import { Button } from '../../ui/button.tsx';
import { Card } from '../../ui/card.tsx';
import { type Column, Table } from '../../ui/table.tsx';
import { Answer } from '../common/answer.tsx';
import { FilterField } from '../common/filter-field.tsx';
import { Frame } from '../common/frame.tsx';
import { TraceLink } from '../trace/trace-page.tsx';

type Row = Logs['logs'][number];

export function LogsPage() {
  const q = usePlace().query.get('q') ?? '';
  return (
    <Frame
      title="Logs"
      about="Requests as nodes logged them."
      actions={<FilterField value={q} onChange={(value) => setQuery({ q: value })} hint="status:500 route:/cart" />}
      command="weft logs"
    >
      <LogList q={q} />
    </Frame>
  );
}

export function LogList({ q, service }: { readonly q: string; readonly service?: string }) {
  const { api } = useRange();
  const params = new URLSearchParams(api);
  params.set('limit', '200');
  const filter = service === undefined ? q : `service:${service} ${q}`.trim();
  if (filter !== '') params.set('q', filter);
  const read = useGet<Logs>(`/logs?${params}`);
  return (
    <Answer
      read={read}
      what="logs"
      isEmpty={({ logs }) => logs.length === 0}
      empty={{ why: 'No node logged such a request in this time.', command: 'weft logs' }}
    >
      {({ logs }) => (
        <Card
          title={plural(logs.length, 'line')}
          aside={
            <Button icon="retry" onClick={read.reload}>
              Again
            </Button>
          }
        >
          <Table
            name="Logs"
            columns={COLUMNS}
            rows={logs}
            rowKey={(row) => keys.get(row) ?? setKey(row)}
            initialSort={{ column: 'at', isDown: true }}
          />
        </Card>
      )}
    </Answer>
  );
}

/** Lines have no name of their own. */
const keys = new WeakMap<Row, string>();
let nextKey = 0;
function setKey(row: Row): string {
  const key = `l${nextKey++}`;
  keys.set(row, key);
  return key;
}

const COLUMNS: readonly Column<Row>[] = [
  {
    id: 'at',
    head: 'At',
    cell: (row) => <span title={exact(row.atMs)}>{clockSeconds(row.atMs)}</span>,
    value: (row) => row.atMs,
  },
  { id: 'node', head: 'Node', cell: (row) => row.node, value: (row) => row.node },
  {
    id: 'request',
    head: 'Request',
    cell: (row) => <code>{requestOf(row)}</code>,
  },
  {
    id: 'edge',
    head: 'Edge',
    cell: (row) => `${nameOf(text(row, 'weft.source'))} → ${nameOf(text(row, 'weft.destination'))}`,
  },
  {
    id: 'status',
    head: 'Ended',
    cell: (row) => {
      const [status, reason] = [text(row, STATUS), text(row, 'weft.reason')];
      const tone = reason !== '' ? 'is-mesh strong' : Number(status) >= 500 ? 'is-bad strong' : '';
      return <span className={tone}>{`${status} ${reason}`.trim() || '–'}</span>;
    },
    value: (row) => text(row, STATUS),
  },
  {
    id: 'took',
    head: 'Took',
    align: 'end',
    cell: (row) => duration(tookMs(row)),
    value: tookMs,
  },
  {
    id: 'trace',
    head: 'Trace',
    cell: (row) => {
      const { trace_id: traceId } = row.record;
      return typeof traceId === 'string' ? <TraceLink traceId={traceId} /> : '–';
    },
  },
];

const STATUS = 'http.response.status_code';

function attribute({ record }: Row, name: string): unknown {
  return (record.attributes as Readonly<Record<string, unknown>> | undefined)?.[name];
}

/** Empty where the line does not say. */
function text(row: Row, name: string): string {
  return String(attribute(row, name) ?? '');
}

/** A service, or what is left of an identity without its trust domain. */
function nameOf(who: string): string {
  return who.replace(/^spiffe:\/\/[^/]*\//, '') || '–';
}

/** TCP has neither method nor path. */
function requestOf(row: Row): string {
  const method = text(row, 'http.request.method');
  return method === '' ? 'TCP connection' : `${method} ${text(row, 'url.path')}`;
}

function tookMs(row: Row): number | null {
  const value = attribute(row, 'weft.duration_ms');
  return typeof value === 'number' ? value : null;
}
