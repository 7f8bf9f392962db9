/** What the topology page says in sentences; pure. @module */
import type { Coverage } from '../../../../mesh-query/shapes.ts';
import type { Problem } from '../../../shapes/common.ts';
import type { Topology, TopologyEdge, TopologyNode } from '../../../shapes/topology.ts';
import type { Fields } from '../../filter/filter.ts';
import { duration, plural, share } from '../../format/numbers.ts';
import { clock, type Zone } from '../../format/times.ts';
import { failedOf } from '../../graph/lod.ts';

/** The conclusion, first: how many problems, and how far they are felt. */
export function headline(
  { problems, nodes, coverage }: Pick<Topology, 'problems' | 'nodes' | 'coverage'>,
  view: string,
): string {
  const things = plural(nodes.length, view);
  const missing = coverage.missing.length;
  if (nodes.length === 0)
    return missing > 0
      ? `Nothing seen by the ${plural(coverage.answered, 'node')} that answered`
      : 'No traffic seen yet';
  if (problems.length === 0) {
    return missing > 0
      ? `No problem in what ${coverage.answered} of ${plural(coverage.asked, 'node')} tell`
      : `No problem in ${things}`;
  }
  const felt = new Set(problems.flatMap(({ service, feltBy }) => [service, ...feltBy.map((one) => one.service)]));
  const own = new Set(problems.map(({ service }) => service));
  const others = [...felt].filter((service) => !own.has(service)).length;
  return `${plural(problems.length, 'problem')}, felt by ${others === 0 ? 'nobody else' : `${others} of ${things}`}`;
}

/** At the right of a problem's name. */
export function problemFigure({ cause, failedRatio, p99Ms }: Pick<Problem, 'cause' | 'failedRatio' | 'p99Ms'>): string {
  return cause.startsWith('p99') || failedRatio === null || failedRatio < 0.001
    ? `p99 ${duration(p99Ms)}`
    : `${share(failedRatio)} failing`;
}

/** `Only version v2, only POST /v1/entries`; nothing where it concentrates nowhere. */
export function whereWords({ where }: Pick<Problem, 'where'>): string {
  const parts = [
    where.version && `version ${where.version}`,
    where.route,
    where.endpoint && `endpoint ${where.endpoint}`,
    where.node && `on ${where.node}`,
    where.reason && `reason ${where.reason}`,
  ].filter(Boolean);
  return parts.length === 0 ? '' : `Only ${parts.join(', only ')}`;
}

/** "After", never "because of". */
export function beganWords({ sinceMs, after }: Pick<Problem, 'sinceMs' | 'after'>, zone: Zone): string {
  const began = sinceMs === null ? '' : `Began ${clock(sinceMs, zone)}`;
  if (after === null) return began;
  return `${began === '' ? 'Began' : `${began},`} ${duration(after.leadMs)} after ${after.title}`;
}

export function missingFacts({ missing }: Coverage, nowMs: number, age: (ms: number) => string): string[] {
  return missing.map(({ node, lastHeardMs, endpoints }) => {
    const since = lastHeardMs === null ? '' : ` for ${age(nowMs - lastHeardMs)}`;
    return `${node} has not answered${since}.${endpoints > 0 ? ` ${plural(endpoints, 'endpoint')} are not counted.` : ''}`;
  });
}

/** What the filter may ask of a service. */
export function nodeFields(node: TopologyNode, protocols: readonly string[]): Fields {
  return {
    words: {
      ns: [node.namespace],
      name: [node.name],
      kind: [node.kind],
      health: [node.health],
      v: node.versions.map(({ name }) => name),
      badge: node.badges,
      protocol: protocols,
    },
    numbers: { ...numbers(node), endpoints: node.endpointsReady },
    text: `${node.id} ${node.badges.join(' ')}`,
  };
}

function numbers(one: TopologyNode | TopologyEdge): Readonly<Record<string, number | null>> {
  return {
    rate: one.requestsPerSec,
    failed: failedOf(one),
    denied: one.deniedRatio,
    mesh: one.meshFailedRatio,
    p50: one.p50Ms,
    p99: one.p99Ms,
  };
}
