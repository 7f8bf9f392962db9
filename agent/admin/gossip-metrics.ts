/** `weft_gossip_*`: what the mesh thread counts. @module */
import type { Registry } from 'prom-client';
import type { GossipStats } from '../../gossip/gossip.ts';
import { addCounter, addGauge, oncePerScrape, type Sample, snakeCase } from './scraped.ts';

/** Totals of one number each; the type sees to it that none is forgotten. */
const TOTALS: { readonly [K in Totals]: string } = {
  suspicions: 'Suspicions raised or heard of for the first time.',
  refutations: 'Times this node proved itself alive against an accusation.',
  deaths: 'Members seen to die, by a verdict of our own or of others.',
  probes: 'Connect probes asked for.',
  vetoes: 'Times a member was found to accept connections without answering.',
  stalls: 'Times this node found that it had stood still itself.',
  epochRaises: 'Times the epoch of this node rose because a peer knew a newer one.',
  antiEntropySessions: 'Comparisons of the register with a neighbour.',
  repairs: 'Records that anti-entropy or a gap pull brought and that were news.',
  gaps: 'Deltas that did not fit what this node holds.',
  dials: 'Connections to other nodes begun.',
  dialFailures: 'Connections to other nodes that failed.',
};

type Totals = {
  [K in keyof GossipStats]: K extends 'links' | 'endpoints' ? never : GossipStats[K] extends number ? K : never;
}[keyof GossipStats];

/** Tables of numbers, each with the label that its keys are values of. */
const TABLES: readonly {
  readonly name: string;
  readonly help: string;
  readonly label: string;
  readonly of: (stats: GossipStats) => Readonly<Partial<Record<string, number>>>;
}[] = [
  { name: 'messages_sent', label: 'kind', help: 'Messages sent, by kind.', of: (stats) => stats.messagesSent },
  {
    name: 'messages_received',
    label: 'kind',
    help: 'Messages received, by kind.',
    of: (stats) => stats.messagesReceived,
  },
  { name: 'sent_bytes', label: 'kind', help: 'Bytes of messages sent, by kind.', of: (stats) => stats.bytesSent },
  {
    name: 'received_bytes',
    label: 'kind',
    help: 'Bytes of messages received, by kind.',
    of: (stats) => stats.bytesReceived,
  },
  {
    name: 'messages_dropped',
    label: 'reason',
    help: 'Well-formed messages that were refused, by reason.',
    of: (stats) => stats.dropped,
  },
  {
    name: 'frames_dropped',
    label: 'reason',
    help: 'Frames of admitted peers that were dropped, by reason.',
    of: (stats) => stats.framesDropped,
  },
  {
    name: 'peers_refused',
    label: 'reason',
    help: 'Peers refused before any stream was opened, by reason.',
    of: (stats) => stats.refused,
  },
];

export function addGossipMetrics(registry: Registry, readStats: () => Promise<GossipStats>): void {
  const stats = oncePerScrape(readStats);
  for (const [name, help] of Object.entries(TOTALS)) {
    addCounter(registry, {
      name: `weft_gossip_${snakeCase(name)}_total`,
      help,
      read: async () => [[{}, (await stats())[name as Totals]]],
    });
  }
  for (const { name, help, label, of } of TABLES) {
    addCounter(registry, {
      name: `weft_gossip_${name}_total`,
      help,
      labels: [label],
      read: async () => samples(label, of(await stats())),
    });
  }
  addGauge(registry, {
    name: 'weft_gossip_members',
    help: 'Members of the mesh as this node sees them, itself included, by state.',
    labels: ['state'],
    read: async () => samples('state', (await stats()).members),
  });
  addGauge(registry, {
    name: 'weft_gossip_links',
    help: 'Connections to other nodes that are open.',
    read: async () => [[{}, (await stats()).links]],
  });
  addGauge(registry, {
    name: 'weft_gossip_endpoints',
    help: 'Endpoints in the register that may be routed to.',
    read: async () => [[{}, (await stats()).endpoints]],
  });
}

function samples(label: string, table: Readonly<Partial<Record<string, number>>>): readonly Sample[] {
  return Object.entries(table).map(([key, value = 0]): Sample => [{ [label]: key }, value]);
}
