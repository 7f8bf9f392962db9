/** GET /events, /traces, /traces/{id}, /logs, /catalog.yaml: what happened, as the nodes noted it. @module */
import { stringify } from 'yaml';
import { exportEntities } from '../../catalog/backstage/export.ts';
import { MAX_LOGS, searchLogs } from '../../telemetry/access-log/logs-topic.ts';
import { type FilterTerm, parseFilter } from '../../telemetry/record-filter.ts';
import { findTrace, MAX_TRACES, searchTraces } from '../../telemetry/traces/traces.ts';
import { seenNamespaces } from '../access/roles.ts';
import type { Viewer } from '../api.ts';
import { EVENT_KINDS, type MeshEvent, type MeshEvents } from '../shapes/common.ts';
import type { Logs, Trace, Traces } from '../shapes/mesh.ts';
import { isSeen } from '../views/service.ts';
import type { ConsoleWorld } from '../world.ts';
import { atOf, BadQuestion, numberOf, rangeOf } from './asked.ts';

const HOUR_MS = 3_600_000;
const MAX_EVENTS = 1_000;
const DEFAULT_LIMIT = 200;
const TRACE_ID = /^[0-9a-f]{32}$/;

export class ObservedRoutes {
  readonly #world: ConsoleWorld;

  constructor(world: ConsoleWorld) {
    this.#world = world;
  }

  async events(asked: URLSearchParams, namespaces: ReadonlySet<string> | undefined): Promise<MeshEvents> {
    const bounds = { min: 0, max: Number.MAX_SAFE_INTEGER };
    const toMs = numberOf(asked, 'cursor', bounds) ?? numberOf(asked, 'toMs', bounds) ?? Date.now() + 1;
    const fromMs = numberOf(asked, 'fromMs', bounds) ?? toMs - HOUR_MS;
    const limit = numberOf(asked, 'limit', { min: 1, max: MAX_EVENTS }) ?? DEFAULT_LIMIT;
    const kinds = (asked.get('kind') ?? '').split(',').filter((kind) => kind !== '');
    const known = EVENT_KINDS.filter((kind) => kinds.includes(kind));
    const unknown = kinds.find((kind) => !known.some((one) => one === kind));
    if (unknown !== undefined)
      throw new BadQuestion(`kind: ${unknown.slice(0, 40)}: use some of ${EVENT_KINDS.join(', ')}`);
    const question = { fromMs, toMs, kinds: known, touches: asked.get('touches'), limit: Math.floor(limit) };
    const answer = await this.#world.running.events.list(question);
    return { ...answer, events: visible(answer.events, namespaces) };
  }

  traces(asked: URLSearchParams, viewer: Viewer): Promise<Traces> {
    const search = searchOf(asked, viewer, MAX_TRACES);
    return searchTraces(this.#world.running.queries, search);
  }

  async trace(id: string, viewer: Viewer): Promise<Trace | undefined> {
    checkRequests(viewer);
    if (!TRACE_ID.test(id))
      throw new BadQuestion(`id: ${id.slice(0, 40)} is no id of a trace: 32 digits and letters a to f`);
    const found = await findTrace(this.#world.running.queries, id);
    return found.spans.length === 0 && found.coverage.missing.length === 0 ? undefined : found;
  }

  logs(asked: URLSearchParams, viewer: Viewer): Promise<Logs> {
    const search = searchOf(asked, viewer, MAX_LOGS);
    return searchLogs(this.#world.running.queries, search);
  }

  /** For Backstage, as `weft catalog export` prints it. */
  async catalogYaml(viewer: Viewer): Promise<string> {
    checkAll(viewer);
    const { catalog } = this.#world;
    const entities = exportEntities(catalog.entities(), (await catalog.view()).view);
    return entities.map((entity) => `---\n${stringify(entity, { lineWidth: 0 })}`).join('');
  }
}

/** Events of services that may be seen, and of nodes. */
export function visible(events: readonly MeshEvent[], namespaces: ReadonlySet<string> | undefined): MeshEvent[] {
  const isVisible = ({ touches }: MeshEvent): boolean =>
    touches.every((touched) => touched.startsWith('node:')) || touches.some((touched) => isSeen(touched, namespaces));
  return events.filter((event) => namespaces === undefined || isVisible(event));
}

function searchOf(
  asked: URLSearchParams,
  viewer: Viewer,
  max: number,
): { terms: FilterTerm[]; sinceMs: number; untilMs: number; limit: number } {
  checkRequests(viewer);
  const nowMs = Date.now();
  const { fromMs, toMs } = rangeOf(asked, nowMs);
  const filter = parseFilter(asked.get('q') ?? '');
  if (!filter.ok) throw new BadQuestion(`q: ${filter.problem}`);
  const limit = Math.floor(numberOf(asked, 'limit', { min: 1, max }) ?? DEFAULT_LIMIT);
  return { terms: [...filter.terms], sinceMs: fromMs, untilMs: atOf(asked, nowMs) ?? toMs, limit };
}

/** On the admin API too single requests are for the agent's own user alone. @throws BadQuestion */
function checkRequests(viewer: Viewer): void {
  checkAll(viewer);
  if (viewer.seesRequests) return;
  throw new BadQuestion(
    'log in first: traces and access logs name paths and users (console.loopback: all shows them)',
    401,
  );
}

/** Requests lead through several namespaces: who may see some of them sees none of these. @throws BadQuestion */
function checkAll({ grants }: Viewer): void {
  if (seenNamespaces(grants) === undefined) return;
  throw new BadQuestion('role view for all namespaces is needed for traces, logs and the catalog as a whole', 403);
}
