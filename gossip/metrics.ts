/** How `Gossip.stats()` reads in Prometheus. The agent registers these; no library is needed to say them. @module */
import type { DelayHistogram } from './edge/propagation.ts';
import { PROPAGATION_BOUNDS_MS } from './edge/propagation.ts';
import type { GossipStats } from './view.ts';

export interface GossipMetric {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge';
  /** Name of the one label, for those that have one; its values come from closed sets. */
  readonly label?: string;
  /** By label value; a metric without a label has the key ''. */
  readonly read: (stats: GossipStats) => Readonly<Record<string, number>>;
}

export interface GossipHistogram {
  readonly name: string;
  readonly help: string;
  readonly label: string;
  /** Upper bounds in seconds, rising. */
  readonly bounds: readonly number[];
  /** By label value: counts that are not added up, one more than there are bounds, and the sum in seconds. */
  readonly read: (stats: GossipStats) => Readonly<Record<string, { counts: readonly number[]; sum: number }>>;
}

const inSeconds = ({ counts, sumMs }: DelayHistogram): { counts: readonly number[]; sum: number } => ({
  counts,
  sum: sumMs / 1_000,
});

export const GOSSIP_HISTOGRAMS: readonly GossipHistogram[] = [
  {
    name: 'weft_gossip_propagation_seconds',
    help: 'From a change at another node to its use here, for changes that came by broadcast. clock="corrected": the skew between both clocks is taken out; "raw": it is not known, and part of the value.',
    label: 'clock',
    bounds: PROPAGATION_BOUNDS_MS.map((ms) => ms / 1_000),
    read: ({ propagation }) => ({ corrected: inSeconds(propagation.corrected), raw: inSeconds(propagation.raw) }),
  },
];

const one = (value: number): Readonly<Record<string, number>> => ({ '': value });

