/** Objectives that documents declare, as they are in use on this node. @module */

import type { DocumentKey } from '../../gossip/documents/revision.ts';
import type { DocumentConsumer } from '../documents/kind.ts';
import type { CompiledObjective } from '../documents/service-level-objective.ts';

export interface DeclaredObjective extends CompiledObjective {
  readonly namespace: string;
  readonly name: string;
  /** Of its document. */
  readonly revision: string;
}

/** As many as there are documents: their number is bounded where they are kept. */
export class Objectives {
  readonly #declared = new Map<string, DeclaredObjective>();
  readonly consumer: DocumentConsumer = {
    kind: 'ServiceLevelObjective',
    activate: ({ namespace, name }, value, revision) => {
      const compiled = value as CompiledObjective; // what our own compile yielded
      this.#declared.set(`${namespace}/${name}`, { ...compiled, namespace, name, revision });
    },
    deactivate: ({ namespace, name }) => {
      this.#declared.delete(`${namespace}/${name}`);
    },
  };

  /** By service; of several for one the first by name, which is the same on every node. */
  byService(): ReadonlyMap<string, DeclaredObjective> {
    const sorted = [...this.#declared.values()].sort((a, b) => (a.name < b.name ? 1 : -1));
    return new Map(sorted.map((declared) => [declared.service, declared]));
  }

  has(service: string): boolean {
    return [...this.#declared.values()].some((declared) => declared.service === service);
  }

  /** What is probably a mistake in one that is about to be written. @param services that the mesh has, by 'namespace/service' */
  advice({ namespace, name }: DocumentKey, { service }: CompiledObjective, services: ReadonlySet<string>): string[] {
    const others = [...this.#declared.values()].filter((one) => one.service === service && one.name !== name);
    const all = [name, ...others.map((one) => one.name)].sort();
    return [
      ...(services.has(service) ? [] : [`the mesh has no service ${service}`]),
      ...(others.length === 0 ? [] : [`${service} has several objectives: ${namespace}/${all[0]} holds`]),
    ];
  }
}
