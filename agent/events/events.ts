/**
 * The events of this node, gathered from the parts of the agent, and those of the whole mesh, asked of all nodes.
 *
 * What has no word of its own (ejections, capture, certificates) is looked at every 2 s.
 * @module
 */
import { join } from 'node:path';
import type { Logger } from 'pino';
import { z } from 'zod';
import type { EndpointDelta } from '../../gossip/effects.ts';
import type { Member } from '../../gossip/view.ts';
import { event as eventShape, type MeshEvent, type MeshEvents } from '../console/shapes/common.ts';
import type { HistoryConfig } from '../history/config.ts';
import { isLow, type NodeLife } from '../identity/life.ts';
import type { MeshQuery, Topic } from '../mesh-query/shapes.ts';
import { DocumentEvents } from './document-events.ts';
import { type EventsQuestion, eventsQuestion, type Happening, mergedEvents } from './event.ts';
import { EventLog } from './event-log.ts';
import { DeploySight, MemberSight, SetSight } from './sightings.ts';

const LOOK_MS = 2_000;
/** A node that just came up learns what others have known for long. */
const SETTLED_AFTER_MS = 30_000;

export interface AgentEventsOptions {
  readonly node: string;
  readonly config: Pick<HistoryConfig, 'directory' | 'days'>;
  readonly dataDirectory: string;
  readonly queries: MeshQuery;
  readonly log: Logger;
}

/** What is looked at every 2 s. */
export interface WatchedParts {
  readonly ejections: { readonly ejectedIds: ReadonlySet<string> };
  readonly services: { endpoint(id: string): { readonly namespace: string; readonly service: string } | undefined };
  /** Workloads by id, and how their traffic is captured; '' where it is not. */
  readonly captured: () => ReadonlyMap<string, string>;
  readonly life: () => NodeLife;
}

export class AgentEvents implements AsyncDisposable {
  readonly documents = new DocumentEvents((what) => this.note(what));
  readonly #options: AgentEventsOptions;
  readonly #log: EventLog;
  readonly #topic: Topic<EventsQuestion, MeshEvent[]>;
  readonly #members = new MemberSight();
  readonly #deploys = new DeploySight();
  readonly #startedMs = performance.now();
  #timer: NodeJS.Timeout | undefined;

  private constructor(options: AgentEventsOptions, log: EventLog) {
    this.#options = options;
    this.#log = log;
    this.#topic = {
      name: 'events',
      question: eventsQuestion,
      answerSchema: z.array(eventShape).max(1_001),
      answer: (question) => log.list(question),
    };
    options.queries.offer(this.#topic);
  }

  static async start(options: AgentEventsOptions): Promise<AgentEvents> {
    const { config, dataDirectory, log } = options;
    const directory = config.directory ?? join(dataDirectory, 'history');
    return new AgentEvents(options, await EventLog.open({ directory, days: config.days, log }));
  }

  /** @param atMs when it began; default: now */
  note(what: Happening, atMs?: number): void {
    this.#log.note(what, atMs);
  }

  members(members: readonly Member[]): void {
    for (const what of this.#members.look(members)) this.note(what);
  }

  endpoints(delta: EndpointDelta): void {
    const isSettled = performance.now() - this.#startedMs > SETTLED_AFTER_MS;
    for (const what of this.#deploys.look(delta, isSettled)) this.note(what);
  }

  /** Begins to look at parts that came up later. */
  watch(parts: WatchedParts): void {
    const { node } = this.#options;
    const own = { touches: [`node:${node}`], node };
    const [ejected, captured] = [new SetSight(), new SetSight(parts.captured())];
    let [expiresAtMs, lowAtMs] = [parts.life().expiresAtMs, 0];
    const look = (): void => {
      const endpoints = new Map([...parts.ejections.ejectedIds].map((id) => [id, 'ejected']));
      for (const { id, text } of ejected.look(endpoints)) {
        const { namespace, service } = parts.services.endpoint(id) ?? { namespace: '', service: '' };
        const touches = [...(service === '' ? [] : [`${namespace}/${service}`]), `node:${id.split('/')[0]}`];
        const title = `${id} ${text === undefined ? 'is back' : 'is ejected'}`;
        this.note({ kind: 'ejection', subject: title, title, touches, node });
      }
      for (const { id, text = 'gone' } of captured.look(parts.captured())) {
        const detail = text === '' ? 'its traffic is not captured' : text;
        this.note({ kind: 'capture', subject: `${node} ${id} ${text}`, title: `${id} on ${node}: ${detail}`, ...own });
      }
      const life = parts.life();
      const until = new Date(life.expiresAtMs).toISOString();
      if (life.expiresAtMs !== expiresAtMs) {
        const title = `certificate of ${node} renewed`;
        this.note({ kind: 'certificate', subject: `${node} ${until}`, title, detail: `valid until ${until}`, ...own });
        expiresAtMs = life.expiresAtMs;
      } else if (isLow(life, Date.now()) && lowAtMs !== expiresAtMs) {
        const title = `certificate of ${node} is not renewed`;
        const detail = `less than a third of its life is left: it ends ${until}`;
        this.note({ kind: 'certificate', subject: `${node} low ${until}`, title, detail, isOnce: true, ...own });
        lowAtMs = expiresAtMs;
      }
    };
    this.#timer = setInterval(look, LOOK_MS).unref();
  }

  /** Of the whole mesh, the latest first; each once, however many nodes noted it. At most 1,000; `next` is the `toMs` of the next page. */
  async list(question: EventsQuestion): Promise<MeshEvents> {
    const oneMore = { ...question, limit: question.limit + 1 };
    const { answers, coverage } = await this.#options.queries.ask(this.#topic, oneMore);
    const events = mergedEvents(answers.values());
    const last = events[question.limit - 1];
    const next = events.length > question.limit && last !== undefined ? String(last.atMs) : null;
    return { events: events.slice(0, question.limit), next, coverage };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await this.#log[Symbol.asyncDispose]();
  }
}
