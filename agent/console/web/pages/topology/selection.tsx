/** The panel of what is chosen in the graph: a service, a call between two, or a namespace. @module */
import type { ServiceDetail } from '../../../shapes/services.ts';
import type { Topology, TopologyEdge, TopologyNode } from '../../../shapes/topology.ts';
import { Link } from '../../app/router.tsx';
import { useRange } from '../../app/time.ts';
import { bytesRate, duration, plural, rate, share } from '../../format/numbers.ts';
import { isSplit, versionWords } from '../../graph/cards.tsx';
import { failedOf } from '../../graph/lod.ts';
import { useTopic } from '../../state/hooks.ts';
import { Button, ButtonLink } from '../../ui/button.tsx';
import { Facts, ShareBar } from '../../ui/card.tsx';
import { SidePanel } from '../../ui/side-panel.tsx';
import { Sparkline } from '../../ui/sparkline.tsx';
import { HealthLine } from './attention.tsx';
import { NamespacePanel } from './namespace-panel.tsx';
import { endpointWords } from './words.ts';

interface Props {
  readonly data: Topology;
  /** As in the address: `pay/ledger`, `pay/payments>pay/ledger`, `ns:pay`. */
  readonly chosen: string;
  readonly view: string;
  readonly onChoose: (id: string | null) => void;
  readonly onAffected: (id: string) => void;
  readonly onNamespace: (name: string) => void;
  /** Namespaces that are open in the graph; undefined where none can be. */
  readonly opened: ReadonlySet<string> | undefined;
  /** False: there are too many services in it. */
  readonly onOpenNamespace: (name: string, isOpen: boolean) => boolean;
}

export function Selection(props: Props) {
  const { data, chosen, onChoose } = props;
  const close = () => onChoose(null);
  if (chosen.startsWith('ns:')) return <NamespacePanel {...props} close={close} />;
  if (chosen.includes('>')) return <EdgePanel {...props} close={close} />;
  const node = data.nodes.find(({ id }) => id === chosen);
  return node === undefined ? (
    <Nothing chosen={chosen} close={close} />
  ) : (
    <NodePanel {...props} node={node} close={close} />
  );
}

function Nothing({ chosen, close }: { readonly chosen: string; readonly close: () => void }) {
  return (
    <SidePanel title={chosen} onClose={close}>
      <p className="muted">Not seen in this range and these namespaces.</p>
    </SidePanel>
  );
}

interface Shown extends Props {
  readonly close: () => void;
}

function NodePanel({ data, node, view, close, onChoose, onAffected }: Shown & { readonly node: TopologyNode }) {
  const { api } = useRange();
  const isService = view === 'service' && node.kind !== 'outside';
  const { data: detail } = useTopic<ServiceDetail>(isService ? `/services/${node.id}?${api}` : null);
  const place = data.nodes.indexOf(node);
  const callers = data.edges.filter(({ to }) => to === place);
  const callees = data.edges.filter(({ from }) => from === place);
  return (
    <SidePanel title={node.name} onClose={close}>
      <HealthLine health={node.health} cause={node.cause} />
      {detail && <Lines detail={detail} />}
      <Facts
        items={[
          ['Namespace', node.namespace],
          ['Requests', rate(node.requestsPerSec)],
          [
            'Failed',
            `${share(failedOf(node))}: application ${share(node.appFailedRatio)}, mesh ${share(node.meshFailedRatio)}`,
          ],
          ['Denied', share(node.deniedRatio)],
          ['Answer time', `p50 ${duration(node.p50Ms)}, p99 ${duration(node.p99Ms)}`],
          ['Endpoints', endpointWords(node)],
          ...(node.versions.length > 0 ? [['Versions', versionWords(node)] as const] : []),
          ...(node.badges.length > 0 ? [['Marks', node.badges.join(', ')] as const] : []),
        ]}
      />
      {isSplit(node) && (
        <ShareBar
          label={versionWords(node)}
          parts={node.versions.map(({ name, shareRatio }, i) => {
            return { name, ratio: shareRatio ?? 0, color: i % 2 === 0 ? 'series1' : 'series2' };
          })}
        />
      )}
      <div className="row">
        {view === 'service' && <ButtonLink to={`/services/${node.id}`}>Open {node.name}</ButtonLink>}
        {view === 'node' && <ButtonLink to={`/members/${node.id}`}>Open {node.name}</ButtonLink>}
        <Button onClick={() => onAffected(node.id)}>Who is affected</Button>
      </div>
      <Calls
        title={plural(callers.length, 'caller')}
        edges={callers}
        other={({ from }) => from}
        {...{ data, onChoose }}
      />
      <Calls title={plural(callees.length, 'callee')} edges={callees} other={({ to }) => to} {...{ data, onChoose }} />
    </SidePanel>
  );
}

