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

const COMPARISONS = ['p99>500ms', 'failed>1%', 'rate>100', 'endpoints<2'];
const MAX_COMPLETIONS = 12;

/** Terms that find something in these services, and comparisons as they are written. */
export function filterTerms(nodes: readonly TopologyNode[]): readonly string[] {
  const words = nodes.flatMap(({ namespace, health, kind, versions }) => [
    ...(namespace === '' ? [] : [`ns:${namespace}`]),
    `health:${health}`,
    `kind:${kind}`,
    ...versions.map(({ name }) => `v:${name}`),
  ]);
  return [...[...new Set(words)].sort(), ...COMPARISONS];
}

/** The whole text with its last word completed; what is there already is not offered again. */
export function completions(text: string, terms: readonly string[]): readonly string[] {
  const [, before = '', sign = '', begun = ''] = /^(.*?)(-?)([^\s]*)$/s.exec(text) ?? [];
  const used = new Set(before.split(/\s+/));
  const fitting = terms.filter((term) => term.startsWith(begun) && term !== begun && !used.has(term));
  return fitting.slice(0, MAX_COMPLETIONS).map((term) => `${before}${sign}${term}`);
}

/** Of an earlier moment nobody knows how many were ready. */
export function endpointWords({
  endpointsReady,
  endpointsTotal,
}: Pick<TopologyNode, 'endpointsReady' | 'endpointsTotal'>): string {
  return endpointsReady === null ? '–' : `${endpointsReady} of ${endpointsTotal} ready`;
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
