/** Carries out the steps of a scenario that have to do with documents. @module */
import type { Revision } from '../../gossip/documents/revision.ts';
import { keyText } from '../../gossip/documents/revision.ts';
import type { Host } from '../world/host.ts';
import type { Draft, Operators } from '../world/operators.ts';
import { documentKey } from '../world/operators.ts';
import { WeftProcess } from '../world/weft-process.ts';
import type { World } from '../world/world.ts';
import type { Scenario, Step } from './schema.ts';

export type DocumentStep = Extract<Step, { do: `${string}-document` | `${string}-documents` }>;

export function isDocumentStep(step: Step): step is DocumentStep {
  return step.do.endsWith('-document') || step.do.endsWith('-documents');
}

/** Whether agents have to take part in documents at all. */
export function hasDocuments({ steps }: Scenario): boolean {
  return steps.some(isDocumentStep);
}

export class DocumentSteps {
  readonly #world: World;
  readonly #operators: Operators;
  #saved: readonly Revision[] = [];

  constructor(world: World, operators: Operators) {
    this.#world = world;
    this.#operators = operators;
  }

  /** @param hosts where; for a write in each part of a partition, all there are */
  play(step: DocumentStep, hosts: readonly Host[]): void {
    for (const host of hosts) {
      const process = this.#world.processOn(host);
      if (!(process instanceof WeftProcess) || process.state !== 'running') continue;
      switch (step.do) {
        case 'write-document':
          this.#write(process, {
            ...this.#draft(process, step.document),
            poison: step.poison,
            kilobytes: step.kilobytes,
          });
          break;
        case 'delete-document':
          this.#write(process, { ...this.#draft(process, step.document), isDeletion: true });
          break;
        case 'forge-document':
          for (const { revision } of this.#operators.forge(this.#draft(process, step.document))) {
            process.smuggle(revision);
          }
          break;
        case 'save-documents':
          this.#saved = heldBy(process);
          break;
        case 'restore-documents':
          process.take({ kind: 'documents-restore', revisions: this.#saved });
          break;
      }
    }
  }

  #write(process: WeftProcess, draft: Draft): void {
    const held = this.#operators.sign(draft);
    const outcome = process.write(held.revision);
    if (outcome === undefined) return;
    for (const watcher of this.#operators.watchers) watcher.documentWritten?.(process, held, outcome);
  }

  /** What an operator at this node would write next, by a clock that is right. */
  #draft(process: WeftProcess, name: string): Draft {
    const base = process.core.documents?.library.get(keyText(documentKey(name)))?.head;
    return { name, base, wallMs: process.host.wallMs() - process.host.wallOffsetMs };
  }
}

function heldBy(process: WeftProcess): Revision[] {
  const chains = [...(process.core.documents?.library.chains() ?? [])];
  return chains.flatMap(([, chain]) => chain.held.map((held) => held.revision));
}
