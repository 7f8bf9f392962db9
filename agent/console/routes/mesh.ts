/** GET /members, /members/{node}, /identities, /index, /session; POST /explain. @module */
import type { AccessRules } from '../../../proxy/access/policy.ts';
import { explainWorld } from '../../access/explain-world.ts';
import { type Answer, refusal } from '../../admin/routes.ts';
import { type DocumentsThen, documentsThen, MAX_COMPILED_THEN } from '../../documents/then.ts';
import type { MeshAnswers } from '../../mesh-query/shapes.ts';
import { trafficWorld } from '../../traffic/explain/gather.ts';
import { explainWhole } from '../../traffic/explain/whole.ts';
import { weftVersion } from '../../version.ts';
import type { Viewer } from '../api.ts';
import type { FiguresCache } from '../figures-cache.ts';
import { badBody } from '../http.ts';
import { askSummaries, type NodeSummary } from '../node-summary.ts';
import { AccessReplay } from '../replay/access-replay.ts';
import type { Session } from '../shapes/common.ts';
import { type Explained, type ExplainQuestion, explainQuestion } from '../shapes/edge.ts';
import type { Identities, MemberDetail, Members, NameIndex } from '../shapes/mesh.ts';
import { explainedView } from '../views/explained.ts';
import { identitiesView } from '../views/identities.ts';
import { type MembersParts, membersView, memberView } from '../views/members.ts';
import { isSeen } from '../views/service.ts';
import { type ConsoleWorld, coverageOf, placesOf, registerAt, registerOf } from '../world.ts';
import type { Range } from './asked.ts';

const SUMMARY_MS = 1_500;
/** Endpoints and windows of time may have changed after this. */
const REPLAY_MS = 10_000;
const THEN_MS = 30_000;
const MAX_HEADERS = 64;
const DAY_MS = 86_400_000;
/** Of a member. */
const MAX_EVENTS = 100;
/** Of the index of names: the busiest. */
const MAX_ROUTES = 1_000;

export class MeshRoutes {
  readonly #world: ConsoleWorld;
  readonly #cache: FiguresCache;
  #replayed: { readonly atMs: number; readonly access: AccessRules; readonly replay: AccessReplay } | undefined;
  #then:
    | { readonly atMs: number; readonly askedMs: number; readonly made: Promise<DocumentsThen | undefined> }
    | undefined;
  #summaries: { readonly atMs: number; readonly answers: Promise<MeshAnswers<NodeSummary>> } | undefined;

  constructor(world: ConsoleWorld, cache: FiguresCache) {
    this.#world = world;
    this.#cache = cache;
  }

  /** With the consoles of the others, which only they know. */
  async session({ name, grants, csrf }: Viewer): Promise<Session> {
    const { answers } = await this.#ask();
    const { running } = this.#world;
    const own = running.node.name;
    const consoles = [...answers].flatMap(([node, said]) => {
      if (node === own || said.console === '') return [];
      const member = running.mesh.members().find((one) => one.name === node);
      return [{ node, url: `https://${reachable(said.console, member?.address ?? '')}` }];
    });
    const { displayName } = running.meshConfig();
    return {
      node: own,
      mesh: displayName === '' ? running.node.trustDomain : displayName,
      trustDomain: running.node.trustDomain,
      version: weftVersion(),
      nowMs: Date.now(),
      operator: name,
      roles: grants.map(({ role, namespaces }) => ({ role, namespaces: [...namespaces] })),
      csrf,
      consoles,
    };
  }

