/** Every page and its address; each is a chunk of its own. @module */
import type { PageRoute } from '../app/pages.ts';

export const PAGES: readonly PageRoute[] = [
  {
    pattern: '/',
    title: 'Topology',
    load: () => import('./topology/topology-page.tsx').then((module) => module.TopologyPage),
  },
];
