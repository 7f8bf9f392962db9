/** One node: what it says of itself, or what the others know of it where it does not answer. @module */
import type { MemberDetail } from '../../../shapes/mesh.ts';
import { Link, useParams } from '../../app/router.tsx';
import { useRange } from '../../app/time.ts';
import { duration, plural, share } from '../../format/numbers.ts';
import { ago } from '../../format/times.ts';
import { useNow, useTopic } from '../../state/hooks.ts';
import { Banner, Card } from '../../ui/card.tsx';
import { SourceChip } from '../../ui/chip.tsx';
import { StatusMark } from '../../ui/status-mark.tsx';
import { type Column, Table } from '../../ui/table.tsx';
import { Answer } from '../common/answer.tsx';
import { ServiceName } from '../common/figures.tsx';
import { Frame } from '../common/frame.tsx';
import { Lines } from '../events/events-page.tsx';
import { Expiry } from './members-page.tsx';

export function MemberPage() {
  const { node = '' } = useParams();
  const { atApi, atMs } = useRange();
  const read = useTopic<MemberDetail>(`/members/${encodeURIComponent(node)}${atApi}`);
  const member = read.data?.member;
  return (
    <Frame
      title={node}
      status={
        member && (
          <StatusMark health={member.health} isSoft>
            {member.cause || member.state}
          </StatusMark>
        )
      }
      about={member && <Facts detail={read.data!} />}
      command="weft members"
    >
      <Answer read={read} what={node}>
        {(detail) => (
          <>
            {atMs !== null && (
              <Banner tone="unknown">
                Whether {node} was there then is known; what it said of itself is not kept.
              </Banner>
            )}
            {atMs === null && !detail.answered && (
              <Banner tone="unknown">
                {node} did not answer. What follows is what the others know of it; its workloads and documents are not
                known.
              </Banner>
            )}
            <div className="columns">
              <div className="stack">
                <Workloads detail={detail} />
                {detail.pending.length > 0 && <Pending detail={detail} />}
                {detail.events.length > 0 && <Lines title="Events" events={detail.events} />}
              </div>
              <Sees detail={detail} />
            </div>
          </>
        )}
      </Answer>
    </Frame>
  );
}

function Facts({ detail: { member } }: { readonly detail: MemberDetail }) {
  const nowMs = useNow(5_000);
  return (
    <>
      {member.zone !== '' && <span>zone {member.zone}</span>}
      <span>Weft {member.version || '–'}</span>
      <code>{member.address}</code>
      {!member.isSelf && <span>heard {ago(member.heardAgoMs)}</span>}
      {member.rttMs !== null && <span>round trip {duration(member.rttMs)}</span>}
      {member.skewMs !== null && <span>clock {duration(member.skewMs)} off</span>}
      <span>
        certificate <Expiry expiresMs={member.certificateExpiresMs} lifeMs={member.certificateLifeMs} nowMs={nowMs} />
      </span>
      {member.capturedRatio !== null && <span>{share(member.capturedRatio)} of pods captured</span>}
    </>
  );
}

type Workload = MemberDetail['workloads'][number];

function Workloads({ detail }: { readonly detail: MemberDetail }) {
  const nowMs = useNow(5_000);
  const columns: readonly Column<Workload>[] = [
    { id: 'id', head: 'Workload', cell: (row) => <b>{row.id}</b>, value: (row) => row.id },
    {
      id: 'service',
      head: 'Service',
      cell: (row) => <ServiceName id={row.service} isWhole />,
      value: (row) => row.service,
    },
    {
      id: 'state',
      head: 'State',
      cell: (row) => (
        <span className={row.state === 'ready' ? '' : 'is-warn'}>
          {row.state} {row.detail}
        </span>
      ),
      value: (row) => row.state,
    },
    { id: 'identity', head: 'Identity', cell: (row) => <code>{row.identity.replace(/^spiffe:\/\/[^/]*\//, '')}</code> },
    {
      id: 'certificate',
      head: 'Certificate',
      cell: (row) => <Expiry expiresMs={row.certificateExpiresMs} lifeMs={null} nowMs={nowMs} />,
      value: (row) => row.certificateExpiresMs,
    },
  ];
  return (
    <Card
      title="Workloads"
      aside={
        <span className="muted">{detail.answered ? plural(detail.workloads.length, 'workload') : 'not known'}</span>
      }
    >
      <Table name="Workloads" columns={columns} rows={detail.workloads} rowKey={(row) => row.id} />
    </Card>
  );
}

function Pending({ detail }: { readonly detail: MemberDetail }) {
  return (
    <Card title="Documents it does not apply">
      <ul className="plain-lines">
        {detail.pending.map((document) => (
          <li key={`${document.kind}/${document.namespace}/${document.name}`}>
            <SourceChip source={document} />
            <span className={document.state === 'rejected' ? 'is-bad strong' : 'is-warn strong'}>{document.state}</span>
            <span className="muted">{document.why}</span>
          </li>
        ))}
      </ul>
    </Card>
  );
}

/** Disagreements first. */
function Sees({ detail: { sees, member } }: { readonly detail: MemberDetail }) {
  const sorted = sees
    .filter(({ name }) => name !== member.name)
    .toSorted((a, b) => Number(a.state === 'alive') - Number(b.state === 'alive') || a.name.localeCompare(b.name));
  return (
    <Card title="How it sees the others">
      {sorted.length === 0 ? (
        <p className="muted">{member.name} tells nothing of the others.</p>
      ) : (
        <ul className="plain-lines">
          {sorted.map(({ name, state }) => (
            <li key={name}>
              <StatusMark
                health={state === 'alive' ? 'ok' : state === 'suspect' ? 'warn' : 'unknown'}
                isGlyphOnly
                cause={state}
              />
              <Link to={`/members/${encodeURIComponent(name)}`}>{name}</Link>
              <span className="muted">{state}</span>
            </li>
          ))}
        </ul>
      )}
    </Card>
  );
}
