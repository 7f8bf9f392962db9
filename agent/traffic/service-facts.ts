/** What routes need to know of a service: from what runs, and from its document where there is one. @module */
import type { Service } from '../../proxy/snapshot.ts';
import type { CompiledService, ServicePort } from './compiled.ts';

export interface ServiceFact {
  /** 'namespace/service'. */
  readonly id: string;
  readonly ports: readonly Pick<ServicePort, 'name' | 'port' | 'protocol'>[];
  readonly type: CompiledService['type'];
}

/** By id. */
export type ServiceLookup = (id: string) => ServiceFact | undefined;

export type RunningService = Pick<Service, 'id' | 'ports'>;

/** @param written its document, which may be there before anything runs */
export function serviceFact(
  running: RunningService | undefined,
  written: CompiledService | undefined,
): ServiceFact | undefined {
  if (written === undefined) {
    if (running === undefined) return undefined;
    return { id: running.id, ports: running.ports.map((port) => ({ ...port, name: '' })), type: 'virtual' };
  }
  const declared = new Set(written.ports.map(({ port }) => port));
  const others = running?.ports.filter(({ port }) => !declared.has(port)) ?? [];
  return {
    id: `${written.namespace}/${written.name}`,
    ports: [...written.ports, ...others.map((port) => ({ ...port, name: '' }))],
    type: written.type,
  };
}
