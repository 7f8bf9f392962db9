/** What is wrong, worst first, with where it concentrates and who feels it. Pure. @module */
import type { Figures, FiguresRow } from '../../history/figures.ts';
import type { Problem } from '../shapes/common.ts';
import type { TopologyEdge, TopologyNode } from '../shapes/topology.ts';
import { WORST_FIRST } from './health.ts';
import { failedRatio, totalsOf } from './signals.ts';

/** A dimension is named where it holds at least this share of all failures. */
const CONCENTRATED = 0.8;
const MAX_FELT_BY = 20;

export interface ProblemParts {
  readonly nodes: readonly TopologyNode[];
  readonly edges: readonly TopologyEdge[];
  /** By destination and version. */
  readonly versions: Figures;
  /** By destination. */
  readonly services: Figures;
}

export function problemsOf({ nodes, edges, versions, services }: ProblemParts): readonly Problem[] {
  const byVersion = Map.groupBy(versions.rows, ({ labels }) => labels.destination ?? '');
  const byService = new Map(services.rows.map((row) => [row.labels.destination ?? '', row]));
  const callers = Map.groupBy(edges, ({ to }) => to);
  return nodes
    .map((node, place) => ({ node, place }))
    .filter(({ node }) => node.health === 'bad' || node.health === 'warn')
    .sort((a, b) => rank(a.node) - rank(b.node) || (failedRatio(b.node) ?? 0) - (failedRatio(a.node) ?? 0))
    .map(({ node, place }): Problem => {
      const version = mostOf(byVersion.get(node.id) ?? [], ({ labels }) => labels.version ?? '');
      const reason = reasonOf(byService.get(node.id));
      return {
        id: `${node.health}:${node.id}`,
        service: node.id,
        health: node.health,
        cause: node.cause,
        failedRatio: failedRatio(node),
        p99Ms: node.p99Ms,
        sinceMs: null,
        where: {
          ...(version === undefined || node.versions.length < 2 ? {} : { version }),
          ...(reason === undefined ? {} : { reason }),
        },
        after: null,
        feltBy: (callers.get(place) ?? [])
          .map(({ from }) => nodes[from]!)
          .filter((caller) => (failedRatio(caller) ?? 0) > 0)
          .slice(0, MAX_FELT_BY)
          .map((caller) => ({ service: caller.id, failedRatio: failedRatio(caller) })),
      };
    });
}

/** The one name under which nearly all failures are; undefined where they are spread. */
function mostOf(rows: readonly FiguresRow[], nameOf: (row: FiguresRow) => string): string | undefined {
  const counts = rows.map((row) => ({ name: nameOf(row), failed: failuresOf(row) }));
  const all = counts.reduce((sum, { failed }) => sum + failed, 0);
  const most = counts.find(({ failed }) => all > 0 && failed >= all * CONCENTRATED);
  return most?.name === '' ? undefined : most?.name;
}

function reasonOf(row: FiguresRow | undefined): string | undefined {
  if (row === undefined) return undefined;
  const failed = failuresOf(row);
  return Object.entries(row.reasons).find(([, count]) => failed > 0 && count >= failed * CONCENTRATED)?.[0];
}

function failuresOf(row: FiguresRow): number {
  const { appFailed, meshFailed } = totalsOf(row);
  return appFailed + meshFailed;
}

function rank({ health }: TopologyNode): number {
  return WORST_FIRST.indexOf(health);
}
