/** Every document of the mesh: what it is, whether nodes apply it, and whom it is about. @module */
import type { DocumentRow, Documents } from '../../../shapes/mesh.ts';
import { Link, setQuery, usePlace } from '../../app/router.tsx';
import { useRange } from '../../app/time.ts';
import { FORMS } from '../../editor/forms.ts';
import { plural } from '../../format/numbers.ts';
import { ago, exact } from '../../format/times.ts';
import { useNow, useTopic } from '../../state/hooks.ts';
import { ButtonLink } from '../../ui/button.tsx';
import { Card } from '../../ui/card.tsx';
import { StatusMark } from '../../ui/status-mark.tsx';
import { type Column, Table } from '../../ui/table.tsx';
import { Answer } from '../common/answer.tsx';
import { FilterField } from '../common/filter-field.tsx';
import { Frame } from '../common/frame.tsx';
import { hrefOfSource, shortName } from '../common/hrefs.ts';

const ORDER: readonly DocumentRow['state'][] = ['rejected', 'held-back', 'pending', 'applied', 'deleted'];
const MARK = { rejected: 'bad', 'held-back': 'warn', pending: 'unknown', applied: 'ok', deleted: 'quiet' } as const;

export function PoliciesPage() {
  const { query } = usePlace();
  const { namespaces, atApi } = useRange();
  const filter = query.get('f') ?? '';
  const read = useTopic<Documents>(`/documents${atApi}`);
  return (
    <Frame
      title="Policies"
      status={read.data && <span className="muted">{conclusion(read.data.documents)}</span>}
      actions={
        <>
          <FilterField value={filter} onChange={(f) => setQuery({ f })} hint="HTTPRoute shop/cart" />
          {FORMS.map(({ id, title }) => (
            <ButtonLink key={id} icon="plus" to={`/policies/new/${id}`}>
              {title}
            </ButtonLink>
          ))}
        </>
      }
      command="weft audit"
    >
      <Answer
        read={read}
        what="documents"
        isEmpty={({ documents }) => documents.length === 0}
        empty={{ why: 'No documents; the defaults apply.', command: 'weft apply -f deploy/sample/canary.yaml' }}
      >
        {({ documents }) => <List documents={documents.filter((row) => fits(row, filter, namespaces))} />}
      </Answer>
    </Frame>
  );
}

function conclusion(documents: readonly DocumentRow[]): string {
  const of = (state: DocumentRow['state']) => documents.filter((row) => row.state === state).length;
  const live = documents.length - of('deleted');
  return `${live}, ${of('pending')} pending, ${of('rejected')} rejected`;
}

function fits({ kind, namespace, name, signer }: DocumentRow, filter: string, namespaces: readonly string[]): boolean {
  if (namespaces.length > 0 && namespace !== '' && !namespaces.includes(namespace)) return false;
  const text = `${kind} ${namespace}/${name} ${signer}`.toLowerCase();
  return filter
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

function List({ documents }: { readonly documents: readonly DocumentRow[] }) {
  const nowMs = useNow(10_000);
  const sorted = documents.toSorted(
    (a, b) =>
      ORDER.indexOf(a.state) - ORDER.indexOf(b.state) || b.advice.length - a.advice.length || b.signedMs - a.signedMs,
  );
  return (
    <Card>
      <Table
        name="Documents"
        columns={columns(nowMs)}
        rows={sorted}
        rowKey={(row) => `${row.kind}/${row.namespace}/${row.name}`}
      />
    </Card>
  );
}

function columns(nowMs: number): readonly Column<DocumentRow>[] {
  return [
    {
      id: 'name',
      head: 'Document',
      cell: (row) => (
        <span className="row">
          <StatusMark
            health={row.state === 'applied' && row.advice.length > 0 ? 'warn' : MARK[row.state]}
            cause={row.state}
            isGlyphOnly
          />
          <span className="muted">{row.kind}</span>
          <Link to={hrefOfSource({ ...row, line: null })} className="strong">
            {row.namespace === '' ? row.name : `${row.namespace}/${row.name}`}
          </Link>
        </span>
      ),
      value: (row) => `${row.kind} ${row.namespace}/${row.name}`,
    },
    { id: 'rev', head: 'Revision', cell: (row) => <code>{row.rev.slice(0, 8)}</code>, value: (row) => row.rev },
    {
      id: 'state',
      head: 'State',
      cell: (row) => (
        <span>
          {row.state}
          {row.advice.map((advice) => (
            <span key={advice} className="is-warn advice">
              {advice}
            </span>
          ))}
        </span>
      ),
      value: (row) => row.state,
    },
    {
      id: 'nodes',
      head: 'Nodes',
      align: 'end',
      cell: (row) => (row.nodesTotal === 0 ? '–' : `${row.nodesApplied}/${row.nodesTotal}`),
      value: (row) => row.nodesApplied,
    },
    {
      id: 'callers',
      head: 'About',
      cell: (row) =>
        row.callers.length === 0 ? (
          '–'
        ) : (
          <span title={row.callers.join(', ')}>
            {row.callers.length > 3 ? plural(row.callers.length, 'caller') : row.callers.map(shortName).join(', ')}
          </span>
        ),
      value: (row) => row.callers.length,
    },
    { id: 'signer', head: 'Signed by', cell: (row) => signerName(row.signer), value: (row) => row.signer },
    {
      id: 'signed',
      head: 'Signed',
      align: 'end',
      cell: (row) => <span title={exact(row.signedMs)}>{ago(nowMs - row.signedMs)}</span>,
      value: (row) => row.signedMs,
    },
  ];
}

/** `anna` of `spiffe://shop.example/operator/anna`. */
export function signerName(signer: string): string {
  return signer.split('/').at(-1) || signer;
}
