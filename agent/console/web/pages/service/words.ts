/** What a service's page says before it shows a chart. It says after, and never because of. @module */
import type { Problem } from '../../../shapes/common.ts';
import type { ServiceDetail } from '../../../shapes/services.ts';
import { duration, plural, rate, share } from '../../format/numbers.ts';
import { clockSeconds } from '../../format/times.ts';

/** `Failing 4.2 % of requests`, `Fine`. */
export function statusWords({ health, problem, now }: Pick<ServiceDetail, 'health' | 'problem' | 'now'>): string {
  const failed = (now.appFailedRatio ?? 0) + (now.meshFailedRatio ?? 0);
  if (health === 'ok') return 'Fine';
  if (health === 'quiet') return 'Quiet';
  if (health === 'unknown') return 'Not known';
  if (failed >= 0.01) return `Failing ${share(failed)} of requests`;
  return problem?.cause ?? (health === 'bad' ? 'Failing' : 'Degraded');
}

/** `Began 14:02:20, 20 s after Rollout ledger, revision 14.` Left out is what no rule found. */
export function beganWords(problem: Problem): string {
  const began = problem.sinceMs === null ? 'It is not known when it began' : `Began ${clockSeconds(problem.sinceMs)}`;
  const after = problem.after === null ? '' : `, ${duration(problem.after.leadMs)} after ${problem.after.title}`;
  return `${began}${after}.`;
}

/** `Only version v2, only POST /v1/entries.` */
export function whereWords({ where }: Problem): string {
  const parts = Object.entries(where).map(([dimension, value]) => `only ${dimension} ${value}`);
  if (parts.length === 0) return '';
  const text = parts.join(', ');
  return `${text[0]!.toUpperCase()}${text.slice(1)}.`;
}

/** `5.8 of 5.9 failing requests a second come from the application, not from the mesh.` */
export function whoseWords({ now }: Pick<ServiceDetail, 'now'>): string {
  const { requestsPerSec, appFailedRatio, meshFailedRatio } = now;
  if (requestsPerSec === null || appFailedRatio === null || meshFailedRatio === null) return '';
  const failed = appFailedRatio + meshFailedRatio;
  if (failed === 0) return '';
  const [part, whose, other] =
    appFailedRatio >= meshFailedRatio
      ? [appFailedRatio, 'the application', 'the mesh']
      : [meshFailedRatio, 'the mesh', 'the application'];
  const of = rate(failed * requestsPerSec).replace('/s', '');
  return `${rate(part * requestsPerSec).replace('/s', '')} of ${of} failing requests a second are of ${whose}, not of ${other}.`;
}

/** `99.9 % of requests succeed within 300 ms, 30 d, proposed`. */
export function objectiveAside(objective: NonNullable<ServiceDetail['objective']>): string {
  const { targetRatio, windowMs, latencyMs, isProposed } = objective;
  const within = latencyMs === null ? '' : ` within ${duration(latencyMs)}`;
  return `${share(targetRatio)} of requests succeed${within}, ${duration(windowMs)}${isProposed ? ', proposed' : ''}`;
}

/** `38 % of the error budget left; at this rate none in 5 h 20 min`. */
export function objectiveWords(objective: NonNullable<ServiceDetail['objective']>): string {
  if (objective.budgetLeftRatio === null) return 'Too little is known to say what is left of the error budget.';
  const { knownMs, windowMs } = objective;
  const known = knownMs < windowMs ? ` (of the last ${duration(knownMs)}; no more is kept)` : '';
  const left = `${share(Math.max(0, objective.budgetLeftRatio))} of the error budget left${known}`;
  return objective.exhaustedInMs === null
    ? `${left}.`
    : `${left}; at this rate none in ${duration(objective.exhaustedInMs)}.`;
}

/** `Called by 3 services, calls 1; 6 endpoints of 2 versions.` */
export function summaryWords({ callers, calls, endpoints, versions, now }: ServiceDetail): string {
  const direct = callers.filter(({ hops }) => hops === 1).length;
  return [
    `${rate(now.requestsPerSec).replace('/s', ' requests a second')}`,
    `called by ${plural(direct, 'service')}`,
    `calls ${calls.length}`,
    `${plural(endpoints.length, 'endpoint')} of ${plural(versions.length, 'version')}`,
  ].join(', ');
}
