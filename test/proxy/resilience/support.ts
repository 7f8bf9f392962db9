/** Endpoints with health for tests of what chooses among them. @module */

import { PeakEwma } from '../../../proxy/balancer/peak-ewma.ts';
import { EndpointHealth } from '../../../proxy/resilience/endpoint-health.ts';
import type { Pickable, PickerSettings } from '../../../proxy/resilience/picker.ts';
import type { SharedTable } from '../../../proxy/resilience/shared-table.ts';
import { DEFAULT_SETTINGS, type Outliers } from '../../../proxy/traffic/rules.ts';

export const OUTLIERS: Outliers = DEFAULT_SETTINGS.outliers;

export const SETTINGS: PickerSettings = {
  balancer: { name: 'random' },
  locality: { mode: 'off', spillBelowRatio: 0.7 },
  panicRatio: 0.5,
  outliers: OUTLIERS,
};

export interface Placed {
  readonly id: string;
  readonly node?: string;
  readonly zone?: string;
  readonly version?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly state?: Pickable['data']['state'];
  readonly weight?: number;
}

export function pickable(table: SharedTable, placed: Placed): Pickable {
  const { id, node = id, zone = '', version = '', labels = {}, state = 'ready', weight = 100 } = placed;
  return {
    name: id,
    weight,
    outstanding: 0,
    latency: new PeakEwma(),
    health: new EndpointHealth(table, id),
    data: { node, zone, version, labels, state },
  };
}

/** Makes it fail until it is ejected, or as often as that would take. */
export function fail(endpoint: Pickable, among: readonly Pickable[], nowMs: number, limits: Outliers = OUTLIERS): void {
  const peers = among.map(({ health }) => health);
  for (let i = 0; i < limits.consecutive; i++) endpoint.health.observe('failed', nowMs, nowMs, limits, peers);
}
