/** What the console is about: the parts of a running agent, and what it asks of all nodes. @module */
import type { Catalog } from '../catalog/catalog.ts';
import type { AgentDocuments } from '../documents/agent-documents.ts';
import type { DocumentService } from '../documents/service.ts';
import type { Figures, FiguresQuestion } from '../history/figures.ts';
import type { Coverage } from '../mesh-query/shapes.ts';
import type { Running } from '../running.ts';
import { serviceId } from '../services.ts';
import { Places } from './replay/places.ts';
import { membersAt } from './views/past.ts';
import { Register, type RegisterParts } from './views/register.ts';

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

export function registerOf(running: Running): Register {
  return new Register(partsOf(running));
}

/** Of these the latest are looked at. */
const MAX_MEMBER_EVENTS = 1_000;

/** As it was at an earlier moment, as far as it was noted. @param atMs undefined: now */
export async function registerAt(running: Running, atMs: number | undefined): Promise<Register> {
  if (atMs === undefined) return registerOf(running);
  const { days } = running.config.history;
  const question = { fromMs: atMs - days * 86_400_000, toMs: Date.now() + 1, limit: MAX_MEMBER_EVENTS };
  const { events } = await running.events.list({ ...question, kinds: ['member'], touches: null });
  const now = partsOf(running);
  const members = membersAt(now.members, events, atMs);
  return new Register({ ...now, members, ejected: new Set(), isPast: true });
}

function partsOf({ services, mesh, ejections, enrolment }: Running): RegisterParts {
  return {
    nowMs: Date.now(),
    services: services.services(),
    endpoints: services.endpoints(),
    members: mesh.members(),
    ejected: ejections.ejectedIds,
    workloads: enrolment.view().map(({ workload, identity }) => ({ service: serviceId(workload), identity })),
  };
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
