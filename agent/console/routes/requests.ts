/** GET /traces, /traces/{id}, /logs: requests one by one, asked of all nodes. @module */
import type { MeshQuery } from '../../mesh-query/shapes.ts';
import { type Answered, seenLogs, seenTrace, seenTraces } from '../../telemetry/seen.ts';
import type { Logs, Trace, Traces } from '../shapes/mesh.ts';
import { BadQuestion, numberOf, type Range } from './asked.ts';

const MAX_LIMIT = 500;
const DEFAULT_LIMIT = 100;
/** Clocks of other nodes may be ahead. */
const AHEAD_MS = 60_000;

interface Asked {
  readonly asked: URLSearchParams;
  readonly range: Range;
  readonly namespaces: ReadonlySet<string> | undefined;
}

export class RequestRoutes {
  readonly #query: () => MeshQuery;

  constructor(query: () => MeshQuery) {
    this.#query = query;
  }

  async traces(question: Asked): Promise<Traces> {
    return valueOf(await seenTraces(this.#query(), seenOf(question)));
  }

  async logs(question: Asked): Promise<Logs> {
    return valueOf(await seenLogs(this.#query(), seenOf(question)));
  }

  /** @returns undefined where no node knows it; what is missing is told with what is there */
  async trace(id: string, namespaces: ReadonlySet<string> | undefined): Promise<Trace | undefined> {
    const trace = valueOf(await seenTrace(this.#query(), id.toLowerCase(), namespaces));
    return trace.spans.length === 0 && trace.coverage.missing.length === 0 ? undefined : trace;
  }
}

function seenOf({ asked, range: { fromMs, toMs }, namespaces }: Asked): Parameters<typeof seenTraces>[1] {
  const service = asked.get('service') ?? '';
  if (/[\s,]/.test(service)) throw new BadQuestion('service: one name, such as shop/cart');
  return {
    q: [asked.get('q') ?? '', service === '' ? '' : `service:${service}`].join(' '),
    fromMs,
    toMs: asked.has('atMs') ? toMs : toMs + AHEAD_MS,
    limit: numberOf(asked, 'limit', { min: 1, max: MAX_LIMIT }) ?? DEFAULT_LIMIT,
    namespaces,
  };
}

/** @throws BadQuestion for what cannot be searched for */
function valueOf<T>(answered: Answered<T>): T {
  if (!answered.ok) throw new BadQuestion(answered.problem);
  return answered.value;
}
