/** From the running totals of the statistics to what was called since the last look. Pure. @module */
import { parseSpiffeId } from '../../certs/spiffe.ts';

/** The destination of what leaves the mesh. */
export const OUTSIDE = 'passthrough';

/** What is read of a row. Labels that an older data plane lacks are absent. */
export interface CountedSeries {
  readonly labels: {
    readonly direction: 'outbound' | 'inbound';
    readonly source: string;
    readonly sourceService?: string;
    readonly destination: string;
    readonly protocol: string;
    readonly version?: string;
    /** Empty: a row of connections. Absent: a row of both. */
    readonly route?: string;
    readonly method?: string;
  };
  readonly connectionsOpened: number;
  readonly bytesReceived: number;
  readonly bytesSent: number;
  /** By status class, 1xx first. */
  readonly requests: readonly number[];
  readonly statuses?: Readonly<Record<string, number>>;
}

export interface RelationGain {
  readonly direction: 'outbound' | 'inbound';
  readonly from: string;
  readonly to: string;
  readonly protocol: string;
  readonly count: number;
  readonly bytes: number;
}

export interface RouteGain {
  readonly direction: 'outbound' | 'inbound';
  readonly service: string;
  readonly method: string;
  readonly template: string;
  readonly consumer: string;
  readonly count: number;
  readonly statuses: Readonly<Record<string, number>>;
}

/** What a row had counted. */
interface Counted {
  readonly requests: number;
  readonly opened: number;
  readonly bytes: number;
  readonly statuses: Readonly<Record<string, number>>;
}

const NOTHING: Counted = { requests: 0, opened: 0, bytes: 0, statuses: {} };
/** Labels of rows for what did not fit. */
const OTHER = 'other';

export class TrafficGains {
  /** As many as the table of statistics has rows: what is there no more is dropped with the next look. */
  #before: ReadonlyMap<string, Counted> = new Map();

  /** @param serviceOf of an identity, where it is known */
  since(
    series: readonly CountedSeries[],
    serviceOf: (identity: string) => string | undefined,
  ): { readonly relations: readonly RelationGain[]; readonly routes: readonly RouteGain[] } {
    const counted = new Map<string, Counted>();
    const relations: RelationGain[] = [];
    const routes: RouteGain[] = [];
    for (const one of series) {
      const { labels } = one;
      const key = Object.values(labels).join(' ');
      const now = countedOf(one);
      counted.set(key, now);
      if (labels.destination === OTHER || labels.destination === '') continue;
      const gain = gained(now, this.#before.get(key) ?? NOTHING);
      const from = labels.sourceService || callerOf(labels.source, serviceOf);
      if (gain.requests > 0 && labels.route !== undefined && labels.route !== '' && labels.destination !== OUTSIDE) {
        routes.push({
          direction: labels.direction,
          service: labels.destination,
          method: labels.method ?? '',
          template: labels.route,
          consumer: from,
          count: gain.requests,
          statuses: gain.statuses,
        });
      }
      const isRequests = labels.protocol !== 'tcp';
      const count = isRequests ? gain.requests : gain.opened;
      // A row of connections of HTTP tells bytes only; one of requests has bytes that its connection has as well.
      const bytes = labels.route === undefined || labels.route === '' ? gain.bytes : 0;
      if (from === '' || from === OTHER || (count === 0 && bytes === 0)) continue;
      const { direction, destination: to, protocol } = labels;
      relations.push({ direction, from, to, protocol, count, bytes });
    }
    this.#before = counted;
    return { relations, routes };
  }
}

/** 'namespace/service' of a caller: as the register has it, else by its identity, whose account is named like the service by default. */
function callerOf(identity: string, serviceOf: (identity: string) => string | undefined): string {
  const known = serviceOf(identity);
  if (known !== undefined) return known;
  const [, namespace, account] = /^ns\/([^/]+)\/sa\/([^/]+)$/.exec(parseSpiffeId(identity)?.path ?? '') ?? [];
  return namespace === undefined || account === undefined ? '' : `${namespace}/${account}`;
}

function countedOf({ connectionsOpened, bytesReceived, bytesSent, requests, statuses }: CountedSeries): Counted {
  const byClass = Object.fromEntries(requests.flatMap((count, i) => (count > 0 ? [[`${i + 1}xx`, count]] : [])));
  return {
    requests: requests.reduce((sum, count) => sum + count, 0),
    opened: connectionsOpened,
    bytes: bytesReceived + bytesSent,
    statuses: statuses ?? byClass,
  };
}

/** Rows that were given up and begin anew count from zero. */
function gained(now: Counted, before: Counted): Counted {
  const since = now.requests < before.requests || now.opened < before.opened ? NOTHING : before;
  const statuses = Object.entries(now.statuses).map(([status, count]): [string, number] => [
    status,
    count - (since.statuses[status] ?? 0),
  ]);
  return {
    requests: now.requests - since.requests,
    opened: now.opened - since.opened,
    bytes: Math.max(0, now.bytes - since.bytes),
    statuses: Object.fromEntries(statuses.filter(([, count]) => count > 0)),
  };
}
