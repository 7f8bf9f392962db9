/** The Workload API of a running agent. Loaded only where it is asked for, to spare the others its memory. @module */
import type { Logger } from 'pino';
import { Linux } from '../capture/linux.ts';
import type { Lifetimes } from '../parts/lifetimes.ts';
import type { Running } from '../running.ts';
import type { WorkloadApi } from './workload-api.ts';

export interface WorkloadApiStart {
  readonly mayReplace: boolean;
  readonly log: Logger;
}

/** @returns undefined where the configuration names no socket */
export async function startWorkloadApi(
  { doors, serving }: Lifetimes,
  { config, captures, enrolment, svids, certificates }: Running,
  { mayReplace, log }: WorkloadApiStart,
): Promise<WorkloadApi | undefined> {
  const { socket } = config.workloadApi;
  if (socket === undefined) return undefined;
  const { WorkloadApi } = await import('./workload-api.ts');
  return doors.use(
    await WorkloadApi.start({
      socket,
      mayReplace,
      linux: captures?.linux ?? serving.use(Linux.load()),
      units: () => enrolment.units(),
      svids: () => svids.svids(),
      trust: () => certificates.holder.current.trust,
      log,
    }),
  );
}
