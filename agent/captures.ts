/** Capture as the agent holds it: the system calls, what is captured now, and what a predecessor left behind. @module */
import { join } from 'node:path';
import type { Logger } from 'pino';
import { Linux } from './capture/linux.ts';
import { Namespace } from './capture/namespace.ts';
import { Releases } from './capture/releases.ts';
import { CaptureSockets } from './capture/sockets.ts';
import { CaptureState, type Recovery, recoverCaptures } from './capture/state.ts';
import { locatorOf } from './enrolment/captured-unit.ts';
import type { Workload } from './workloads/workload.ts';

export class Captures implements Disposable, AsyncDisposable {
  readonly linux: Linux;
  readonly state: CaptureState;
  readonly releases: Releases;
  /** Of the control thread, for health checks. */
  readonly sockets: CaptureSockets;
  /** While a predecessor still has the rules and listens beside us. */
  isTakingOver = false;

  private constructor(linux: Linux, state: CaptureState) {
    this.linux = linux;
    this.state = state;
    this.releases = new Releases(linux);
    this.sockets = new CaptureSockets(linux);
  }

  /** @throws CaptureError when this machine cannot capture */
  static load(dataDirectory: string): Captures {
    return new Captures(Linux.load(), CaptureState.load(join(dataDirectory, 'capture.json')));
  }

  /** Removes the rules that a killed predecessor left in namespaces which none of these workloads is in. */
  async recover(workloads: readonly Workload[], log: Logger): Promise<void> {
    const wanted = workloads.flatMap((workload) => {
      try {
        using namespace = Namespace.open(this.linux, locatorOf(workload));
        return [namespace.identity];
      } catch {
        return []; // not there now; enrolment will say so
      }
    });
    const { kept, removed, failed } = await recoverCaptures(this.linux, { state: this.state, wanted });
    if (kept.length + removed.length > 0) {
      log.info(
        { kept: kept.map(({ unit }) => unit), removed: removed.map(({ unit }) => unit) },
        'capture of an earlier run found',
      );
    }
    for (const { entry, err } of failed)
      log.error({ err, unit: entry.unit }, 'capture of an earlier run could not be removed');
  }

  /** Removes the rules of an earlier run from every namespace, for good. Only where no agent runs. */
  removeAll(): Promise<Recovery> {
    return recoverCaptures(this.linux, { state: this.state, wanted: [] });
  }

  /** After the data plane: its connections may need what is given up here. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.releases[Symbol.asyncDispose]();
    this[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    this.sockets[Symbol.dispose]();
    this.linux[Symbol.dispose]();
  }
}
