/** What the load generator tells the demo: one JSON line a report. @module */
import { Histogram } from './histogram.ts';

/** Since the report before. */
export interface TrafficReport {
  /** Time the report covers. */
  readonly spanMs: number;
  readonly requests: number;
  readonly failures: readonly Failure[];
  /** Failures that did not fit into the list. */
  readonly failuresUnlisted: number;
  /** Answers by version of the catalog that had a part in them. */
  readonly versions: Readonly<Record<string, number>>;
  /** Sparse histogram of the answers that succeeded. */
  readonly latency: readonly number[];
  /** The generator stops after this one. */
  readonly isLast: boolean;
}

export interface Failure {
  /** On the wall clock, to lay beside the logs. */
  readonly at: string;
  readonly reason: string;
}

const MAX_FAILURES_KEPT = 1_000;

/** Adds reports up. */
export class TrafficTally {
  readonly latency = new Histogram();
  readonly failures: Failure[] = [];
  readonly versions = new Map<string, number>();
  requests = 0;
  failed = 0;

  add(report: TrafficReport): void {
    this.requests += report.requests;
    this.failed += report.failures.length + report.failuresUnlisted;
    this.failures.push(...report.failures.slice(0, MAX_FAILURES_KEPT - this.failures.length));
    this.latency.addSparse(report.latency);
    for (const [version, count] of Object.entries(report.versions)) {
      this.versions.set(version, (this.versions.get(version) ?? 0) + count);
    }
  }
}
