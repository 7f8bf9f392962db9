/** The console of a running agent. @module */
import type { Logger } from 'pino';
import type { Catalog } from '../catalog/catalog.ts';
import type { AgentDocuments } from '../documents/agent-documents.ts';
import type { DocumentService } from '../documents/service.ts';
import type { Running } from '../running.ts';
import { AgentApi } from './agent-api.ts';
import { Console } from './console.ts';
import { offerSummary } from './node-summary.ts';

export interface ConsoleParts {
  readonly documents: AgentDocuments;
  readonly service: DocumentService;
  readonly catalog: Catalog;
  readonly log: Logger;
}

/** Also lets the consoles of other nodes ask this one. */
export function startConsole(running: Running, { documents, service, catalog, log }: ConsoleParts): Promise<Console> {
  offerSummary(running, service);
  return Console.start({
    config: running.config.console,
    api: new AgentApi({
      running,
      documents,
      service,
      catalog,
      figures: (question) => running.history.figures(question),
    }),
    node: () => running.node,
    revocations: () => documents.revocations,
    log,
  });
}