function Lines({ detail }: { readonly detail: ServiceDetail }) {
  const { series } = detail;
  const failed = series.appFailedRatio.map((value, i) =>
    value === null ? null : value + (series.meshFailedRatio[i] ?? 0),
  );
  const rows = [
    ['Requests', series.requestsPerSec, rate(detail.now.requestsPerSec)],
    ['Failed', failed, share(failedOf(detail.now))],
    ['p99', series.p99Ms, duration(detail.now.p99Ms)],
    ['In flight', series.inFlight, String(series.inFlight.findLast((value) => value !== null) ?? '–')],
  ] as const;
  return (
    <div className="lines">
      {rows.map(([name, values, figure]) => (
        <div key={name}>
          <span className="muted">{name}</span> <b>{figure}</b>
          <Sparkline values={values} />
        </div>
      ))}
    </div>
  );
}

interface CallsProps {
  readonly title: string;
  readonly data: Topology;
  readonly edges: readonly TopologyEdge[];
  readonly other: (edge: TopologyEdge) => number;
  readonly onChoose: (id: string) => void;
}
/** More are in the table. */
const MAX_CALLS = 12;

function Calls({ title, data, edges, other, onChoose }: CallsProps) {
  if (edges.length === 0) return null;
  const sorted = edges.toSorted((a, b) => (b.requestsPerSec ?? 0) - (a.requestsPerSec ?? 0));
  return (
    <section>
      <h3>{title}</h3>
      <ul className="calls">
        {sorted.slice(0, MAX_CALLS).map((edge) => (
          <li key={`${edge.from} ${edge.to}`}>
            <button
              type="button"
              className="textual"
              onClick={() => onChoose(`${data.nodes[edge.from]!.id}>${data.nodes[edge.to]!.id}`)}
            >
              {data.nodes[other(edge)]!.id}
            </button>
            <span className="muted">
              {rate(edge.requestsPerSec)} <span className={`is-${edge.health}`}>{share(failedOf(edge))}</span>
            </span>
          </li>
        ))}
      </ul>
      {sorted.length > MAX_CALLS && <p className="muted">and {sorted.length - MAX_CALLS} more in the table</p>}
    </section>
  );
}

function EdgePanel({ data, chosen, close }: Shown) {
  const [from = '', to = ''] = chosen.split('>');
  const names = new Map(data.nodes.map((node, i) => [node.id, i]));
  const edge = data.edges.find((one) => one.from === names.get(from) && one.to === names.get(to));
  if (edge === undefined) {
    const isEnd = (place: number, end: string) => data.nodes[place]?.namespace === end || data.nodes[place]?.id === end;
    const between = data.edges.filter((one) => isEnd(one.from, from) && isEnd(one.to, to));
    return between.length === 0 ? (
      <Nothing chosen={chosen} close={close} />
    ) : (
      <BundlePanel {...{ data, from, to, between, close }} />
    );
  }
  return (
    <SidePanel title={`${from.split('/')[1] ?? from} → ${to.split('/')[1] ?? to}`} onClose={close}>
      <HealthLine health={edge.health} cause={edge.tls === 'plaintext' ? 'plaintext' : ''} />
      <Facts
        items={[
          ['Requests', rate(edge.requestsPerSec)],
          [
            'Failed',
            `${share(failedOf(edge))}: application ${share(edge.appFailedRatio)}, mesh ${share(edge.meshFailedRatio)}`,
          ],
          ['Denied', share(edge.deniedRatio)],
          ['Answer time', `p50 ${duration(edge.p50Ms)}, p99 ${duration(edge.p99Ms)}`],
          ['Bytes', bytesRate(edge.bytesPerSec)],
          ['Protocol', edge.protocol],
          [
            'TLS',
            { mutual: 'mutual', plaintext: 'none: plaintext', local: 'none: within one node', unknown: '–' }[edge.tls],
          ],
        ]}
      />
      <div className="row">
        <ButtonLink kind="primary" to={`/edges/${from}/${to}`}>
          Open edge
        </ButtonLink>
      </div>
    </SidePanel>
  );
}

function BundlePanel(props: {
  data: Topology;
  from: string;
  to: string;
  between: readonly TopologyEdge[];
  close: () => void;
}) {
  const { data, from, to, between, close } = props;
  return (
    <SidePanel title={`${from} → ${to}`} onClose={close}>
      <ul className="calls">
        {between
          .toSorted((a, b) => (failedOf(b) ?? 0) - (failedOf(a) ?? 0))
          .slice(0, 60)
          .map((edge) => {
            const [a, b] = [data.nodes[edge.from]!, data.nodes[edge.to]!];
            return (
              <li key={`${edge.from} ${edge.to}`}>
                <Link to={`/edges/${a.id}/${b.id}`}>
                  {a.name} → {b.name}
                </Link>
                <span className="muted">
                  {rate(edge.requestsPerSec)} <span className={`is-${edge.health}`}>{share(failedOf(edge))}</span>
                </span>
              </li>
            );
          })}
      </ul>
      <p className="muted">{plural(between.length, 'edge')}, worst first</p>
    </SidePanel>
  );
}
