/** How the use of access rules looks as text. @module */
import type { AccessView } from '../access/views.ts';
import { span, table } from './output.ts';

/** One line a rule, with what it did on the node that was asked; then who still calls in plaintext. */
export function accessUseText(view: AccessView, nowMs: number): string {
  const { policies, otherwise, defaultAction, permissive } = view;
  const rules = policies.flatMap(({ policy, action, isDryRun, rules }) =>
    rules.map(({ rule, count, lastAt }) => ({
      policy,
      rule,
      what: isDryRun ? `${action}, dry run` : action,
      count,
      lastAt,
    })),
  );
  const rest = [
    { policy: '', rule: 'no rule of an ALLOW holds', what: 'DENY', ...otherwise.noAllow },
    { policy: '', rule: 'no rule of an ALLOW holds', what: 'DENY, dry run', ...otherwise.dryRunNoAllow },
    { policy: '', rule: 'default of the mesh', what: defaultAction, ...otherwise.byDefault },
  ].filter(({ count }) => count > 0);
  const ago = (at: string | null): string => (at === null ? 'never' : `${span(nowMs - Date.parse(at))} ago`);
  const text = table(
    [...rules, ...rest],
    [
      { heading: 'POLICY', text: ({ policy }) => policy },
      { heading: 'RULE', text: ({ rule }) => rule },
      { heading: 'ACTION', text: ({ what }) => what },
      { heading: `HITS ON ${view.node}`, text: ({ count }) => String(count) },
      { heading: 'LAST', text: ({ lastAt }) => ago(lastAt) },
    ],
  );
  const open = permissive.flatMap(({ namespace, service, port, until, callers }) =>
    callers.map(({ address, count, lastAt }) => ({
      port: `${namespace}/${service}:${port}`,
      until,
      address,
      count,
      lastAt,
    })),
  );
  if (open.length === 0) return text;
  const plaintext = table(open, [
    { heading: 'PLAINTEXT INTO', text: ({ port }) => port },
    { heading: 'UNTIL', text: ({ until }) => until },
    { heading: 'FROM', text: ({ address }) => address },
    { heading: 'CONNECTIONS', text: ({ count }) => String(count) },
    { heading: 'LAST', text: ({ lastAt }) => ago(lastAt) },
  ]);
  return `${text}\n${plaintext}`;
}
