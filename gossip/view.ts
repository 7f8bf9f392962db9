/**
 * What gossip shows of itself: the members as this node sees them, and figures about how it is doing.
 * @module
 */
import type { Core } from './core.ts';
import type { NodeCredential } from './edge/node-signer.ts';
import type { Links } from './libp2p/links.ts';
import type { CoreStats, TrafficStats } from './stats.ts';

export type MemberState = 'alive' | 'suspect' | 'unresponsive' | 'dead' | 'left';

export interface Member {
  readonly name: string;
  readonly state: MemberState;
  /** `ip:port` of its gossip. */
  readonly address: string;
  readonly epoch: number;
  /** Deaths it refuted since it started. */
  readonly incarnation: number;
  /** Endpoints of it that may be routed to. */
  readonly endpoints: number;
  /** When it came into this state, as this node saw it; Unix time. */
  readonly sinceMs: number;
  readonly isSelf: boolean;
  /** What it says of itself as an issuer of certificates, unchecked; absent when it does not claim to be one. */
  readonly issuer?: Uint8Array;
  /** Fingerprint of the root that its certificate leads to; absent where its certificate is not known. */
  readonly root?: string;
}

/** What this node knows of another by looking itself; fields are absent where it did not look. */
export interface PeerHealth {
  readonly name: string;
  /** Observers that accuse it right now. */
  readonly accusers: number;
  readonly rttMs?: number;
  /** Time since a ping or an ack of it came. */
  readonly heardAgoMs?: number;
  /** Its wall clock less ours. */
  readonly skewMs?: number;
}

export interface GossipStats extends CoreStats, TrafficStats {
  /** 48 bits of the sum over all that this node holds: equal where nodes agree. */
  readonly registerDigest: number;
  /** Those that are linked to this node, or accused. */
  readonly peers: readonly PeerHealth[];
  readonly members: Readonly<Record<MemberState, number>>;
  readonly links: number;
  readonly endpoints: number;
}

/**
 * Every node known, this one first; those known by hearsay only are left out until somebody reached them.
 *
 * @param toWallMs what to add to an instant on the core's clock to get Unix time
 */
export function viewMembers(core: Core, toWallMs: number): readonly Member[] {
  return core
    .members()
    .filter((member): member is typeof member & { state: MemberState } => member.state !== 'probation')
    .map(({ accusers: _, ...member }) => ({
      ...member,
      ...rootOf(core, member.name),
      sinceMs: Math.round(member.sinceMs + toWallMs),
    }));
}

function rootOf(core: Core, name: string): Pick<Member, 'root'> {
  const credential: Partial<NodeCredential> | undefined = core.credentialOf(name);
  return credential?.root === undefined ? {} : { root: credential.root };
}

export function viewStats(core: Core, links: Links, traffic: TrafficStats): GossipStats {
  const members = { alive: 0, suspect: 0, unresponsive: 0, dead: 0, left: 0 };
  for (const { state } of viewMembers(core, 0)) members[state]++;
  return {
    ...structuredClone(core.stats),
    ...structuredClone(traffic),
    registerDigest: Buffer.from(core.root()).readUIntLE(0, 6),
    peers: viewPeers(core, links),
    members,
    links: core.linkCount,
    endpoints: core.endpointCount,
  };
}

function viewPeers(core: Core, links: Links): PeerHealth[] {
  const accused = core.members().filter(({ accusers }) => accusers > 0);
  const accusers = new Map(accused.map((member) => [member.name, member.accusers]));
  return [...new Set([...links.names(), ...accusers.keys()])].map((name) => ({
    name,
    accusers: accusers.get(name) ?? 0,
    ...viewPulse(links, name),
  }));
}

function viewPulse(links: Links, name: string): Omit<PeerHealth, 'name' | 'accusers'> {
  const pulse = links.pulseOf(name);
  if (pulse === undefined) return {};
  const { rttMs, skewMs, heardAtMs } = pulse;
  return { rttMs, heardAgoMs: performance.now() - heardAtMs, ...(skewMs === undefined ? {} : { skewMs }) };
}
