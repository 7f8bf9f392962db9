/** What a rule does to requests, responses and the way they take, in words. Pure. @module */
import type { Backend, HeaderEdits, HttpActions, PathEdit, Redirect } from '../../../proxy/traffic/rules.ts';
import type { WayView } from './views.ts';

type Filters = WayView['filters'];

export function actionFilters(actions: HttpActions): Filters {
  const { rewrite, redirect, respond, mirrors, cors } = actions;
  return [
    ...(cors === undefined
      ? []
      : [{ filter: 'cors', detail: `origins ${cors.allowOrigins.join(', ')}; preflights are answered by the mesh` }]),
    ...(redirect === undefined ? [] : [{ filter: 'redirect', detail: redirectText(redirect) }]),
    ...(respond === undefined ? [] : [{ filter: 'respond', detail: `status ${respond.status}` }]),
    ...(rewrite === undefined ? [] : [{ filter: 'rewrite', detail: rewriteText(rewrite) }]),
    ...headerFilters(actions),
    ...mirrors.map(({ backend, percent }) => {
      const problem = backend.problem === undefined ? '' : `; it cannot be used: ${backend.problem}`;
      return { filter: 'mirror', detail: `a copy of ${percent} % to ${backendName(backend)}${problem}` };
    }),
  ];
}

export function headerFilters({
  requestHeaders,
  responseHeaders,
}: Pick<Backend, 'requestHeaders' | 'responseHeaders'>): Filters {
  return [
    ...(requestHeaders === undefined ? [] : [{ filter: 'request headers', detail: editsText(requestHeaders) }]),
    ...(responseHeaders === undefined ? [] : [{ filter: 'response headers', detail: editsText(responseHeaders) }]),
  ];
}

export function backendName({ service, port, subset }: Pick<Backend, 'service' | 'port' | 'subset'>): string {
  if (service === '') return 'nowhere';
  return `${service}:${port}${subset === undefined ? '' : ` subset ${subset}`}`;
}

function redirectText({ scheme, hostname, port, path, status }: Redirect): string {
  const to = [
    ...(scheme === undefined ? [] : [`scheme ${scheme}`]),
    ...(hostname === undefined ? [] : [`host ${hostname}`]),
    ...(port === undefined ? [] : [`port ${port}`]),
    ...(path === undefined ? [] : [pathText(path)]),
  ];
  return `${status} to ${to.length === 0 ? 'the same place' : to.join(', ')}`;
}

function rewriteText({ hostname, path }: NonNullable<HttpActions['rewrite']>): string {
  return [
    ...(hostname === undefined ? [] : [`host ${hostname}`]),
    ...(path === undefined ? [] : [pathText(path)]),
  ].join(', ');
}

function pathText({ type, value }: PathEdit): string {
  return type === 'full' ? `path ${value}` : `${value} in the place of the prefix that matched`;
}

function editsText({ set, add, remove }: HeaderEdits): string {
  return [
    ...set.map(([name, value]) => `set ${name}: ${value}`),
    ...add.map(([name, value]) => `add ${name}: ${value}`),
    ...remove.map((name) => `remove ${name}`),
  ].join(', ');
}
