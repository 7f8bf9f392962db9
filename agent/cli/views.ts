/** How the answers of an agent look as text. @module */
import type { CaptureView, EndpointView, MemberView, ServiceView, StatusView, WorkloadView } from '../admin/views.ts';
import type { CheckReport } from '../check/report.ts';
import { formatProblem } from '../problem.ts';
import { type Column, span, table } from './output.ts';

export function statusText(status: StatusView, nowMs: number): string {
  const { members, endpoints, workloads, problems } = status;
  const states = Object.entries(members).map(([state, count]) => `${count} ${state}`);
  const certificate = `certificate ${lifeLeft(status.certificateExpiresAt, nowMs)}`;
  const lines: [string, string][] = [
    ['node', `${status.node}${status.zone === '' ? '' : `, zone ${status.zone}`}`],
    ['agent', `${status.version}, pid ${status.pid}, up ${span(nowMs - Date.parse(status.startedAt))}`],
    ['ready', status.isReady ? 'yes' : `no: ${status.waitingFor.join('; ')}`],
    ['trust domain', `${status.trustDomain}, ${certificate}`],
    ...certificateLines(status),
    ...meshLines(status),
    ['members', states.join(', ')],
    ...stateLines(status),
    ['services', String(status.services)],
    ['endpoints', `${endpoints.ready} of ${endpoints.total} ready`],
    ['workloads', `${workloads.ready} of ${workloads.total} ready`],
    ['capture', `${status.captureMode}, ${status.workers} workers`],
    ...problems.map((problem): [string, string] => ['problem', formatProblem(problem)]),
  ];
  return lines.map(([name, value]) => `${name.padEnd(14)}${value}\n`).join('');
}

function certificateLines({ certificates }: StatusView): [string, string][] {
  if (certificates === undefined) return [];
  const { issuers, renewal, bundleProblem } = certificates;
  const problems = [renewal.problem === '' ? '' : `not renewed: ${renewal.problem}`, bundleProblem];
  return [
    ['issuers', issuers.join(', ') || 'none is in reach'],
    ...problems.filter((text) => text !== '').map((text): [string, string] => ['certificate', text]),
  ];
}

function stateLines({ stateAgeMs = 0, rememberedEndpoints = 0 }: StatusView): [string, string][] {
  if (stateAgeMs === 0) return [];
  const remembered = rememberedEndpoints === 0 ? '' : `; ${rememberedEndpoints} endpoints are remembered`;
  return [['state', `${span(stateAgeMs)} old: no peer is in reach${remembered}`]];
}

function meshLines({ mesh = { displayName: '', contact: '' } }: StatusView): [string, string][] {
  const said = [mesh.displayName, mesh.contact === '' ? '' : `contact ${mesh.contact}`].filter((text) => text !== '');
  return said.length === 0 ? [] : [['mesh', said.join(', ')]];
}

export function membersText(members: readonly MemberView[], nowMs: number): string {
  return table(byName(members), memberColumns(nowMs));
}

/** As `membersText`, with what the agent that is asked knows of each by looking itself. */
export function membersWideText(members: readonly MemberView[], nowMs: number): string {
  return table(byName(members), [
    ...memberColumns(nowMs),
    { heading: 'EPOCH.INCARNATION', text: ({ epoch, incarnation }) => `${epoch}.${incarnation}` },
    { heading: 'ACCUSERS', text: ({ accusers }) => String(accusers) },
    { heading: 'RTT', text: ({ rttMs }) => milliseconds(rttMs) },
    { heading: 'HEARD', text: ({ heardAgoMs }) => ago(heardAgoMs) },
    { heading: 'CLOCK', text: ({ clockSkewMs }) => skew(clockSkewMs) },
  ]);
}

function byName(members: readonly MemberView[]): readonly MemberView[] {
  return members.toSorted((a, b) => a.name.localeCompare(b.name));
}

function memberColumns(nowMs: number): readonly Column<MemberView>[] {
  return [
    { heading: 'NAME', text: ({ name, isSelf }) => (isSelf ? `${name} (this node)` : name) },
    { heading: 'STATE', text: ({ state }) => state },
    { heading: 'FOR', text: ({ since }) => span(nowMs - Date.parse(since)) },
    { heading: 'ENDPOINTS', text: ({ endpoints }) => String(endpoints) },
    { heading: 'ADDRESS', text: ({ address }) => address },
  ];
}

export function servicesText(services: readonly ServiceView[]): string {
  return table(
    services.toSorted((a, b) => serviceName(a).localeCompare(serviceName(b))),
    [
      { heading: 'SERVICE', text: serviceName },
      { heading: 'READY', text: ({ endpoints }) => `${endpoints.ready}/${endpoints.total}` },
      { heading: 'PORTS', text: ({ ports }) => ports.map(({ port, protocol }) => `${port}/${protocol}`).join(' ') },
      { heading: 'NAME IN WORKLOADS', text: ({ namespace, service }) => `${service}.${namespace}.weft` },
      { heading: 'VIRTUAL ADDRESSES', text: ({ vips }) => vips.join(' ') },
    ],
  );
}