export const GOSSIP_METRICS: readonly GossipMetric[] = [
  {
    name: 'weft_gossip_members',
    help: 'Nodes this node knows, itself included, by the state they have here.',
    type: 'gauge',
    label: 'state',
    read: (stats) => stats.members,
  },
  {
    name: 'weft_gossip_links',
    help: 'Nodes this node exchanges messages with.',
    type: 'gauge',
    read: (stats) => one(stats.links),
  },
  {
    name: 'weft_gossip_endpoints',
    help: 'Endpoints of all nodes that traffic may go to.',
    type: 'gauge',
    read: (stats) => one(stats.endpoints),
  },
  {
    name: 'weft_gossip_register_digest',
    help: 'A number that two nodes share when they hold the same of all members. Nodes that differ for long have diverged.',
    type: 'gauge',
    read: (stats) => one(stats.registerDigest),
  },
  {
    name: 'weft_gossip_messages_sent_total',
    help: 'Messages sent to other nodes.',
    type: 'counter',
    label: 'kind',
    read: (stats) => stats.messagesSent,
  },
  {
    name: 'weft_gossip_messages_received_total',
    help: 'Messages received from other nodes and understood.',
    type: 'counter',
    label: 'kind',
    read: (stats) => stats.messagesReceived,
  },
  {
    name: 'weft_gossip_sent_bytes_total',
    help: 'Bytes of messages sent, before encryption and framing by libp2p.',
    type: 'counter',
    label: 'kind',
    read: (stats) => stats.bytesSent,
  },
  {
    name: 'weft_gossip_received_bytes_total',
    help: 'Bytes of messages received, after decryption.',
    type: 'counter',
    label: 'kind',
    read: (stats) => stats.bytesReceived,
  },
  {
    name: 'weft_gossip_peers_refused_total',
    help: 'Connections that ended in admission, by reason. Rises steadily while a foreign or expired node keeps trying.',
    type: 'counter',
    label: 'reason',
    read: (stats) => stats.refused,
  },
  {
    name: 'weft_gossip_links_cut_total',
    help: 'Links to admitted nodes that this node cut: their certificate expired or was revoked, they got no broadcasts (silent), or they flooded it.',
    type: 'counter',
    label: 'reason',
    read: (stats) => stats.linksCut,
  },
  {
    name: 'weft_gossip_frames_dropped_total',
    help: 'Frames of admitted nodes that were dropped: malformed, oversized, above the rate, or no room to send.',
    type: 'counter',
    label: 'reason',
    read: (stats) => stats.framesDropped,
  },
  {
    name: 'weft_gossip_news_dropped_total',
    help: 'Well-formed news that was not believed, by reason.',
    type: 'counter',
    label: 'reason',
    read: (stats) => stats.dropped,
  },
  {
    name: 'weft_gossip_restarts_total',
    help: 'Times the network library was restarted because dials hung in it. Worth a report.',
    type: 'counter',
    read: (stats) => one(stats.restarts),
  },
  {
    name: 'weft_gossip_dials_total',
    help: 'Connections this node tried to make.',
    type: 'counter',
    read: (stats) => one(stats.dials),
  },
  {
    name: 'weft_gossip_dial_failures_total',
    help: 'Connections this node failed to make.',
    type: 'counter',
    read: (stats) => one(stats.dialFailures),
  },
  {
    name: 'weft_gossip_suspicions_total',
    help: 'Suspicions of other nodes, raised here or heard of.',
    type: 'counter',
    read: (stats) => one(stats.suspicions),
  },
  {
    name: 'weft_gossip_refutations_total',
    help: 'Times this node proved itself alive. Rises when it is too slow, or when others cannot reach it.',
    type: 'counter',
    read: (stats) => one(stats.refutations),
  },
  {
    name: 'weft_gossip_deaths_total',
    help: 'Nodes that this node saw die.',
    type: 'counter',
    read: (stats) => one(stats.deaths),
  },
  {
    name: 'weft_gossip_probes_total',
    help: 'Connect probes sent to nodes that did not answer.',
    type: 'counter',
    read: (stats) => one(stats.probes),
  },
  {
    name: 'weft_gossip_vetoes_total',
    help: 'Times a node was found to accept connections without answering.',
    type: 'counter',
    read: (stats) => one(stats.vetoes),
  },
  {
    name: 'weft_gossip_stalls_total',
    help: 'Times the gossip thread of this node stood still for more than 250 ms.',
    type: 'counter',
    read: (stats) => one(stats.stalls),
  },
  {
    name: 'weft_gossip_epoch_raises_total',
    help: 'Times another node knew a newer life of this one. More than one after a start: its bundle is used twice.',
    type: 'counter',
    read: (stats) => one(stats.epochRaises),
  },
  {
    name: 'weft_gossip_anti_entropy_sessions_total',
    help: 'Comparisons with a neighbour that this node began.',
    type: 'counter',
    read: (stats) => one(stats.antiEntropySessions),
  },
  {
    name: 'weft_gossip_repairs_total',
    help: 'Pages fetched because broadcast had not brought them.',
    type: 'counter',
    read: (stats) => one(stats.repairs),
  },
  {
    name: 'weft_gossip_gaps_total',
    help: 'Changes that did not fit what this node held, and were fetched whole.',
    type: 'counter',
    read: (stats) => one(stats.gaps),
  },
  {
    name: 'weft_gossip_documents',
    help: 'Documents this node holds, deleted ones included.',
    type: 'gauge',
    read: (stats) => one(stats.documents.held),
  },
  {
    name: 'weft_gossip_document_bytes',
    help: 'What all revisions of documents kept here take, in memory and again on disk.',
    type: 'gauge',
    read: (stats) => one(stats.documents.bytes),
  },
  {
    name: 'weft_gossip_document_revisions_taken_total',
    help: 'Revisions of documents taken in, from peers, operators and disk.',
    type: 'counter',
    read: (stats) => one(stats.documents.taken),
  },
  {
    name: 'weft_gossip_document_revisions_refused_total',
    help: 'Revisions of documents that were refused: forged, out of scope, from the future, too large and so on.',
    type: 'counter',
    label: 'reason',
    read: (stats) => stats.documents.refused,
  },
  {
    name: 'weft_gossip_document_replays_total',
    help: 'Revisions older than all that is kept of their document.',
    type: 'counter',
    read: (stats) => one(stats.documents.stale),
  },
  {
    name: 'weft_gossip_document_conflicts_total',
    help: 'Writes refused because somebody else had written in the meantime.',
    type: 'counter',
    read: (stats) => one(stats.documents.conflicts),
  },
];
