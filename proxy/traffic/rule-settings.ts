/** What a rule of a route says about timeouts and retries itself: it goes before every policy. @module */

import type { EffectiveSettings } from '../resilience/effective.ts';
import type { HttpRule, RouteRetry } from './rules.ts';

type Retries = EffectiveSettings['retries'];

/** @param settings of the policies, for requests under the route */
export function settingsOfRule({ timeouts, retry }: HttpRule, settings: EffectiveSettings): Partial<EffectiveSettings> {
  const { requestMs = settings.timeouts.requestMs, backendRequestMs = settings.timeouts.backendMs } = timeouts;
  return {
    timeouts: { ...settings.timeouts, requestMs, backendMs: backendRequestMs },
    ...(retry === undefined ? {} : { retries: { ...settings.retries, ...retriesOf(retry) } }),
  };
}

/** Names of the settings that a rule says itself, as `timeouts.requestMs`. */
export function fieldsOfRule({ timeouts, retry, affinity }: HttpRule): readonly string[] {
  return [
    ...(timeouts.requestMs === undefined ? [] : ['timeouts.requestMs']),
    ...(timeouts.backendRequestMs === undefined ? [] : ['timeouts.backendMs']),
    ...(retry === undefined ? [] : Object.keys(retriesOf(retry)).map((field) => `retries.${field}`)),
    ...(affinity === undefined ? [] : ['affinity']),
  ];
}

/** Who writes `retry` into a route has said that its requests may be repeated, whatever their method. */
function retriesOf({ attempts, codes, backoffMs }: RouteRetry): Partial<Retries> {
  return {
    codes,
    isAnyMethod: true,
    ...(attempts === undefined ? {} : { attempts }),
    ...(backoffMs === undefined ? {} : { backoffMs, maxBackoffMs: Math.max(backoffMs, 10 * backoffMs) }),
  };
}