export function endpointsText(endpoints: readonly EndpointView[]): string {
  const order = (endpoint: EndpointView) =>
    `${serviceName(endpoint)} ${endpoint.servicePort} ${endpoint.node} ${endpoint.workload}`;
  return table(
    endpoints.toSorted((a, b) => order(a).localeCompare(order(b), 'en', { numeric: true })),
    [
      { heading: 'SERVICE', text: (endpoint) => `${serviceName(endpoint)}:${endpoint.servicePort}` },
      { heading: 'STATE', text: ({ state }) => state },
      {
        heading: 'ADDRESS',
        text: ({ address, port }) => (address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`),
      },
      { heading: 'PROTOCOL', text: ({ protocol }) => protocol },
      { heading: 'NODE', text: ({ node }) => node },
      { heading: 'WORKLOAD', text: ({ workload }) => workload },
      { heading: 'VERSION', text: ({ version }) => version },
      { heading: 'ZONE', text: ({ zone }) => zone },
      { heading: 'IDENTITY', text: ({ identity }) => identity },
    ],
  );
}

export function workloadsText(workloads: readonly WorkloadView[], nowMs: number): string {
  const columns: Column<WorkloadView>[] = [
    { heading: 'WORKLOAD', text: ({ namespace, name }) => `${namespace}/${name}` },
    { heading: 'STATE', text: ({ state }) => state },
    { heading: 'SERVICE', text: ({ service }) => service },
    { heading: 'VERSION', text: ({ version }) => version },
    { heading: 'PORTS', text: ({ ports }) => ports.join(' ') },
    { heading: 'ADDRESS', text: ({ address }) => address },
    { heading: 'UNIT', text: ({ unit }) => unit },
    { heading: 'CERTIFICATE', text: ({ certificateExpiresAt }) => lifeLeft(certificateExpiresAt, nowMs) },
    { heading: 'DETAIL', text: ({ detail }) => detail },
  ];
  return table(
    workloads.toSorted((a, b) => `${a.namespace}/${a.name}`.localeCompare(`${b.namespace}/${b.name}`)),
    columns,
  );
}

export function captureText(captures: readonly CaptureView[]): string {
  return captures
    .map(({ unit, workloads, listeners, rules }) => {
      const head = [`unit       ${unit}`, `workloads  ${workloads.join(', ')}`, `listeners  ${listeners.join(', ')}`];
      return `${head.join('\n')}\n${rules.trimEnd()}\n`;
    })
    .join('\n');
}

const STATUS_WORD = { ok: 'ok', warn: 'WARN', fail: 'FAIL' } as const;

export function checkText({ results }: CheckReport): string {
  const width = Math.max(0, ...results.map(({ name }) => name.length));
  const indent = ' '.repeat(6 + width + 2);
  const below = (text: string) => text.replaceAll('\n', `\n${indent}`);
  const lines = results.map(({ status, name, detail, fix }) => {
    const line = `${STATUS_WORD[status].padEnd(6)}${name.padEnd(width + 2)}${below(detail)}\n`;
    return fix === '' ? line : `${line}${indent}fix: ${below(fix)}\n`;
  });
  const count = (wanted: string) => results.filter(({ status }) => status === wanted).length;
  return `${lines.join('')}${count('ok')} ok, ${count('warn')} to look at, ${count('fail')} failed\n`;
}

function milliseconds(ms: number | undefined): string {
  return ms === undefined ? '-' : `${ms.toFixed(ms < 10 ? 1 : 0)}ms`;
}

function ago(ms: number | undefined): string {
  if (ms === undefined) return '-';
  return ms < 10_000 ? `${(ms / 1_000).toFixed(1)}s ago` : `${span(ms)} ago`;
}

function skew(ms: number | undefined): string {
  if (ms === undefined) return '-';
  const size = Math.abs(ms) < 10_000 ? milliseconds(Math.abs(ms)) : span(ms);
  return `${ms < 0 ? '-' : '+'}${size}`;
}

function serviceName({ namespace, service }: { readonly namespace: string; readonly service: string }): string {
  return `${namespace}/${service}`;
}

function lifeLeft(expiresAt: string, nowMs: number): string {
  const leftMs = Date.parse(expiresAt) - nowMs;
  if (Number.isNaN(leftMs)) return '-';
  return leftMs > 0 ? `valid for ${span(leftMs)}` : `EXPIRED ${span(leftMs)} ago`;
}