  /** @param atMs an earlier moment */
  async members(atMs?: number): Promise<Members> {
    return membersView(await this.#parts(atMs));
  }

  async member(name: string, atMs?: number): Promise<MemberDetail | undefined> {
    const view = memberView(name, await this.#parts(atMs));
    if (view === undefined) return undefined;
    const toMs = (atMs ?? Date.now()) + 1;
    const asked = { fromMs: toMs - DAY_MS, toMs, kinds: [], touches: `node:${name}`, limit: MAX_EVENTS };
    return { ...view, events: (await this.#world.running.events.list(asked)).events };
  }

  async identities(range: Range, namespaces: ReadonlySet<string> | undefined): Promise<Identities> {
    const question = { fromMs: range.fromMs, toMs: range.toMs, service: null, direction: 'inbound' as const };
    const ofCalls = ['source', 'destination', 'protocol', 'method', 'route'] as const;
    const [calls, seen, answers] = await Promise.all([
      this.#cache.ask({ ...question, stepMs: null, by: [...ofCalls] }, SUMMARY_MS),
      this.#cache.ask({ ...question, stepMs: range.stepMs, by: ['source', 'destination'] }, SUMMARY_MS),
      this.#ask(),
    ]);
    const { running, documents } = this.#world;
    const access = documents.access.rules;
    const replayed = this.#replay(access);
    const view = identitiesView({
      register: registerOf(running),
      answers,
      calls: calls.figures,
      seen: seen.figures,
      access,
      judge: (call) => replayed.judge(call),
      namespaces,
    });
    return { ...view, coverage: coverageOf([view.coverage, calls.coverage, seen.coverage]) };
  }

  /** Kept for a while: most calls of a mesh are those of the tick before. */
  #replay(access: AccessRules): AccessReplay {
    const nowMs = Date.now();
    if (this.#replayed === undefined || this.#replayed.access !== access || nowMs - this.#replayed.atMs > REPLAY_MS) {
      const replay = new AccessReplay(access, placesOf(this.#world.running), { nowMs });
      this.#replayed = { atMs: nowMs, access, replay };
    }
    return this.#replayed.replay;
  }

  /** The same code as `weft explain`. */
  async explain(body: unknown): Promise<Answer> {
    const asked = explainQuestion.safeParse(body);
    if (!asked.success) return badBody(asked.error, body);
    const question = asked.data;
    const count = question.headers.length;
    if (count > MAX_HEADERS) return refusal(400, `headers: ${count} are given; at most ${MAX_HEADERS} are read`);
    if (question.atMs !== null) return this.#explainThen(question, question.atMs);
    const { running, documents } = this.#world;
    const view = explainWhole(
      callOf(question),
      explainWorld(running, documents.access),
      trafficWorld(running, documents.access, documents.traffic),
    );
    if (!view.ok) return refusal(404, view.problem);
    const answers = await this.#ask();
    const own = answers.answers.get(running.node.name)?.inUse;
    const agreement: Explained['agreement'] = running.mesh.members().map(({ name }) => {
      const said = answers.answers.get(name)?.inUse;
      if (said === undefined || own === undefined) return { node: name, isSame: null, why: 'it does not answer' };
      const isSame = said === own;
      return { node: name, isSame, why: isSame ? '' : 'it has other revisions of documents in use' };
    });
    const { coverage } = answers;
    return { status: 200, body: explainedView({ question, view: view.value, agreement, lacking: null, coverage }) };
  }

  /** By documents of an earlier moment; who was there is known of now only, and what a node had in use then of none. */
  async #explainThen(question: ExplainQuestion, atMs: number): Promise<Answer> {
    const { running } = this.#world;
    if (atMs > Date.now()) return refusal(400, `atMs: ${atMs}: give a moment that is past`);
    const documents = await this.#documentsThen(atMs);
    if (documents === undefined)
      return refusal(422, `atMs: more than ${MAX_COMPILED_THEN} documents were in force then`);
    const access = { ...explainWorld(running, documents.access), nowMs: atMs };
    const traffic = trafficWorld(running, documents.access, documents.traffic);
    const view = explainWhole(callOf(question), access, { ...traffic, standing: () => undefined, nowMs: atMs });
    if (!view.ok) return refusal(404, view.problem);
    const { coverage } = await this.#ask();
    const why = 'what a node had in use at that moment is not kept';
    const agreement = running.mesh.members().map(({ name }) => ({ node: name, isSame: null, why }));
    const { lacking } = documents;
    return { status: 200, body: explainedView({ question, view: view.value, agreement, lacking, coverage }) };
  }

  /** The moment that was asked for last is kept: what was in force then does not change any more, but for what comes late. */
  #documentsThen(atMs: number): Promise<DocumentsThen | undefined> {
    const nowMs = Date.now();
    if (this.#then?.atMs !== atMs || nowMs - this.#then.askedMs > THEN_MS) {
      const { running, service } = this.#world;
      const { trustDomain } = running.node;
      const made = documentsThen(service, atMs, { trustDomain, service: (id) => running.services.service(id) });
      this.#then = { atMs, askedMs: nowMs, made };
    }
    return this.#then.made;
  }

  async index(namespaces: ReadonlySet<string> | undefined): Promise<NameIndex> {
    const register = registerOf(this.#world.running);
    const documents = await this.#world.service.list({});
    const identities = new Set(
      register.endpoints.filter(({ namespace }) => isSeen(`${namespace}/`, namespaces)).map(({ identity }) => identity),
    );
    const { view } = await this.#world.catalog.view();
    const routes = view
      .routes()
      .filter(({ service }) => isSeen(service, namespaces))
      .slice(0, MAX_ROUTES);
    const seen = documents.filter(({ namespace }) => namespaces === undefined || namespaces.has(namespace));
    return {
      entries: [
        ...[...register.services.keys()]
          .filter((id) => isSeen(id, namespaces))
          .map((id) => ({ kind: 'service' as const, name: id, href: `/services/${id}` })),
        ...routes.map(({ service, method, template }) => ({
          kind: 'route' as const,
          name: `${method} ${template} of ${service}`,
          href: `/services/${service}/routes`,
        })),
        ...seen.map(({ kind, namespace, name }) => ({
          kind: 'document' as const,
          name: `${kind} ${namespace === '' ? name : `${namespace}/${name}`}`,
          href: `/policies/${kind}/${namespace === '' ? '-' : namespace}/${name}`,
        })),
        ...register.members.map(({ name }) => ({ kind: 'node' as const, name, href: `/members/${name}` })),
        ...[...identities].map((name) => ({
          kind: 'identity' as const,
          name,
          href: `/identities?sel=${encodeURIComponent(name)}`,
        })),
      ],
    };
  }

  /** Of an earlier moment only who was there is known. */
  async #parts(atMs: number | undefined): Promise<MembersParts> {
    const { running } = this.#world;
    const [answers, stats, register] = await Promise.all([
      this.#ask(),
      running.mesh.stats().catch(() => ({ peers: [] })),
      registerAt(running, atMs),
    ]);
    if (atMs !== undefined) return { register, peers: [], answers: { ...answers, answers: new Map() } };
    return { register, peers: stats.peers, answers };
  }

  /** Kept for less than a tick, because several pages ask at once. */
  #ask(): Promise<MeshAnswers<NodeSummary>> {
    const nowMs = Date.now();
    if (this.#summaries === undefined || nowMs - this.#summaries.atMs > SUMMARY_MS) {
      this.#summaries = { atMs: nowMs, answers: askSummaries(this.#world.running) };
    }
    return this.#summaries.answers;
  }
}

function callOf({ from, to, port, method, path, headers }: ExplainQuestion) {
  const request = method === '' ? undefined : { method, path, host: undefined, headers };
  return { from, to: port === null ? to : `${to}:${port}`, request };
}

/** Where others reach a console that listens on all addresses: where its gossip is reached. */
function reachable(listen: string, gossip: string): string {
  const host = gossip.slice(0, gossip.lastIndexOf(':'));
  return listen.replace(/^(0\.0\.0\.0|\[::\])(?=:\d+$)/, host);
}
