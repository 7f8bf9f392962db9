/** One document: its YAML, what a revision changed, which nodes apply it, and who signed what when. @module */
import type { DocumentDetail } from '../../../shapes/mesh.ts';
import { Link, setQuery, useParams, usePlace } from '../../app/router.tsx';
import { useRange } from '../../app/time.ts';
import { ago, exact } from '../../format/times.ts';
import { useNow, useTopic } from '../../state/hooks.ts';
import { ButtonLink, CopyButton } from '../../ui/button.tsx';
import { Card } from '../../ui/card.tsx';
import { Code } from '../../ui/code.tsx';
import { Diff } from '../../ui/diff.tsx';
import { StatusMark } from '../../ui/status-mark.tsx';
import { Tabs } from '../../ui/tabs.tsx';
import { Answer } from '../common/answer.tsx';
import { Frame } from '../common/frame.tsx';
import { NO_NAMESPACE, shortName, undoHref } from '../common/hrefs.ts';
import { signerName } from '../policies/policies-page.tsx';

const TABS = ['yaml', 'diff', 'nodes', 'history'] as const;
type Tab = (typeof TABS)[number];
const WORDS: Readonly<Record<Tab, string>> = { yaml: 'YAML', diff: 'Diff', nodes: 'Nodes', history: 'History' };
const MARK = { rejected: 'bad', 'held-back': 'warn', pending: 'unknown', applied: 'ok', deleted: 'quiet' } as const;

export function DocumentPage() {
  const { kind = '', ns = '', name = '', tab: asked } = useParams();
  const place = [kind, ns, name].map(encodeURIComponent).join('/');
  const { atApi } = useRange();
  const read = useTopic<DocumentDetail>(`/documents/${place}${atApi}`);
  const tab = TABS.find((one) => one === asked) ?? 'yaml';
  const flags = ns === NO_NAMESPACE ? '' : ` -n ${ns}`;
  const document = read.data?.document;
  return (
    <Frame
      title={
        <>
          <span className="muted">{kind}</span> {ns === NO_NAMESPACE ? name : `${ns}/${name}`}
        </>
      }
      status={
        document && (
          <StatusMark health={MARK[document.state]} isSoft>
            {stateWords(read.data!)}
          </StatusMark>
        )
      }
      about={document && <About detail={read.data!} />}
      actions={
        <>
          <ButtonLink icon="pencil" to={`/policies/${place}/edit`}>
            Edit
          </ButtonLink>
          {document && (
            <ButtonLink icon="retry" to={undoHref({ ...document, line: null })}>
              Undo
            </ButtonLink>
          )}
          {document && document.state !== 'deleted' && (
            <ButtonLink icon="close" to={`/policies/${place}/edit?delete=1`}>
              Delete
            </ButtonLink>
          )}
          <CopyButton text={`weft undo ${kind} ${name}${flags}`}>Copy weft undo</CopyButton>
        </>
      }
      command={`weft get ${kind} ${name}${flags} -o yaml`}
    >
      <Tabs
        name="Of the document"
        current={tab}
        tabs={TABS.map((one) => ({
          id: one,
          text: WORDS[one],
          to: `/policies/${place}/${one}`,
          count: read.data && countOf(read.data, one),
        }))}
      />
      <Answer read={read} what="the document">
        {(detail) => <Content detail={detail} tab={tab} />}
      </Answer>
    </Frame>
  );
}

function stateWords({ document: { state, nodesApplied, nodesTotal } }: DocumentDetail): string {
  if (nodesTotal === 0) return state === 'deleted' ? 'Deleted' : 'In force then';
  return state === 'deleted'
    ? 'Deleted'
    : `${state[0]!.toUpperCase()}${state.slice(1)} on ${nodesApplied} of ${nodesTotal} nodes`;
}

