/** The console of a running agent. @module */
import type { Logger } from 'pino';
import type { ImpactOf } from '../admin/document-routes.ts';
import type { Catalog } from '../catalog/catalog.ts';
import type { AgentDocuments } from '../documents/agent-documents.ts';
import type { DocumentService } from '../documents/service.ts';
import type { Running } from '../running.ts';
import { AgentApi } from './agent-api.ts';
import { Console } from './console.ts';
import { FiguresCache } from './figures-cache.ts';
import { offerSummary } from './node-summary.ts';
import { ImpactRoutes } from './routes/impact.ts';
import type { ConsoleWorld } from './world.ts';

export interface ConsoleParts {
  readonly documents: AgentDocuments;
  readonly service: DocumentService;
  readonly catalog: Catalog;
  readonly log: Logger;
}

/** Also lets the consoles of other nodes ask this one. */
export function startConsole(running: Running, { log, ...parts }: ConsoleParts): Promise<Console> {
  const { documents, service } = parts;
  offerSummary(running, service);
  return Console.start({
    config: running.config.console,
    api: new AgentApi(worldOf(running, parts)),
    node: () => running.node,
    revocations: () => documents.revocations,
    log,
  });
}

/** What `weft apply --dry-run` is told of a document: the same as a review in the console. */
export function impactOf(running: Running, parts: Omit<ConsoleParts, 'log'>): ImpactOf {
  const world = worldOf(running, parts);
  const impacts = new ImpactRoutes(world, new FiguresCache(world.figures, Date.now));
  return async (key, value) => {
    const { counted, affected, affectedCoverage: coverage } = await impacts.of(key, value, undefined);
    return coverage === null ? null : { counted, affected, coverage };
  };
}

function worldOf(running: Running, { documents, service, catalog }: Omit<ConsoleParts, 'log'>): ConsoleWorld {
  return { running, documents, service, catalog, figures: (question) => running.history.figures(question) };
}
