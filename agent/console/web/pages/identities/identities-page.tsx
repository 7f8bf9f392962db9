/** Who speaks to whom as whom: edges with their TLS, rule hits and denials, and the certificates of identities. @module */
import type { Identities } from '../../../shapes/mesh.ts';
import { Link } from '../../app/router.tsx';
import { useRange } from '../../app/time.ts';
import { count, plural } from '../../format/numbers.ts';
import { age, moment } from '../../format/times.ts';
import { useNow, useTopic } from '../../state/hooks.ts';
import { Card } from '../../ui/card.tsx';
import { type Column, Table } from '../../ui/table.tsx';
import { Answer } from '../common/answer.tsx';
import { ServiceName } from '../common/figures.tsx';
import { Frame } from '../common/frame.tsx';
import { edgeHref, hrefOfSource, shortName } from '../common/hrefs.ts';
import { Expiry, isLate } from '../members/members-page.tsx';

type Edge = Identities['edges'][number];
type Identity = Identities['identities'][number];

export function IdentitiesPage() {
  const { api } = useRange();
  const read = useTopic<Identities>(`/identities?${api}`);
  const nowMs = useNow(10_000);
  return (
    <Frame
      title="Identities"
      about={read.data && <span>{conclusion(read.data, nowMs)}</span>}
      command="weft get AccessPolicy"
    >
      <Answer
        read={read}
        what="identities"
        isEmpty={({ identities, edges }) => identities.length === 0 && edges.length === 0}
        empty={{ why: 'No workload has a certificate yet, and none was called.', command: 'weft workloads' }}
      >
        {(data) => <Body data={data} nowMs={nowMs} />}
      </Answer>
    </Frame>
  );
}

function conclusion({ identities, edges }: Identities, nowMs: number): string {
  const plain = edges.filter(({ tls }) => tls === 'plaintext').length;
  const late = identities.filter(({ expiresMs, lifeMs }) => isLate({ expiresMs, lifeMs, nowMs })).length;
  const denied = edges.filter((edge) => edge.denied > 0).length;
  const words = [`${plural(identities.length, 'identity', 'identities')}, ${plural(edges.length, 'edge')}`];
  words.push(plain === 0 ? 'no plaintext' : `${plain} in plaintext`);
  words.push(denied === 0 ? 'nobody denied' : `${denied} with denials`);
  if (late > 0) words.push(`${plural(late, 'certificate')} to be renewed by now`);
  return `${words.join('; ')}.`;
}

function Body({ data, nowMs }: { readonly data: Identities; readonly nowMs: number }) {
  return (
    <>
      <Card title="Who calls whom">
        <Table
          name="Edges"
          columns={edgeColumns(nowMs)}
          rows={data.edges}
          rowKey={(row) => `${row.from} ${row.to} ${row.rule}`}
        />
      </Card>
      {data.plaintext.length > 0 && (
        <Card title="In plaintext" aside="let in at permissive ports since the nodes began">
          <Table
            name="In plaintext"
            columns={plaintextColumns(nowMs)}
            rows={data.plaintext}
            rowKey={(row) => `${row.address} ${row.to} ${row.port}`}
          />
        </Card>
      )}
      <Card title="Certificates">
        <Table name="Certificates" columns={identityColumns(nowMs)} rows={data.identities} rowKey={(row) => row.id} />
      </Card>
    </>
  );
}

