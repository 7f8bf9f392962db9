/** Who and what observed calls were between, as this node knows them now: addresses, labels and ports are not kept with calls. Pure. @module */
import type { Endpoint } from '../../../gossip/records/endpoint.ts';
import type { AccessDestination } from '../../../proxy/access/destination.ts';
import type { SourceMatcher } from '../../../proxy/access/match.ts';
import { type AccessPeer, peerOf } from '../../../proxy/access/peer.ts';
import { serviceOf } from '../views/register.ts';
import type { Holds } from './observed.ts';

type Port = Pick<
  Endpoint,
  'namespace' | 'service' | 'identity' | 'address' | 'labels' | 'port' | 'servicePort' | 'protocol'
>;
/** Of this node, those without a port among them. */
export type Workload = Pick<Port, 'identity' | 'address' | 'labels'>;

/** A caller, as far as its identity says who that is. */
export interface Peer extends AccessPeer {
  /** Whether all workloads of this identity have the same labels. */
  readonly isAlike: boolean;
}

export class Places {
  readonly #ports: ReadonlyMap<string, readonly Port[]>;
  readonly #byIdentity: ReadonlyMap<string, readonly Workload[]>;
  /** As many as there are identities in what is replayed. */
  readonly #peers = new Map<string, Peer>();

  constructor(ports: readonly Port[], workloads: readonly Workload[]) {
    this.#ports = Map.groupBy(ports, serviceOf);
    this.#byIdentity = Map.groupBy([...ports, ...workloads], ({ identity }) => identity);
  }

  /** @param identity '' for one in plaintext, of which nothing is known */
  peer(identity: string): Peer {
    const known = this.#peers.get(identity);
    if (known !== undefined) return known;
    const all = identity === '' ? [] : (this.#byIdentity.get(identity) ?? []);
    const addresses = new Set(all.map(({ address }) => address));
    const labels = new Map(all.map((one) => [JSON.stringify(one.labels), one.labels]));
    const peer = {
      ...peerOf({
        identity: identity === '' ? undefined : identity,
        address: addresses.size === 1 ? all[0]!.address : undefined,
        labels: [...labels.values()],
      }),
      isAlike: labels.size === 1,
    };
    this.#peers.set(identity, peer);
    return peer;
  }

  /** Ports that rules can tell apart; none of a service that has no endpoint now. */
  destinations(service: string): readonly AccessDestination[] {
    const ports = (this.#ports.get(service) ?? []).map(({ namespace, service: name, labels, port }) => {
      return { namespace, service: name, labels, port };
    });
    return [
      ...new Map(ports.map((one) => [JSON.stringify([one.port, Object.entries(one.labels).sort()]), one])).values(),
    ];
  }

  /** Those that callers dial. */
  servicePorts(service: string): readonly number[] {
    return [...new Set((this.#ports.get(service) ?? []).map(({ servicePort }) => servicePort))].sort((a, b) => a - b);
  }
}

/** Where several workloads may have called, or an address is not known, what is asked of these may hold. */
export function sourceHolds(matcher: SourceMatcher, peer: Peer): Holds {
  const { cidrs, notCidrs, labels } = matcher.source;
  const obstacle = matcher.obstacle(peer);
  const isByAddress = peer.addressBits === undefined && cidrs.length + notCidrs.length > 0;
  const isByLabels = !peer.isAlike && Object.keys(labels).length > 0;
  const isOpen = obstacle === undefined || obstacle === 'cidrs' || obstacle === 'notCidrs' || obstacle === 'labels';
  if (isOpen && (isByAddress || isByLabels)) return 'maybe';
  return obstacle === undefined ? 'yes' : 'no';
}
