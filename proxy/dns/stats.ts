/** What became of each DNS query, to be counted. @module */
import type { Counter } from '../telemetry/counters.ts';

/** The closed set of outcomes, each with the sentence that explains it. */
export const DNS_OUTCOMES = {
  answered: 'a name of the mesh, answered here',
  'no-data': 'a name of the mesh that has no record of that type',
  'no-name': 'a name of the mesh that no service has',
  refused: 'a query for a name of the mesh that is malformed or asks for what is not offered',
  'passed-on': 'sent on to the resolver it was meant for',
  relayed: 'the answer of a resolver brought back',
  'timed-out': 'the resolver did not answer in time',
  crowded: 'given up because too many queries or connections were open',
  'no-destination':
    'meant for no resolver: the kernel knows no redirected flow, or it was addressed to this server itself',
  failed: 'could not be sent on, or the resolver refused it',
} as const;

export type DnsOutcome = keyof typeof DNS_OUTCOMES;

export interface DnsStats {
  count(outcome: DnsOutcome): void;
}

/** Where the statistics of a worker count each outcome. */
export const DNS_COUNTERS = {
  answered: 'dnsAnswered',
  'no-data': 'dnsNoData',
  'no-name': 'dnsNoName',
  refused: 'dnsRefused',
  'passed-on': 'dnsPassedOn',
  relayed: 'dnsRelayed',
  'timed-out': 'dnsTimedOut',
  crowded: 'dnsCrowded',
  'no-destination': 'dnsNoDestination',
  failed: 'dnsFailed',
} as const satisfies Record<DnsOutcome, Counter>;
