/**
 * Which settings hold for a call: field by field from the most specific policy that says something about it, at last the
 * defaults. Every field can be traced to the document it comes from.
 * @module
 */

import {
  type Affinity,
  type Balancing,
  type CircuitLimits,
  type Concurrency,
  DEFAULT_CONCURRENCY,
  DEFAULT_SETTINGS,
  type Fallback,
  type HealthCheck,
  type Locality,
  type Origin,
  type Outliers,
  type PolicySettings,
  type Retries,
  type RetryBudget,
  type Timeouts,
  type TrafficPolicy,
  type WarmUp,
} from '../traffic/rules.ts';
import { bySpecificity, type TargetedCall, TargetMatcher } from './targets.ts';

export interface EffectiveSettings {
  readonly balancer: Balancing;
  readonly locality: Locality;
  readonly subsets: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly affinity: Affinity | undefined;
  readonly warmUp: WarmUp | undefined;
  readonly panicRatio: number;
  readonly circuit: CircuitLimits;
  readonly timeouts: Timeouts;
  readonly retries: Retries;
  readonly retryBudget: RetryBudget;
  readonly outliers: Outliers | 'off';
  readonly concurrency: Concurrency | 'off';
  readonly fallbacks: readonly Fallback[];
  readonly healthCheck: HealthCheck | 'off';
}

export interface Effective {
  readonly settings: EffectiveSettings;
  /**
   * By field, those of groups as `circuit.maxPending`: the document it comes from. Not there: a default. A group that is
   * switched off has one entry for all of it.
   */
  readonly origins: ReadonlyMap<string, Origin>;
}

interface CompiledPolicy {
  readonly policy: TrafficPolicy;
  readonly origin: Origin;
  readonly matcher: TargetMatcher;
}

/** All policies in force. Whoever asks often remembers the answer until there is another book. */
export class PolicyBook {
  /** Most specific first. */
  readonly #policies: readonly CompiledPolicy[];

  /** @throws AccessError for a pattern or range of a caller that cannot be read */
  constructor(policies: readonly TrafficPolicy[]) {
    this.#policies = policies
      .map((policy) => ({ policy, origin: policy.origin, matcher: new TargetMatcher(policy.target, policy.origin) }))
      .sort(bySpecificity);
  }

  /** Policies that are about a call, most specific first. */
  about(call: TargetedCall): readonly TrafficPolicy[] {
    return this.#policies.filter(({ matcher }) => matcher.holds(call)).map(({ policy }) => policy);
  }

  effective(call: TargetedCall): Effective {
    return merged(this.about(call));
  }
}

/** @param policies most specific first */
export function merged(policies: readonly TrafficPolicy[]): Effective {
  const merge = new Merge(policies);
  return {
    settings: {
      balancer: merge.whole('balancer') ?? DEFAULT_SETTINGS.balancer,
      locality: merge.whole('locality') ?? DEFAULT_SETTINGS.locality,
      subsets: merge.group<Record<string, Record<string, string>>>('subsets', {}),
      affinity: merge.whole('affinity'),
      warmUp: merge.whole('warmUp'),
      panicRatio: merge.whole('panicRatio') ?? DEFAULT_SETTINGS.panicRatio,
      circuit: merge.group<CircuitLimits>('circuit', DEFAULT_SETTINGS.circuit),
      timeouts: merge.group<Timeouts>('timeouts', DEFAULT_SETTINGS.timeouts),
      retries: merge.group<Retries>('retries', DEFAULT_SETTINGS.retries),
      retryBudget: merge.group<RetryBudget>('retryBudget', DEFAULT_SETTINGS.retryBudget),
      outliers: merge.groupOrOff<Outliers>('outliers', DEFAULT_SETTINGS.outliers, false),
      concurrency: merge.groupOrOff<Concurrency>('concurrency', DEFAULT_CONCURRENCY, true),
      fallbacks: merge.whole('fallbacks') ?? DEFAULT_SETTINGS.fallbacks,
      healthCheck: merge.whole('healthCheck') ?? DEFAULT_SETTINGS.healthCheck,
    },
    origins: merge.origins,
  };
}

class Merge {
  readonly origins = new Map<string, Origin>();
  readonly #policies: readonly TrafficPolicy[];

  constructor(policies: readonly TrafficPolicy[]) {
    this.#policies = policies;
  }

  /** The first that says something says all. */
  whole<K extends keyof PolicySettings>(field: K): PolicySettings[K] | undefined {
    for (const { settings, origin } of this.#policies) {
      const value = settings[field];
      if (value === undefined) continue;
      this.origins.set(field, origin);
      return value;
    }
    return undefined;
  }

  /** Each field of the group from the first that says something about it. */
  group<T extends object>(field: keyof PolicySettings, defaults: T): T {
    const values = Object.create(null) as Record<string, unknown>; // names of subsets may be any
    for (const { settings, origin } of this.#policies) {
      const group = settings[field];
      if (group === 'off') break; // below it nobody is heard: what is left are defaults
      for (const [name, value] of Object.entries(group ?? {})) {
        if (value === undefined || name in values) continue;
        values[name] = value;
        this.origins.set(`${field}.${name}`, origin);
      }
    }
    return { ...defaults, ...values };
  }

  /** @param isOff whether the group is off where nobody says anything */
  groupOrOff<T extends object>(field: 'outliers' | 'concurrency', defaults: T, isOff: boolean): T | 'off' {
    const first = this.#policies.find(({ settings }) => settings[field] !== undefined);
    if (first === undefined) return isOff ? 'off' : defaults;
    if (first.settings[field] !== 'off') return this.group(field, defaults);
    this.origins.set(field, first.origin);
    return 'off';
  }
}