function About({ detail: { document } }: { readonly detail: DocumentDetail }) {
  const nowMs = useNow(10_000);
  return (
    <>
      <span>
        Revision <code>{document.rev.slice(0, 12)}</code>
      </span>
      <span title={exact(document.signedMs)}>
        signed by <b>{signerName(document.signer)}</b> {ago(nowMs - document.signedMs)}
      </span>
      {document.callers.length > 0 && <span>about calls of {document.callers.map(shortName).join(', ')}</span>}
      {document.advice.map((advice) => (
        <span key={advice} className="is-warn">
          {advice}
        </span>
      ))}
    </>
  );
}

function countOf({ nodes, revisions }: DocumentDetail, tab: Tab): number | undefined {
  return tab === 'nodes' ? nodes.length : tab === 'history' ? revisions.length : undefined;
}

function Content({ detail, tab }: { readonly detail: DocumentDetail; readonly tab: Tab }) {
  switch (tab) {
    case 'yaml':
      return (
        <Card isFlush>
          <Code text={detail.yaml} name="The document" />
        </Card>
      );
    case 'diff':
      return <Compare detail={detail} />;
    case 'nodes':
      return <Nodes detail={detail} />;
    case 'history':
      return <History detail={detail} />;
  }
}

function Compare({ detail: { revisions, yaml, document } }: { readonly detail: DocumentDetail }) {
  const { query } = usePlace();
  const rev = query.get('rev') ?? document.rev;
  const at = revisions.findIndex((one) => one.rev === rev);
  const base = query.get('base') ?? revisions[at + 1]?.rev ?? '';
  const textOf = (wanted: string) =>
    wanted === document.rev ? yaml : (revisions.find((one) => one.rev === wanted)?.yaml ?? '');
  const choice = (label: string, value: string, key: 'rev' | 'base') => (
    <label className="row">
      {label}
      <select value={value} onChange={(event) => setQuery({ [key]: event.target.value })}>
        {key === 'base' && <option value="">nothing</option>}
        {revisions.map((one) => (
          <option key={one.rev} value={one.rev}>
            {one.rev.slice(0, 12)} by {signerName(one.signer)}
          </option>
        ))}
      </select>
    </label>
  );
  return (
    <Card>
      <div className="row">
        {choice('Revision', rev, 'rev')}
        {choice('against', base, 'base')}
      </div>
      <Diff
        left={textOf(base)}
        right={textOf(rev)}
        leftName={base === '' ? 'nothing' : base.slice(0, 8)}
        rightName={rev.slice(0, 8)}
      />
    </Card>
  );
}

function Nodes({ detail: { nodes } }: { readonly detail: DocumentDetail }) {
  if (nodes.length === 0)
    return (
      <Card>
        <p className="muted">Which nodes had taken it then is not kept.</p>
      </Card>
    );
  const sorted = nodes.toSorted(
    (a, b) => Number(a.state === 'applied') - Number(b.state === 'applied') || a.node.localeCompare(b.node),
  );
  return (
    <Card>
      <ul className="plain-lines">
        {sorted.map(({ node, state, why }) => (
          <li key={node}>
            <StatusMark health={MARK[state as 'applied'] ?? 'unknown'} cause={why}>
              {state}
            </StatusMark>
            <Link to={`/members/${encodeURIComponent(node)}`} className="strong">
              {node}
            </Link>
            <span className="muted">{why}</span>
          </li>
        ))}
      </ul>
    </Card>
  );
}

function History({ detail: { revisions, document } }: { readonly detail: DocumentDetail }) {
  const nowMs = useNow(10_000);
  const place = [document.kind, document.namespace || NO_NAMESPACE, document.name].map(encodeURIComponent).join('/');
  return (
    <Card>
      <ol className="plain-lines">
        {revisions.map(({ rev, signer, signedMs, yaml }) => (
          <li key={rev}>
            <Link to={`/policies/${place}/diff?rev=${rev}`}>
              <code>{rev.slice(0, 12)}</code>
            </Link>
            <span>
              {yaml === null ? 'deleted' : 'signed'} by <b>{signerName(signer)}</b>
            </span>
            <span className="muted" title={exact(signedMs)}>
              {ago(nowMs - signedMs)}
            </span>
            {rev === document.rev && <span className="chip">in force</span>}
          </li>
        ))}
      </ol>
    </Card>
  );
}
