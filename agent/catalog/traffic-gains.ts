/** From the running totals of the statistics to what was called since the last look. Pure. @module */
import { parseSpiffeId } from '../../certs/spiffe.ts';
import { isOfConnections, seriesKey, UNREAD_ROUTE } from '../../proxy/telemetry/series.ts';
import type { SeriesStats } from '../../proxy/telemetry/stats-reader.ts';

/** The destination of what leaves the mesh. */
export const OUTSIDE = 'passthrough';

/** What is read of a row. */
export type CountedSeries = Pick<
  SeriesStats,
  'labels' | 'connectionsOpened' | 'bytesReceived' | 'bytesSent' | 'requests' | 'statuses'
>;

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
    series: Iterable<CountedSeries>,
    serviceOf: (identity: string) => string | undefined,
  ): { readonly relations: readonly RelationGain[]; readonly routes: readonly RouteGain[] } {
    const counted = new Map<string, Counted>();
    const relations: RelationGain[] = [];
    const routes: RouteGain[] = [];
    for (const one of series) {
      const { labels } = one;
      const { direction, destination, protocol, route, method } = labels;
      const key = seriesKey(labels);
      const now = countedOf(one);
      counted.set(key, now);
      if (destination === OTHER || destination === '') continue;
      const gain = gained(now, this.#before.get(key) ?? NOTHING);
      const from = labels.sourceService || callerOf(labels.source, serviceOf);
      const isCalls = !isOfConnections(labels);
      if (isCalls && gain.requests > 0 && route !== UNREAD_ROUTE && destination !== OUTSIDE) {
        const { requests: count, statuses } = gain;
        routes.push({ direction, service: destination, method, template: route, consumer: from, count, statuses });
      }
      // Requests are counted by their own rows, and their bytes by those of their connections.
      const count = isCalls ? gain.requests : protocol === 'tcp' ? gain.opened : 0;
      const bytes = isCalls ? 0 : gain.bytes;
      if (from === '' || from === OTHER || (count === 0 && bytes === 0)) continue;
      relations.push({ direction, from, to: destination, protocol, count, bytes });
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
  return {
    requests: requests.reduce((sum, count) => sum + count, 0),
    opened: connectionsOpened,
    bytes: bytesReceived + bytesSent,
    statuses,
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
