/** The nodes of the mesh: who is there, how they fare, and how they hear each other. @module */
import type { MemberRow, Members } from '../../../shapes/mesh.ts';
import { Link, setQuery, usePlace } from '../../app/router.tsx';
import { useRange } from '../../app/time.ts';
import { count, duration, plural, share } from '../../format/numbers.ts';
import { age, ago, exact } from '../../format/times.ts';
import { useNow, useTopic } from '../../state/hooks.ts';
import { Segmented } from '../../ui/button.tsx';
import { Card } from '../../ui/card.tsx';
import { StatusMark } from '../../ui/status-mark.tsx';
import { type Column, Table } from '../../ui/table.tsx';
import { Answer } from '../common/answer.tsx';
import { Frame } from '../common/frame.tsx';

const VIEWS = [
  { value: 'nodes', text: 'Nodes' },
  { value: 'certificates', text: 'Certificates' },
  { value: 'gossip', text: 'Gossip' },
] as const;
type View = (typeof VIEWS)[number]['value'];

export function MembersPage() {
  const { atApi, atMs } = useRange();
  const read = useTopic<Members>(`/members${atApi}`);
  const { query } = usePlace();
  const view = VIEWS.find(({ value }) => value === query.get('view'))?.value ?? 'nodes';
  return (
    <Frame
      title="Members"
      about={
        read.data && (
          <span>
            {conclusion(read.data.members)}
            {atMs !== null && ' Who was there then is known; what each said of itself is not kept.'}
          </span>
        )
      }
      actions={
        <Segmented name="What of them" options={VIEWS} value={view} onChange={(value) => setQuery({ view: value })} />
      }
      command="weft members"
    >
      <Answer read={read} what="members">
        {({ members }) => (
          <Card>
            <MemberTable members={members} view={view} />
          </Card>
        )}
      </Answer>
    </Frame>
  );
}

/** `5 of 6 nodes are well; node-4 is silent.` */
export function conclusion(members: readonly MemberRow[]): string {
  const [self, others] = [members.find(({ isSelf }) => isSelf), members.filter(({ isSelf }) => !isSelf)];
  if (self !== undefined && others.length > 0 && others.every(({ state }) => state !== 'alive')) {
    return `${self.name} hears nobody; figures are its own.`;
  }
  const ill = members.filter(({ health }) => health !== 'ok' && health !== 'quiet');
  if (ill.length === 0) return `${plural(members.length, 'node')}, all well.`;
  const names = ill.slice(0, 3).map(({ name, cause }) => `${name}: ${cause}`);
  return `${members.length - ill.length} of ${plural(members.length, 'node')} are well. ${names.join('; ')}.`;
}

function MemberTable({ members, view }: { readonly members: readonly MemberRow[]; readonly view: View }) {
  const nowMs = useNow(5_000);
  const columns = [
    NAME,
    ...(view === 'nodes' ? NODE : view === 'certificates' ? certificateColumns(nowMs) : gossipColumns(members)),
  ];
  return <Table name="Members" columns={columns} rows={members} rowKey={(row) => row.name} />;
}

const NAME: Column<MemberRow> = {
  id: 'name',
  head: 'Node',
  cell: (row) => (
    <span className="row">
      <StatusMark health={row.health} cause={row.cause} isGlyphOnly />
      <Link to={`/members/${encodeURIComponent(row.name)}`} className="strong">
        {row.name}
      </Link>
      {row.isSelf && <span className="chip">serves this page</span>}
    </span>
  ),
  value: (row) => row.name,
};

