/** Access logs of all nodes, newest first. @module */
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
          <Table name="Logs" columns={COLUMNS} rows={logs} rowKey={(row) => keys.get(row) ?? setKey(row)} />
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
    cell: (row) => (
      <code>
        {text(row, 'method')} {text(row, 'path', 'route')}
      </code>
    ),
  },
  {
    id: 'edge',
    head: 'Edge',
    cell: (row) =>
      `${text(row, 'sourceService', 'source') || '–'} → ${text(row, 'destinationService', 'destination') || '–'}`,
  },
  {
    id: 'status',
    head: 'Ended',
    cell: (row) => {
      const reason = text(row, 'reason');
      const isBad = Number(text(row, 'status')) >= 500;
      return (
        <span className={reason !== '' ? 'is-mesh strong' : isBad ? 'is-bad strong' : ''}>
          {`${text(row, 'status')} ${reason}`.trim()}
        </span>
      );
    },
    value: (row) => text(row, 'status'),
  },
  {
    id: 'took',
    head: 'Took',
    align: 'end',
    cell: (row) => duration(figure(row, 'tookMs', 'durationMs')),
    value: (row) => figure(row, 'tookMs', 'durationMs'),
  },
  {
    id: 'trace',
    head: 'Trace',
    cell: (row) => {
      const traceId = text(row, 'traceId');
      return traceId === '' ? '–' : <TraceLink traceId={traceId} />;
    },
  },
];

/** The first of these fields that a line has. */
function text({ record }: Row, ...fields: readonly string[]): string {
  const value = fields.map((field) => record[field]).find((one) => one !== undefined && one !== null && one !== '');
  return value === undefined ? '' : String(value);
}

function figure({ record }: Row, ...fields: readonly string[]): number | null {
  const value = fields.map((field) => record[field]).find((one) => typeof one === 'number');
  return typeof value === 'number' ? value : null;
}
