/** Which queries the mesh answers itself, and what it says. Pure. @module */
import ipaddr from 'ipaddr.js';
import { KUBERNETES_ZONE, MESH_ZONE, TTL_S } from './config.ts';
import { type Answer, CLASS, type Query, RCODE, type ResourceRecord, TYPE, writeName } from './message.ts';
import type { DnsOutcome } from './stats.ts';

/**
 * The virtual addresses of a service.
 *
 * @param name `<service>.<namespace>.weft`, lower case, without a dot at the end
 * @returns IPv4 and IPv6 literals; undefined when there is no such service
 */
export type DnsLookup = (name: string) => readonly string[] | undefined;

export interface ZoneAnswer {
  readonly answer: Answer;
  readonly outcome: DnsOutcome;
}

/** Only names of this shape can be services; anything else is not looked up. */
const LABEL = /^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?$/;
const NO_RECORDS = { answers: [], authority: [] } as const;
const ZONE_OWNER = writeName(MESH_ZONE);
const SOA: ResourceRecord = { owner: ZONE_OWNER, type: TYPE.SOA, ttlS: TTL_S, data: soaData() };

/**
 * Whether a name is the mesh's: no query for it ever leaves the node. Names as Kubernetes gives them are so where the mesh has
 * the service; others are for the cluster's own resolver.
 */
export function isMeshName({ labels }: Query, lookup: DnsLookup): boolean {
  if (labels.at(-1) === MESH_ZONE) return true;
  const name = kubernetesService(labels);
  return name !== undefined && lookup(name) !== undefined;
}

/** The name that a service of Kubernetes has in the mesh: `<service>.<namespace>.svc.cluster.local` without its end. */
function kubernetesService(labels: readonly string[]): string | undefined {
  if (labels.length !== 5 || labels.slice(2).join('.') !== KUBERNETES_ZONE) return undefined;
  const [service, namespace] = labels as [string, string];
  return LABEL.test(service) && LABEL.test(namespace) ? `${service}.${namespace}.${MESH_ZONE}` : undefined;
}

/** The answer to a query for which `isMeshName` holds. */
export function answerMeshName(query: Query, lookup: DnsLookup): ZoneAnswer {
  if (query.isMalformed) return { answer: { rcode: RCODE.FORMERR, ...NO_RECORDS }, outcome: 'refused' };
  if (query.edns !== undefined && query.edns.version !== 0) {
    return { answer: { rcode: RCODE.BADVERS, ...NO_RECORDS }, outcome: 'refused' };
  }
  if (query.class !== CLASS.IN && query.class !== CLASS.ANY) {
    return { answer: { rcode: RCODE.REFUSED, ...NO_RECORDS }, outcome: 'refused' };
  }
  const vips = findVips(query.labels, lookup);
  if (vips === undefined) return { answer: absence(RCODE.NXDOMAIN), outcome: 'no-name' };
  const answers = vips.map(addressRecord).filter(({ type }) => query.type === type || query.type === TYPE.ANY);
  if (answers.length === 0) return { answer: absence(RCODE.NOERROR), outcome: 'no-data' };
  return { answer: { rcode: RCODE.NOERROR, answers, authority: [] }, outcome: 'answered' };
}

/**
 * The zone itself and the namespaces exist without addresses of their own: to deny them would deny every name below
 * (RFC 8020), which resolvers that ask label by label (RFC 9156) would believe.
 */
function findVips(labels: readonly string[], lookup: DnsLookup): readonly string[] | undefined {
  const kubernetes = kubernetesService(labels);
  if (kubernetes !== undefined) return lookup(kubernetes);
  if (labels.length < 3) return [];
  if (labels.length > 3 || !labels.every((label) => LABEL.test(label))) return undefined;
  return lookup(labels.join('.'));
}

function addressRecord(vip: string): ResourceRecord {
  const data = Buffer.from(ipaddr.parse(vip).toByteArray());
  return { type: data.length === 4 ? TYPE.A : TYPE.AAAA, ttlS: TTL_S, data };
}

/** No such name, or no such record: the SOA says how long that may be remembered (RFC 2308). */
function absence(rcode: Answer['rcode']): Answer {
  return { rcode, answers: [], authority: [SOA] };
}

/** Primary server, mailbox, then serial, refresh, retry, expire and the TTL of absence (RFC 1035 §3.3.13). */
function soaData(): Buffer {
  const numbers = Buffer.alloc(20);
  [1, 3_600, 600, 86_400, TTL_S].forEach((value, index) => {
    numbers.writeUInt32BE(value, index * 4);
  });
  return Buffer.concat([writeName('ns', MESH_ZONE), writeName('hostmaster', MESH_ZONE), numbers]);
}
