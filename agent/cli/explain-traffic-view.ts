/** How the way of a request looks as text: decision by decision, each with its document. @module */
import type {
  BackendView,
  CandidateView,
  FaultView,
  LimitView,
  TrafficView,
  WayView,
} from '../traffic/explain/views.ts';
import { span, table } from './output.ts';
import { settingLines, sourceText } from './setting-text.ts';

export function trafficText(views: readonly TrafficView[], nowMs: number): string {
  return views.map((view) => viewText(view, nowMs)).join('\n');
}

function viewText(view: TrafficView, nowMs: number): string {
  const lines = [
    `way   ${view.service}:${view.port}/${view.protocol}, ${ROUTES[view.routes]}`,
    ...view.notes.map((note) => `note  ${note}`),
  ];
  if (view.ways.length === 0) lines.push('404: no rule of these routes takes the request (weft-reason: no-route)');
  return [
    `${lines.join('\n')}\n`,
    ...(view.considered.length === 0 ? [] : [matchesText(view)]),
    ...view.ways.map((way) => wayText(way, nowMs)),
  ].join('');
}

const ROUTES: Readonly<Record<TrafficView['routes'], string>> = {
  none: 'no route is about it: to the service as it is',
  producer: 'by the routes for all its callers',
  consumer: "by the routes of the caller's own namespace, in place of those for all callers",
};

function matchesText({ considered, leftOut }: TrafficView): string {
  const text = table(considered, [
    { heading: 'ROUTE', text: ({ source }) => `${source.kind} ${source.namespace}/${source.name}` },
    { heading: 'RULE', text: ({ source }) => source.rule },
    { heading: 'MATCH', text: ({ match }) => String(match) },
    { heading: 'REVISION', text: ({ source }) => source.revision.slice(0, 12) },
    { heading: 'HERE', text: ({ outcome }) => OUTCOME[outcome] },
    { heading: 'WHY', text: ({ why }) => why },
  ]);
  return leftOut === 0 ? text : `${text}and ${leftOut} matches more that do not take it\n`;
}

const OUTCOME = { won: 'takes it', lost: 'goes behind', failed: 'does not hold' } as const;

function wayText(way: WayView, nowMs: number): string {
  const by = way.source === null ? 'no route' : sourceText(way.source);
  const lines = [
    `${way.share < 1 ? `${percent(way.share)} ` : ''}by ${by}`,
    ...way.filters.map(({ filter, detail }) => `  ${filter}: ${detail}`),
    ...way.limits.map((limit) => `  limit: ${limitText(limit)}`),
    ...way.faults.map((fault) => `  fault: ${faultText(fault, nowMs)}`),
    ...(way.answer === null ? [] : [`  answered by the mesh: ${way.answer}`]),
    ...(way.answer === null ? settingsText(way.settings) : []),
  ];
  return `${lines.join('\n')}\n${way.backends.map((backend) => backendText(backend)).join('')}`;
}

function limitText({ source, requestsPerSecond, burst, per, isShadow, at }: LimitView): string {
  const where = at === 'caller' ? "counted at the caller's node" : 'counted at the destination';
  const shadow = isShadow ? '; in shadow mode: it counts, and refuses nothing' : '';
  return `${requestsPerSecond} a second per ${per}, burst ${burst}, ${where}${shadow} (${sourceText(source)})`;
}

function faultText({ source, effects, until, isFirst }: FaultView, nowMs: number): string {
  const rank = isFirst ? '' : '; not met: another fault goes first';
  return `${effects.join(', ')}, for ${span(Date.parse(until) - nowMs)} more, until ${until}${rank} (${sourceText(source)})`;
}

function backendText(backend: BackendView): string {
  const { service, port, subset, share, problem, isPanicking, endpoints, endpointsLeftOut, fallbacks } = backend;
  const name = service === '' ? 'a backend' : `${service}:${port}`;
  const lines = [`  ${percent(share)} to ${name}${subset === null ? '' : ` subset ${subset}`}`];
  if (problem !== null) return `${lines[0]}: status 500: ${problem}\n`;
  lines.push(
    ...backend.filters.map(({ filter, detail }) => `    ${filter}: ${detail}`),
    ...settingsText(backend.settings).map((line) => `  ${line}`),
  );
  if (isPanicking) lines.push('    so few endpoints are well that all are used (panicBelow)');
  const usable = endpoints.filter(({ isCandidate }) => isCandidate).length;
  lines.push(`    endpoints: ${usable} of ${endpoints.length + endpointsLeftOut} shown below may take it`);
  if (endpoints.length === 0) lines[lines.length - 1] = '    endpoints: there are none';
  lines.push(...endpoints.map((endpoint) => `      ${endpointText(endpoint)}`));
  if (endpointsLeftOut > 0) lines.push(`      and ${endpointsLeftOut} more`);
  fallbacks.forEach(({ to, source, usable }, i) => {
    const has = usable === null ? '' : `, ${usable} of its endpoints could take it now`;
    lines.push(`    fallback ${i + 1}, where none can: ${to}${has} (${sourceText(source)})`);
  });
  return `${lines.join('\n')}\n`;
}

function endpointText({ id, address, version, node, zone, near, state, isEjected, ...one }: CandidateView): string {
  const ejected =
    isEjected === null
      ? 'health not known here'
      : isEjected
        ? `ejected${one.ejectedForMs > 0 ? ` for ${span(one.ejectedForMs)} more` : ''}${one.suspectedBy > 0 ? `, by ${one.suspectedBy} other nodes` : ''}`
        : 'well';
  const place = `${NEAR[near]} (${node}${zone === '' ? '' : `, ${zone}`})`;
  const weight = one.weight === 1 ? '' : `, weight ${one.weight}`;
  const verdict = one.isCandidate ? '' : ': left out';
  return `${id} at ${address}${version === '' ? '' : `, version ${version}`}, ${place}${weight}, ${state}, ${ejected}${verdict}`;
}

const NEAR: Readonly<Record<CandidateView['near'], string>> = {
  node: 'same node',
  zone: 'same zone',
  region: 'same region',
  elsewhere: 'elsewhere',
};

function settingsText(settings: WayView['settings']): readonly string[] {
  return settingLines(settings).map(({ group, values, from }) => `  ${group}: ${values} (${from})`);
}

/** As exact as weights are: 0.01 % must not look like none. */
function percent(share: number): string {
  return `${Number((share * 100).toPrecision(6))} %`;
}
