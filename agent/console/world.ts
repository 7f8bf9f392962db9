/** What the console is about: the parts of a running agent, and what it asks of all nodes. @module */
import type { Catalog } from '../catalog/catalog.ts';
import type { AgentDocuments } from '../documents/agent-documents.ts';
import type { DocumentService } from '../documents/service.ts';
import type { Figures, FiguresQuestion } from '../history/figures.ts';
import type { Coverage } from '../mesh-query/shapes.ts';
import { serviceId } from '../services.ts';
import type { Running } from '../sources.ts';
import { Places } from './replay/places.ts';
import { Register } from './views/register.ts';

export interface MeshFigures {
  readonly figures: Figures;
  readonly coverage: Coverage;
}

export interface ConsoleWorld {
  readonly running: Running;
  readonly documents: AgentDocuments;
  readonly service: DocumentService;
  readonly catalog: Catalog;
  readonly figures: (question: FiguresQuestion) => Promise<MeshFigures>;
}

export function registerOf({ services, mesh, ejections, enrolment }: Running): Register {
  return new Register({
    nowMs: Date.now(),
    services: services.services(),
    endpoints: services.endpoints(),
    members: mesh.members(),
    ejected: ejections.ejectedIds,
    workloads: enrolment.view().map(({ workload, identity }) => ({ service: serviceId(workload), identity })),
  });
}

export function placesOf({ services, enrolment }: Running): Places {
  const own = enrolment.view().map(({ workload, identity, address }) => {
    return { identity, address, labels: workload.labels };
  });
  return new Places(services.endpoints(), own);
}

/** Who is missing in any of several answers is missing in all that is made of them. */
export function coverageOf(all: readonly Coverage[]): Coverage {
  const missing = new Map(all.flatMap((one) => one.missing.map((node) => [node.node, node] as const)));
  const asked = Math.max(0, ...all.map((one) => one.asked));
  return { asked, answered: Math.max(0, asked - missing.size), missing: [...missing.values()] };
}
