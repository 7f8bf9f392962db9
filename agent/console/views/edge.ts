/** One call, from a service to another: how requests ended, and how long they took. Pure. @module */
import { REASONS, type ReasonCode } from '../../../proxy/reasons.ts';
import type { Figures, FiguresRow } from '../../history/figures.ts';
import { blameOf, FAULT } from '../../history/outcomes.ts';
import type { Coverage } from '../../mesh-query/shapes.ts';
import type { EdgeDetail } from '../shapes/edge.ts';
import { judge } from './health.ts';
import { OUTSIDE, type Register } from './register.ts';
import { mergeRows, seriesOf, share, signalsOf, sum, totalsOf } from './signals.ts';

export interface EdgeFigures {
  /** outbound, about the destination, by source, sourceService, destination, protocol; in steps. */
  readonly series: Figures;
  /** The same in one step. */
  readonly now: Figures;
  /** As `now`, by version too. */
  readonly versions: Figures;
}

export function edgeView(
  { from, to }: { readonly from: string; readonly to: string },
  { register, figures, coverage }: { register: Register; figures: EdgeFigures; coverage: Coverage },
): EdgeDetail {
  const own = (rows: readonly FiguresRow[]): readonly FiguresRow[] =>
    rows.filter(
      ({ labels }) => labels.destination === to && register.callerOf(labels.source, labels.sourceService) === from,
    );
  const rows = own(figures.now.rows);
  const row = mergeRows(rows);
  const now = signalsOf(row, figures.now);
  const endpoints = register.endpointsOf(to);
  const { health } = judge({
    row,
    isCovered: figures.now.coveredMs.some((ms) => ms > 0),
    isUnseen: coverage.missing.length > 0,
    usualP99Ms: null,
    endpointsReady: register.readyOf(endpoints),
    callers: row === undefined ? [] : [from],
  });
  const identities = rows.map(({ labels }) => labels.source ?? '').filter((source) => source !== '');
  const versions = own(figures.versions.rows);
  const all = versions.reduce((count, one) => count + (totalsOf(one).requests ?? 0), 0);
  return {
    from,
    to,
    health,
    now,
    protocol: rows[0]?.labels.protocol ?? endpoints[0]?.protocol ?? 'http',
    tls: from === OUTSIDE ? 'plaintext' : register.services.has(to) ? 'mutual' : 'unknown',
    identities: [...new Set([...identities, ...endpoints.map(({ identity }) => identity)])],
    series: seriesOf(mergeRows(own(figures.series.rows)), figures.series),
    outcomes: row === undefined ? [] : outcomesOf(row),
    versions: [...Map.groupBy(versions, ({ labels }) => labels.version ?? '')]
      .filter(([name]) => name !== '')
      .map(([name, same]) => ({
        ...signalsOf(mergeRows(same), figures.versions),
        name,
        shareRatio: share(sum(same.map((one) => totalsOf(one).requests)) ?? 0, all),
      })),
    coverage,
  };
}

/** What the mesh answered is among the statuses too: it is taken from there, so that nothing counts twice. */
export function outcomesOf(row: FiguresRow): EdgeDetail['outcomes'] {
  const all = totalsOf(row).requests ?? 0;
  const statuses = new Map<number, number>();
  const ofMesh: Omit<EdgeDetail['outcomes'][number], 'ratio'>[] = [];
  const tell = (reason: string, status: number, count: number): void => {
    if (statuses.has(status)) statuses.set(status, Math.max(0, statuses.get(status)! - count));
    ofMesh.push({ class: classOf(reason), status, reason, count });
  };
  const names = Object.entries(row.statuses);
  for (const [name, count] of names) if (!name.includes(' ')) statuses.set(statusOf(name), count);
  let answered = 0; // by faults, with the status that each chose
  for (const [name, count] of names) {
    if (!name.startsWith(FAULT)) continue;
    answered += count;
    tell('fault-injected', statusOf(name.slice(FAULT.length)), count);
  }
  for (const [reason, count] of Object.entries(row.reasons)) {
    const status: number = reason in REASONS ? REASONS[reason as keyof typeof REASONS].status : 0;
    tell(reason, status, reason === 'fault-injected' ? count - answered : count);
  }
  const ofApp = [...statuses].map(([status, count]) => ({ class: 'app' as const, status, reason: '', count }));
  return [...ofApp, ...ofMesh]
    .filter(({ count }) => count > 0)
    .map((outcome) => ({ ...outcome, ratio: share(outcome.count, all) ?? 0 }))
    .sort((a, b) => b.count - a.count || a.status - b.status);
}

function classOf(reason: string): EdgeDetail['outcomes'][number]['class'] {
  return reason in REASONS ? blameOf(reason as ReasonCode) : 'mesh';
}

/** Where only the class was counted, `5xx`, the status that stands for it. */
function statusOf(text: string): number {
  return /^\dxx$/.test(text) ? Number(text[0]) * 100 : Number(text) || 0;
}
