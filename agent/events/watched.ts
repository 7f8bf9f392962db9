/** The parts of a running agent that are looked at for events. @module */
import { nodeLife } from '../identity/life.ts';
import type { Running } from '../running.ts';
import type { WatchedParts } from './events.ts';

export function watchedParts(running: Running): WatchedParts {
  const { ejections, services, enrolment } = running;
  return {
    ejections,
    services: { endpoint: (id) => services.endpoints().find((endpoint) => endpoint.id === id) },
    captured: () =>
      new Map(
        enrolment.view().map(({ workload, address, detail }) => [workload.id, address === '' ? detail : 'in the mesh']),
      ),
    life: () => nodeLife(running.node),
  };
}
