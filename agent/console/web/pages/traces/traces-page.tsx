/** Requests that were kept whole, newest first. @module */
import type { TraceRow, Traces } from '../../../shapes/mesh.ts';
import { Link, setQuery, usePlace } from '../../app/router.tsx';
import { useRange } from '../../app/time.ts';
import { count, duration, plural } from '../../format/numbers.ts';
import { moment } from '../../format/times.ts';
import { useGet, useNow } from '../../state/hooks.ts';
import { Button } from '../../ui/button.tsx';
import { Card } from '../../ui/card.tsx';
import { type Column, Table } from '../../ui/table.tsx';
import { Answer } from '../common/answer.tsx';
import { FilterField } from '../common/filter-field.tsx';
import { Frame } from '../common/frame.tsx';

export function TracesPage() {
  const { query } = usePlace();
  const q = query.get('q') ?? '';
  return (
    <Frame
      title="Traces"
      about="Requests that a node kept: failed and slow ones all, others by share."
      actions={<FilterField value={q} onChange={(value) => setQuery({ q: value })} hint="service:shop/web failed" />}
      command="weft traces"
    >
      <TraceList q={q} />
    </Frame>
  );
}

export function TraceList({ q, service }: { readonly q: string; readonly service?: string }) {
  const { api } = useRange();
  const params = new URLSearchParams(api);
  const filter = service === undefined ? q : `service:${service} ${q}`.trim();
  if (filter !== '') params.set('q', filter);
  const read = useGet<Traces>(`/traces?${params}`);
  const nowMs = useNow(10_000);
  return (
    <Answer
      read={read}
      what="traces"
      isEmpty={({ traces }) => traces.length === 0}
      empty={{
        why: q === '' ? 'No trace was kept in this time.' : 'No kept trace is like that.',
        command: 'weft traces',
      }}
    >
      {({ traces }) => (
        <Card
          title={plural(traces.length, 'trace')}
          aside={
            <Button icon="retry" onClick={read.reload}>
              Again
            </Button>
          }
        >
          <Table name="Traces" columns={columns(nowMs)} rows={traces} rowKey={(row) => row.traceId} />
        </Card>
      )}
    </Answer>
  );
}

function columns(nowMs: number): readonly Column<TraceRow>[] {
  return [
    {
      id: 'root',
      head: 'Request',
      cell: (row) => (
        <Link to={`/traces/${row.traceId}`}>
          <code>{row.root}</code>
        </Link>
      ),
      value: (row) => row.root,
    },
    { id: 'service', head: 'Enters at', cell: (row) => row.service, value: (row) => row.service },
    {
      id: 'status',
      head: 'Ended',
      cell: (row) => (
        <span className={row.isFailed ? 'is-bad strong' : ''}>{row.status || (row.isFailed ? 'failed' : 'ended')}</span>
      ),
      value: (row) => row.status,
    },
    { id: 'took', head: 'Took', align: 'end', cell: (row) => duration(row.tookMs), value: (row) => row.tookMs },
    { id: 'spans', head: 'Spans', align: 'end', cell: (row) => count(row.spans), value: (row) => row.spans },
    { id: 'services', head: 'Services', cell: (row) => row.services.map((id) => id.split('/').at(-1)).join(', ') },
    {
      id: 'start',
      head: 'Began',
      align: 'end',
      cell: (row) => moment(row.startMs, nowMs),
      value: (row) => row.startMs,
    },
  ];
}