const NODE: readonly Column<MemberRow>[] = [
  {
    id: 'state',
    head: 'State',
    cell: (row) => (
      <span title={row.cause}>
        {row.state}
        {row.accusers.length > 0 && <span className="is-warn"> accused by {row.accusers.join(', ')}</span>}
      </span>
    ),
    value: (row) => row.state,
  },
  { id: 'zone', head: 'Zone', cell: (row) => row.zone || '–', value: (row) => row.zone },
  { id: 'version', head: 'Weft', cell: (row) => row.version || '–', value: (row) => row.version },
  {
    id: 'heard',
    head: 'Heard',
    align: 'end',
    cell: (row) => (row.isSelf ? '–' : ago(row.heardAgoMs)),
    value: (row) => row.heardAgoMs,
  },
  { id: 'rtt', head: 'Round trip', align: 'end', cell: (row) => duration(row.rttMs), value: (row) => row.rttMs },
  { id: 'skew', head: 'Clock', align: 'end', cell: (row) => skew(row.skewMs), value: (row) => row.skewMs },
  {
    id: 'endpoints',
    head: 'Endpoints',
    align: 'end',
    cell: (row) => count(row.endpoints),
    value: (row) => row.endpoints,
  },
  {
    id: 'captured',
    head: 'Captured',
    align: 'end',
    cell: (row) => share(row.capturedRatio),
    value: (row) => row.capturedRatio,
  },
  { id: 'documents', head: 'Documents', align: 'end', cell: documents, value: (row) => row.documents?.applied ?? null },
];

/** Against the clock of the node that serves the page. */
function skew(ms: number | null): string {
  const sign = ms === null || Math.abs(ms) < 0.05 ? '' : ms < 0 ? '−' : '+';
  return sign + duration(ms === null ? null : Math.abs(ms));
}

function documents({ documents }: MemberRow) {
  if (documents === null) return '–';
  const { applied, pending, rejected } = documents;
  return (
    <span
      className={rejected > 0 ? 'is-bad strong' : pending > 0 ? 'is-warn strong' : ''}
      title={`${pending} pending, ${rejected} rejected`}
    >
      {applied}/{applied + pending + rejected}
    </span>
  );
}

function certificateColumns(nowMs: number): readonly Column<MemberRow>[] {
  return [
    {
      id: 'expires',
      head: 'Expires',
      cell: (row) => <Expiry expiresMs={row.certificateExpiresMs} lifeMs={row.certificateLifeMs} nowMs={nowMs} />,
      value: (row) => row.certificateExpiresMs,
    },
    {
      id: 'life',
      head: 'Issued for',
      align: 'end',
      cell: (row) => duration(row.certificateLifeMs),
      value: (row) => row.certificateLifeMs,
    },
    { id: 'renewal', head: 'Renewal', cell: (row) => row.renewal || '–', value: (row) => row.renewal },
  ];
}

interface ExpiryProps {
  readonly expiresMs: number | null;
  readonly lifeMs: number | null;
  readonly nowMs: number;
}

/** Renewal comes at half of its life, so a third left is late. */
export function isLate({ expiresMs, lifeMs, nowMs }: ExpiryProps): boolean {
  return expiresMs !== null && lifeMs !== null && expiresMs - nowMs < lifeMs / 3;
}

export function Expiry({ expiresMs, lifeMs, nowMs }: ExpiryProps) {
  if (expiresMs === null) return <>–</>;
  const leftMs = expiresMs - nowMs;
  const tone = leftMs <= 0 ? 'is-bad strong' : isLate({ expiresMs, lifeMs, nowMs }) ? 'is-warn strong' : '';
  return (
    <span className={tone} title={exact(expiresMs)}>
      {leftMs <= 0 ? `expired ${ago(-leftMs)}` : `in ${age(leftMs)}`}
    </span>
  );
}

function gossipColumns(members: readonly MemberRow[]): readonly Column<MemberRow>[] {
  const names = [...new Set(members.flatMap(({ gossip }) => Object.keys(gossip)))].slice(0, 8);
  return names.map((name) => ({
    id: name,
    head: name.replaceAll('_', ' '),
    align: 'end',
    cell: (row) => count(row.gossip[name]),
    value: (row) => row.gossip[name] ?? null,
  }));
}
