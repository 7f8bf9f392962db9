/** What the control thread and a data-plane worker say to each other. Plain data: it crosses by structured clone. */
import type { ProxyConfig } from '../../proxy/config.ts';
import type { ListenerSpec } from '../../proxy/listeners/listener-spec.ts';
import type { SnapshotUpdate } from '../../proxy/snapshot.ts';
import type { RequestRecord } from '../../proxy/telemetry/record.ts';
import type { AccessSeriesLabels, SeriesLabels } from '../../proxy/telemetry/stats-table.ts';
import type { TapFilter } from '../../proxy/telemetry/taps.ts';
import type { UnitNamespace } from '../capture/sockets.ts';
import type { LogLevel } from '../log.ts';

/** What a worker is born with. */
export interface WorkerData {
  readonly index: number;
  readonly config: ProxyConfig;
  readonly logLevel: LogLevel;
  /** Whether sockets are opened in the namespaces of units; otherwise all of them in the agent's own. */
  readonly isCapturing: boolean;
  readonly stats: SharedArrayBuffer;
  /** What all workers know together. */
  readonly shared: SharedArrayBuffer;
}

export type ToWorker =
  | { readonly kind: 'update'; readonly update: SnapshotUpdate }
  | { readonly kind: 'unit'; readonly place: UnitNamespace }
  | { readonly kind: 'unit-gone'; readonly unit: string }
  | { readonly kind: 'series-freed'; readonly row: number }
  | { readonly kind: 'listen'; readonly request: number; readonly spec: ListenerSpec }
  | { readonly kind: 'unlisten'; readonly request: number; readonly id: string }
  /** What to watch for; replaces what was before. */
  | { readonly kind: 'taps'; readonly taps: readonly TapFilter[] }
  /** Answered when all that was said before is in use. */
  | { readonly kind: 'sync'; readonly request: number }
  | { readonly kind: 'close'; readonly deadlineMs: number; readonly idleMs: number };

export type FromWorker =
  | { readonly kind: 'ready' }
  | { readonly kind: 'done'; readonly request: number; readonly port: number }
  | { readonly kind: 'failed'; readonly request: number; readonly message: string }
  /** The application may accept no more connections on this port of a workload. */
  | { readonly kind: 'unreachable'; readonly workload: string; readonly port: number }
  /** Requests that are told of; at most five times a second. */
  | { readonly kind: 'records'; readonly records: readonly RequestRecord[] }
  /** Without labels: the row has expired, and its last figures are there until it is said to be freed. */
  | { readonly kind: 'series'; readonly row: number; readonly labels: SeriesLabels | undefined }
  | { readonly kind: 'access-series'; readonly row: number; readonly labels: AccessSeriesLabels };
