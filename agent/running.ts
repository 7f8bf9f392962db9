/** The parts of an agent that is up, as those that ask about it see them. @module */
import type { NodeIdentity } from '../certs/node-bundle.ts';
import type { Captures } from './captures.ts';
import type { AgentConfig } from './config.ts';
import type { AgentDocuments } from './documents/agent-documents.ts';
import type { MeshConfig } from './documents/mesh-config.ts';
import type { RememberedEndpoints } from './endpoints/remembered.ts';
import type { Enrolment } from './enrolment/enrolment.ts';
import type { AgentEvents } from './events/events.ts';
import type { EjectionKeeper } from './health/ejection-keeper.ts';
import type { History } from './history/history.ts';
import type { Certificates } from './identity/certificates.ts';
import type { MeshQuery } from './mesh-query/shapes.ts';
import type { ServiceDirectory } from './services.ts';
import type { SvidKeeper } from './svids.ts';
import type { DocumentDelay } from './telemetry/document-delay.ts';
import type { Observation } from './telemetry/observation.ts';
import type { DataPlane } from './threads/data-plane.ts';
import type { MeshThread } from './threads/mesh.ts';
import type { WorkloadDirectory } from './workloads/directory.ts';

export interface Running {
  readonly config: AgentConfig;
  /** Who it is at this moment. */
  readonly node: NodeIdentity;
  readonly certificates: Certificates;
  readonly startedAtMs: number;
  readonly plane: DataPlane;
  readonly svids: SvidKeeper;
  readonly enrolment: Enrolment;
  readonly mesh: MeshThread;
  /** Where topics are offered, and all nodes asked. */
  readonly queries: MeshQuery;
  readonly history: History;
  readonly events: AgentEvents;
  readonly directory: WorkloadDirectory;
  readonly services: ServiceDirectory;
  readonly remembered: RememberedEndpoints;
  readonly ejections: EjectionKeeper;
  readonly observation: Observation;
  readonly captures: Captures | undefined;
  /** What is probably a mistake in documents about traffic that are in use. */
  readonly trafficAdvice: () => readonly string[];
  readonly meshConfig: () => MeshConfig;
  readonly documentDelay: DocumentDelay;
}

type Started = Omit<Running, 'node' | 'trafficAdvice' | 'meshConfig' | 'documentDelay'> & {
  readonly documents: AgentDocuments;
};

export function runningOf({ documents, ...started }: Started): Running {
  const { holder } = started.certificates;
  return {
    ...started,
    get node() {
      return holder.current;
    },
    meshConfig: () => documents.meshConfig(),
    documentDelay: documents.delay,
    trafficAdvice: () => documents.advisor.onAll(),
  };
}