function edgeColumns(nowMs: number): readonly Column<Edge>[] {
  return [
    {
      id: 'edge',
      head: 'Edge',
      cell: ({ from, to }) => {
        const caller = workloadOf(from);
        return caller.includes('/') && to.includes('/') ? (
          <Link to={edgeHref(caller, to)} title={from}>
            {shortName(caller)} → {shortName(to)}
          </Link>
        ) : (
          `${from} → ${to}`
        );
      },
      value: ({ from, to }) => `${from} ${to}`,
    },
    { id: 'tls', head: 'TLS', cell: (edge) => <Tls edge={edge} nowMs={nowMs} />, value: (edge) => edge.tls },
    { id: 'rule', head: 'Decided by', cell: (edge) => <Rule edge={edge} />, value: (edge) => edge.rule },
    {
      id: 'hits',
      head: 'Rule hits',
      align: 'end',
      cell: (edge) => count(edge.ruleHits),
      value: (edge) => edge.ruleHits,
    },
    {
      id: 'allowed',
      head: 'Allowed',
      align: 'end',
      cell: (edge) => count(edge.allowed),
      value: (edge) => edge.allowed,
    },
    {
      id: 'denied',
      head: 'Denied',
      align: 'end',
      cell: (edge) => <span className={edge.denied > 0 ? 'is-warn strong' : ''}>{count(edge.denied)}</span>,
      value: (edge) => edge.denied,
    },
    {
      id: 'last',
      head: 'Last',
      align: 'end',
      cell: (edge) => moment(edge.lastMs, nowMs),
      value: (edge) => edge.lastMs,
    },
  ];
}

/** mTLS is the rule, so only its absence is marked. */
function Tls({ edge: { tls, plaintextUntilMs }, nowMs }: { readonly edge: Edge; readonly nowMs: number }) {
  if (tls !== 'plaintext') return <span className="muted">{tls === 'mutual' ? 'mTLS' : tls}</span>;
  return (
    <span className="is-mesh strong">
      plaintext{plaintextUntilMs !== null && ` for ${age(plaintextUntilMs - nowMs)} more`}
    </span>
  );
}

/** The rule, linked to the document and revision that has it. */
function Rule({ edge: { rule, document } }: { readonly edge: Edge }) {
  if (document === null) return <span className="muted">{RULE_WORDS[rule] ?? rule}</span>;
  return (
    <Link to={hrefOfSource(document)} title={`revision ${document.rev?.slice(0, 8)}`}>
      {rule}
    </Link>
  );
}

const RULE_WORDS: Readonly<Record<string, string>> = {
  default: 'the default',
  'no-allow': 'no rule lets it in',
  strict: 'STRICT port',
  unknown: 'no endpoint is known',
};

function plaintextColumns(nowMs: number): readonly Column<Identities['plaintext'][number]>[] {
  return [
    { id: 'address', head: 'Caller', cell: ({ address }) => <code>{address}</code>, value: ({ address }) => address },
    { id: 'to', head: 'To', cell: ({ to }) => <ServiceName id={to} isWhole />, value: ({ to }) => to },
    { id: 'port', head: 'Port', align: 'end', cell: ({ port }) => port, value: ({ port }) => port },
    { id: 'count', head: 'Connections', align: 'end', cell: (row) => count(row.count), value: (row) => row.count },
    { id: 'last', head: 'Last', align: 'end', cell: (row) => moment(row.lastMs, nowMs), value: (row) => row.lastMs },
    {
      id: 'until',
      head: 'Let in until',
      align: 'end',
      cell: ({ untilMs }) => (untilMs === null ? 'no more' : moment(untilMs, nowMs)),
      value: ({ untilMs }) => untilMs,
    },
  ];
}

function identityColumns(nowMs: number): readonly Column<Identity>[] {
  return [
    {
      id: 'id',
      head: 'Identity',
      cell: ({ id }) => <code title={id}>{id.replace(/^spiffe:\/\/[^/]*\//, '')}</code>,
      value: ({ id }) => id,
    },
    {
      id: 'services',
      head: 'Services',
      cell: ({ services }) => (
        <span className="row">
          {services.map((id) => (
            <ServiceName key={id} id={id} />
          ))}
        </span>
      ),
    },
    { id: 'nodes', head: 'Nodes', cell: ({ nodes }) => nodes.join(', ') },
    {
      id: 'expires',
      head: 'Expires',
      cell: (row) => <Expiry expiresMs={row.expiresMs} lifeMs={row.lifeMs} nowMs={nowMs} />,
      value: ({ expiresMs }) => expiresMs,
    },
  ];
}

/** `shop/web` of `spiffe://shop.example/ns/shop/sa/web`; other names stay as they are. */
function workloadOf(name: string): string {
  return name.replace(/^spiffe:\/\/[^/]*\/ns\/([^/]+)\/sa\/([^/]+)$/, '$1/$2');
}
