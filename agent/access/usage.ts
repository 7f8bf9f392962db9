/** The rules in use on this node with what they did, from what the workers count. @module */
import type { AccessPolicy, AccessRules } from '../../proxy/access/policy.ts';
import type { AccessStats } from '../../proxy/telemetry/stats-reader.ts';
import type { AccessView, Hits, PermissiveUse, PolicyUse } from './views.ts';

export interface UsageParts {
  readonly node: string;
  readonly rules: AccessRules;
  readonly clockSkewMs: number | undefined;
  readonly stats: readonly AccessStats[];
}

export function accessView({ node, rules, clockSkewMs, stats }: UsageParts): AccessView {
  return {
    node,
    defaultAction: rules.defaultAction,
    clockSkewMs: clockSkewMs ?? null,
    policies: rules.policies.map((policy) => policyUse(policy, stats)).sort((a, b) => (a.policy < b.policy ? -1 : 1)),
    otherwise: {
      byDefault: ruleHits(stats, { policy: '', rule: 'default', isDryRun: false }),
      noAllow: ruleHits(stats, { policy: '', rule: 'no-allow', isDryRun: false }),
      dryRunNoAllow: ruleHits(stats, { policy: '', rule: 'no-allow', isDryRun: true }),
    },
    permissive: rules.permissive.map(({ namespace, service, port, untilMs }): PermissiveUse => {
      const destination = `${namespace}/${service}`;
      const callers = stats.flatMap(({ labels, count, lastMs }) =>
        labels.kind === 'plaintext' && labels.destination === destination && labels.port === port
          ? [{ address: labels.source, count, lastAt: instant(lastMs) }]
          : [],
      );
      return { namespace, service, port, until: instant(untilMs), callers };
    }),
  };
}

function policyUse(policy: AccessPolicy, stats: readonly AccessStats[]): PolicyUse {
  const { id, revision, action, isDryRun, validFromMs, validUntilMs, rules } = policy;
  return {
    policy: id,
    revision,
    action,
    isDryRun,
    validFrom: validFromMs === undefined ? null : instant(validFromMs),
    validUntil: validUntilMs === undefined ? null : instant(validUntilMs),
    rules: rules.map(({ name }) => ({ rule: name, ...ruleHits(stats, { policy: id, rule: name, isDryRun, action }) })),
  };
}

/** Counts are kept by name: those of an earlier revision are among them, as long as it did the same. */
function ruleHits(
  stats: readonly AccessStats[],
  wanted: { readonly policy: string; readonly rule: string; readonly isDryRun: boolean; readonly action?: string },
): Hits {
  let count = 0;
  let lastMs = 0;
  for (const { labels, ...hits } of stats) {
    if (labels.kind !== 'rule' || labels.policy !== wanted.policy || labels.rule !== wanted.rule) continue;
    if (labels.isDryRun !== wanted.isDryRun || labels.action !== (wanted.action ?? labels.action)) continue;
    count += hits.count;
    lastMs = Math.max(lastMs, hits.lastMs);
  }
  return { count, lastAt: lastMs === 0 ? null : instant(lastMs) };
}

function instant(ms: number): string {
  return new Date(ms).toISOString();
}
