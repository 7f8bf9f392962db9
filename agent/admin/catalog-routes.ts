/** /v1/catalog: what the mesh knows of its services; under /v1/catalog/entities in the shape of Backstage's catalog API. @module */
import { servedEntities, serveEntities } from '../catalog/backstage/entity-api.ts';
import { exportEntities } from '../catalog/backstage/export.ts';
import type { Catalog } from '../catalog/catalog.ts';
import { type AdminRoutes, type Answer, refusal } from './routes.ts';

const ENTITIES = '/v1/catalog/entities';

export function catalogRoutes(catalog: Catalog): AdminRoutes {
  return {
    paths: [
      '/v1/catalog/services',
      '/v1/catalog/service',
      '/v1/catalog/scorecard',
      '/v1/catalog/export',
      ENTITIES,
      `${ENTITIES}/`,
    ],
    answer: async ({ method, url = '' }) => {
      const { pathname, searchParams: asked } = new URL(url, 'http://agent');
      if (method !== 'GET') return refusal(405, `${pathname} can only be read; use GET`);
      if (pathname.startsWith(ENTITIES)) return entities(catalog, pathname.slice(ENTITIES.length), asked);
      switch (pathname) {
        case '/v1/catalog/services':
          return { status: 200, body: await catalog.services() };
        case '/v1/catalog/scorecard':
          return { status: 200, body: await catalog.scorecard() };
        case '/v1/catalog/export':
          return { status: 200, body: exportEntities(catalog.entities(), (await catalog.view()).view) };
        default:
          return service(catalog, asked.get('id') ?? '');
      }
    },
  };
}

async function service(catalog: Catalog, id: string): Promise<Answer> {
  const answer = await catalog.service(id);
  if (answer.service !== undefined) return { status: 200, body: answer };
  return refusal(404, `id: nothing is known of "${id}"; weft catalog lists all services`);
}

async function entities(catalog: Catalog, path: string, asked: URLSearchParams): Promise<Answer> {
  const { view } = await catalog.view();
  const all = servedEntities(exportEntities(catalog.entities(), view), view.dependencies());
  const served = serveEntities(all, path, asked);
  return served.status === 200 ? served : refusal(served.status, served.message);
}
