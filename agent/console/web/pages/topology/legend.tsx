/** What the marks in the graph mean; only those that are on screen. @module */
import type { Topology } from '../../../shapes/topology.ts';
import { Modal } from '../../ui/modal.tsx';
import { HEALTH_ORDER, HealthGlyph } from '../../ui/status-mark.tsx';

const HEALTH_MEANS = {
  bad: 'Failing: at least 3 % of requests, a fast burn of its objective, or no endpoint ready',
  warn: 'Degraded: at least 1 % failed, or p99 three times its usual',
  unknown: 'Unknown: the nodes that would know did not answer',
  quiet: 'Quiet: under 20 requests in the range',
  ok: 'Fine, and so without colour',
} as const;
const KIND_MEANS: Readonly<Record<string, string>> = {
  ingress: 'Half round: where traffic enters the mesh',
  outside: 'Dashed grey: outside the mesh',
  unmeshed: 'Dashed violet: a workload that is not in the mesh',
  store: 'Barrel: a store, by TCP',
};

export function Legend({
  part,
  onClose,
}: {
  readonly part: Pick<Topology, 'nodes' | 'edges'>;
  readonly onClose: () => void;
}) {
  const healths = HEALTH_ORDER.filter((health) => part.nodes.some((node) => node.health === health));
  const kinds = Object.keys(KIND_MEANS).filter((kind) => part.nodes.some((node) => node.kind === kind));
  const hasPlaintext = part.edges.some(({ tls }) => tls === 'plaintext');
  const hasTcp = part.edges.some(({ protocol }) => protocol === 'tcp');
  return (
    <Modal title="Legend" onClose={onClose}>
      <ul className="legend">
        {healths.map((health) => (
          <li key={health}>
            <HealthGlyph health={health} />
            {HEALTH_MEANS[health]}
          </li>
        ))}
        {kinds.map((kind) => (
          <li key={kind}>{KIND_MEANS[kind]}</li>
        ))}
        <li>Callers are left of whom they call; an edge is as wide as its rate, from 1 to 6 pixels</li>
        {hasTcp && <li>An edge that ends in a bar is TCP, one with an arrow HTTP or gRPC</li>}
        {hasPlaintext && (
          <li>
            <HealthGlyph health="mesh" /> A dashed violet edge is plaintext; all others are mutual TLS
          </li>
        )}
        <li>“9 callers” is a hub: its edges are drawn when it is chosen, or in trouble</li>
      </ul>
    </Modal>
  );
}
