/** Which parts of an agent hear what of the mesh, and in which order. @module */
import type { MeshQueries } from '../mesh-query/mesh-queries.ts';
import type { MeshEvents } from '../threads/mesh.ts';
import type { Identity } from './identity.ts';
import type { ServiceNews } from './service-news.ts';
import type { State } from './state.ts';

export interface MeshListeners {
  readonly news: ServiceNews;
  readonly queries: MeshQueries;
  readonly identity: Identity;
  /** There before the thread says its first word. */
  readonly state: () => State;
  /** Other members are there, to check endpoints with. */
  readonly checkersChanged: () => void;
  readonly failed: (err: Error) => void;
}

export function meshEvents(listeners: MeshListeners): MeshEvents {
  const { news, queries, identity, state, checkersChanged, failed } = listeners;
  const { certificates } = identity;
  return {
    members: (members) => {
      const { remembered, events, documents } = state();
      remembered.members(members);
      queries.members(members);
      events.members(members);
      documents.members();
      checkersChanged();
      certificates.members(members);
    },
    asked: (caller, question) => queries.answer(caller, question) ?? certificates.answer(caller, question),
    endpoints: (delta) => {
      const { remembered, events } = state();
      remembered.heard(delta);
      events.endpoints(delta);
      news.endpointsChanged(delta);
    },
    documents: (heads) => {
      const { events, documents } = state();
      events.documents.heads(heads);
      documents.documents(heads);
    },
    documentsGone: (keys) => state().documents.documentsGone(keys),
    revocations: (entries) => state().documents.revocationsChanged(entries),
    noted: (notes) => state().documents.noted(notes),
    report: (name, report) => state().documents.report(name, report),
    evidence: (name, evidence) => state().ejections.heard(name, evidence),
    failed,
  };
}
