/** Every page and its address; each is a chunk of its own. @module */
import type { PageRoute } from '../app/pages.ts';
import { matchPath } from '../app/router.tsx';
import { shortTraceId } from '../format/ids.ts';

const services = { text: 'Services', to: '/services' };
const policies = { text: 'Policies', to: '/policies' };

export const PAGES: readonly PageRoute[] = [
  {
    pattern: '/',
    title: 'Topology',
    load: () => {
      if (!/[?&](all=1|as=table)/.test(location.search)) void import('../graph/scene.ts').catch(() => {}); // the graph says so
      return import('./topology/topology-page.tsx').then((module) => module.TopologyPage);
    },
  },
  {
    pattern: '/services',
    title: 'Services',
    load: () => import('./services/services-page.tsx').then((module) => module.ServicesPage),
  },
  {
    pattern: '/services/:ns/:name/:tab?',
    title: 'Service',
    crumbs: ({ ns = '', name = '' }) => [services, { text: ns, to: `/services?f=ns:${ns}` }, { text: name }],
    load: () => import('./service/service-page.tsx').then((module) => module.ServicePage),
  },
  {
    pattern: '/edges/:fromNs/:from/:toNs/:to',
    title: 'Edge',
    crumbs: ({ from = '', to = '' }) => [{ text: 'Topology', to: '/' }, { text: `${from} to ${to}` }],
    load: () => import('./edge/edge-page.tsx').then((module) => module.EdgePage),
  },
  {
    pattern: '/traces',
    title: 'Traces',
    load: () => import('./traces/traces-page.tsx').then((module) => module.TracesPage),
  },
  {
    pattern: '/traces/:traceId',
    title: 'Trace',
    crumbs: ({ traceId = '' }) => [{ text: 'Traces', to: '/traces' }, { text: shortTraceId(traceId) }],
    load: () => import('./trace/trace-page.tsx').then((module) => module.TracePage),
  },
  {
    pattern: '/logs',
    title: 'Logs',
    load: () => import('./logs/logs-page.tsx').then((module) => module.LogsPage),
  },
  {
    pattern: '/events',
    title: 'Events',
    load: () => import('./events/events-page.tsx').then((module) => module.EventsPage),
  },
  {
    pattern: '/policies',
    title: 'Policies',
    load: () => import('./policies/policies-page.tsx').then((module) => module.PoliciesPage),
  },
  {
    pattern: '/policies/new/:form',
    title: 'New policy',
    crumbs: ({ form = '' }) => [policies, { text: `New ${form}` }],
    load: () => import('./edit/edit-page.tsx').then((module) => module.NewPage),
  },
  {
    pattern: '/policies/:kind/:ns/:name/edit',
    title: 'Change a policy',
    crumbs: ({ kind = '', ns = '', name = '' }) => [
      policies,
      { text: `${kind} ${name}`, to: `/policies/${kind}/${ns}/${name}` },
      { text: 'Change' },
    ],
    load: () => import('./edit/edit-page.tsx').then((module) => module.EditPage),
  },
  {
    pattern: '/policies/:kind/:ns/:name/:tab?',
    title: 'Policy',
    crumbs: ({ kind = '', name = '' }) => [policies, { text: `${kind} ${name}` }],
    load: () => import('./document/document-page.tsx').then((module) => module.DocumentPage),
  },
  {
    pattern: '/members',
    title: 'Members',
    load: () => import('./members/members-page.tsx').then((module) => module.MembersPage),
  },
  {
    pattern: '/members/:node',
    title: 'Member',
    crumbs: ({ node = '' }) => [{ text: 'Members', to: '/members' }, { text: node }],
    load: () => import('./members/member-page.tsx').then((module) => module.MemberPage),
  },
  {
    pattern: '/identities',
    title: 'Identities',
    load: () => import('./identities/identities-page.tsx').then((module) => module.IdentitiesPage),
  },
];

export interface Found {
  readonly page: PageRoute;
  readonly params: Readonly<Record<string, string>>;
}

export function findPage(path: string): Found | undefined {
  for (const page of PAGES) {
    const params = matchPath(page.pattern, path);
    if (params !== undefined) return { page, params };
  }
  return undefined;
}
