/** What the rules about causes are given: services in trouble, with where their failures are and since when. Pure. @module */
import type { Figures, FiguresRow } from '../../history/figures.ts';
import { type Breakdown, onsetOf, type Place, problemsOf, type Trouble, whereOf } from '../../observe/cause.ts';
import { FAILED_WARN_RATIO } from '../../observe/health.ts';
import type { MeshEvent, Problem } from '../shapes/common.ts';
import type { TopologyEdge, TopologyNode } from '../shapes/topology.ts';
import type { Register } from './register.ts';
import { failedRatio, mergeRows, sum, totalsOf } from './signals.ts';

/** Of so many services more is asked than that they are in trouble. */
export const MAX_DETAILED = 5;

/** About one service in trouble; outbound, by destination and what the name says. */
export interface TroubleFigures {
  /** In steps. */
  readonly series: Figures;
  readonly versions: Figures;
  readonly routes: Figures;
}

export interface ProblemsParts {
  readonly nodes: readonly TopologyNode[];
  readonly edges: readonly TopologyEdge[];
  readonly details: ReadonlyMap<string, TroubleFigures>;
  /** By destination. */
  readonly services: Figures;
  readonly register: Register;
  readonly events: readonly MeshEvent[];
}

export function troubled(nodes: readonly TopologyNode[]): readonly TopologyNode[] {
  const found = nodes.filter(({ health }) => health === 'bad' || health === 'warn');
  const rank = ({ health }: TopologyNode): number => (health === 'bad' ? 0 : 1);
  return found.sort((a, b) => rank(a) - rank(b) || (failedRatio(b) ?? 0) - (failedRatio(a) ?? 0));
}

export function problemsView({ nodes, edges, details, services, register, events }: ProblemsParts): readonly Problem[] {
  const rows = new Map(services.rows.map((row) => [row.labels.destination ?? '', row]));
  const troubles = troubled(nodes).map((node): Trouble => {
    const detail = details.get(node.id);
    const series = detail === undefined ? undefined : ownRow(detail.series, node.id);
    const isBad = (series?.requests ?? []).map((requests, i) => {
      if (requests === null || requests === 0) return null;
      const failed = (series?.appFailed[i] ?? 0) + (series?.meshFailed[i] ?? 0);
      return failed / requests >= FAILED_WARN_RATIO;
    });
    const row = rows.get(node.id);
    const totals = row === undefined ? undefined : totalsOf(row);
    return {
      service: node.id,
      health: node.health,
      cause: node.cause,
      failedRatio: failedRatio(node),
      p99Ms: node.p99Ms,
      sinceMs: detail === undefined ? null : onsetOf(isBad, detail.series.startMs, detail.series.stepMs),
      failed: (totals?.appFailed ?? 0) + (totals?.meshFailed ?? 0),
      where: whereOf({
        ...(detail === undefined
          ? {}
          : {
              version: breakdown(detail.versions, node.id, ({ labels }) => labels.version ?? ''),
              route: breakdown(detail.routes, node.id, ({ labels }) => routeName(labels.method, labels.route)),
            }),
        ...(row === undefined ? {} : { reason: reasonsOf(row) }),
      } satisfies Partial<Record<Place, Breakdown>>),
      nodes: [...new Set(register.endpointsOf(node.id).map((endpoint) => endpoint.node))],
    };
  });
  const calls = edges.map((edge) => {
    return { from: nodes[edge.from]!.id, to: nodes[edge.to]!.id, failedRatio: failedRatio(edge) };
  });
  const stepMs = [...details.values()][0]?.series.stepMs ?? 0;
  return problemsOf({ troubles, calls, events, stepMs });
}

function breakdown(figures: Figures, service: string, nameOf: (row: FiguresRow) => string): Breakdown {
  const own = figures.rows.filter(({ labels }) => labels.destination === service);
  return new Map(
    [...Map.groupBy(own, nameOf)].map(([name, rows]) => {
      const totals = rows.map(totalsOf);
      const failed = totals.reduce((all, one) => all + one.appFailed + one.meshFailed, 0);
      return [name, { failed, requests: sum(totals.map(({ requests }) => requests)) ?? 0 }];
    }),
  );
}

/** A failure with a reason is the mesh's; what is left is told as none. */
function reasonsOf(row: FiguresRow): Breakdown {
  const { appFailed, meshFailed } = totalsOf(row);
  const named = Object.entries(row.reasons).map(([name, failed]) => [name, { failed, requests: failed }] as const);
  const counted = named.reduce((all, [, { failed }]) => all + failed, 0);
  const rest = Math.max(0, appFailed + meshFailed - counted);
  return new Map([...named, ['', { failed: rest, requests: rest }]]);
}

function routeName(method = '', route = ''): string {
  return route === '' ? '' : `${method} ${route}`.trim();
}

function ownRow(figures: Figures, service: string): FiguresRow | undefined {
  return mergeRows(figures.rows.filter(({ labels }) => labels.destination === service));
}
