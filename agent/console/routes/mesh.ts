/** GET /members, /members/{node}, /identities, /index, /session; POST /explain. @module */
import { explainWorld } from '../../access/explain-world.ts';
import { type Answer, refusal } from '../../admin/routes.ts';
import type { MeshAnswers } from '../../mesh-query/shapes.ts';
import { trafficWorld } from '../../traffic/explain/gather.ts';
import { explainWhole } from '../../traffic/explain/whole.ts';
import { weftVersion } from '../../version.ts';
import type { Viewer } from '../api.ts';
import type { FiguresCache } from '../figures-cache.ts';
import { askSummaries, type NodeSummary } from '../node-summary.ts';
import type { Session } from '../shapes/common.ts';
import { type Explained, explainQuestion } from '../shapes/edge.ts';
import type { Identities, MemberDetail, Members, NameIndex } from '../shapes/mesh.ts';
import { explainedView } from '../views/explained.ts';
import { identitiesView, type MembersParts, membersView, memberView } from '../views/members.ts';
import { OUTSIDE } from '../views/register.ts';
import { isSeen } from '../views/service.ts';
import { totalsOf } from '../views/signals.ts';
import { type ConsoleWorld, coverageOf, registerAt, registerOf } from '../world.ts';
import type { Range } from './asked.ts';

const SUMMARY_MS = 1_500;
const MAX_HEADERS = 64;
const DAY_MS = 86_400_000;
/** Of a member. */
const MAX_EVENTS = 100;
const PAGES = ['', 'services', 'traces', 'logs', 'events', 'policies', 'members', 'identities'];

export class MeshRoutes {
  readonly #world: ConsoleWorld;
  readonly #cache: FiguresCache;
  #summaries: { readonly atMs: number; readonly answers: Promise<MeshAnswers<NodeSummary>> } | undefined;

  constructor(world: ConsoleWorld, cache: FiguresCache) {
    this.#world = world;
    this.#cache = cache;
  }

  session({ name, grants, csrf }: Viewer): Session {
    const { running } = this.#world;
    const { displayName } = running.meshConfig();
    return {
      node: running.node.name,
      mesh: displayName === '' ? running.node.trustDomain : displayName,
      trustDomain: running.node.trustDomain,
      version: weftVersion(),
      nowMs: Date.now(),
      operator: name,
      roles: grants.map(({ role, namespaces }) => ({ role, namespaces: [...namespaces] })),
      csrf,
      consoles: [],
    };
  }

  /** With the consoles of the others, which only they know. */
  async sessionOf(viewer: Viewer): Promise<Session> {
    const { answers } = await this.#ask();
    const own = this.#world.running.node.name;
    const consoles = [...answers].flatMap(([node, said]) => {
      if (node === own || said.console === '') return [];
      const member = this.#world.running.mesh.members().find(({ name }) => name === node);
      return [{ node, url: `https://${reachable(said.console, member?.address ?? '')}` }];
    });
    return { ...this.session(viewer), consoles };
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

  async identities({ fromMs, toMs }: Range, namespaces: ReadonlySet<string> | undefined): Promise<Identities> {
    const question = { fromMs, toMs, stepMs: null, service: null, direction: 'inbound' as const };
    const [{ figures, coverage }, answers] = await Promise.all([
      this.#cache.ask({ ...question, by: ['source', 'destination'] }, SUMMARY_MS),
      this.#ask(),
    ]);
    const register = registerOf(this.#world.running);
    const { permissive } = this.#world.documents.access.rules;
    const edges = figures.rows.flatMap((row): Identities['edges'] => {
      const { source = '', destination = '' } = row.labels;
      if (!isSeen(destination, namespaces)) return [];
      const { requests, denied, connections } = totalsOf(row);
      const open = permissive.find(({ namespace, service }) => `${namespace}/${service}` === destination);
      return [
        {
          from: source === '' ? OUTSIDE : source,
          to: destination,
          tls: source === '' ? 'plaintext' : 'mutual',
          rule: '',
          allowed: Math.max(0, (requests ?? connections) - denied),
          denied,
          lastMs: toMs,
          plaintextUntilMs: open?.untilMs ?? null,
        },
      ];
    });
    const view = identitiesView({ register, answers, edges });
    const isOurs = ({ services }: { readonly services: readonly string[] }): boolean =>
      services.some((service) => isSeen(service, namespaces));
    return { ...view, identities: view.identities.filter(isOurs), coverage: coverageOf([view.coverage, coverage]) };
  }

  /** The same code as `weft explain`. */
  async explain(body: unknown): Promise<Answer> {
    const asked = explainQuestion.safeParse(body);
    if (!asked.success) {
      const [issue] = asked.error.issues;
      return refusal(400, `${issue?.path.map(String).join('.')}: ${issue?.message}`);
    }
    const question = asked.data;
    if (question.headers.length > MAX_HEADERS) return refusal(400, `headers: at most ${MAX_HEADERS} are read`);
    const { running, documents } = this.#world;
    const { from, to, port, method, path, headers } = question;
    const view = explainWhole(
      {
        from,
        to: port === null ? to : `${to}:${port}`,
        request: method === '' ? undefined : { method, path, host: undefined, headers },
      },
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
    const explained = explainedView({ question, view: view.value, agreement, coverage: answers.coverage });
    return { status: 200, body: explained };
  }

  async index(namespaces: ReadonlySet<string> | undefined): Promise<NameIndex> {
    const register = registerOf(this.#world.running);
    const documents = await this.#world.service.list({});
    const identities = new Set(
      register.endpoints.filter(({ namespace }) => isSeen(`${namespace}/`, namespaces)).map(({ identity }) => identity),
    );
    return {
      entries: [
        ...PAGES.map((name) => ({
          kind: 'page' as const,
          name: name === '' ? 'topology' : name,
          href: `/${name}`,
          health: null,
        })),
        ...[...register.services.keys()]
          .filter((id) => isSeen(id, namespaces))
          .map((id) => ({ kind: 'service' as const, name: id, href: `/services/${id}`, health: null })),
        ...documents
          .filter(({ namespace }) => namespaces === undefined || namespaces.has(namespace))
          .map(({ kind, namespace, name }) => ({
            kind: 'document' as const,
            name: `${kind} ${namespace === '' ? name : `${namespace}/${name}`}`,
            href: `/policies/${kind}/${namespace === '' ? '-' : namespace}/${name}`,
            health: null,
          })),
        ...register.members.map(({ name }) => ({
          kind: 'node' as const,
          name,
          href: `/members/${name}`,
          health: null,
        })),
        ...[...identities].map((name) => ({
          kind: 'identity' as const,
          name,
          href: `/identities?sel=${encodeURIComponent(name)}`,
          health: null,
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

/** Where others reach a console that listens on all addresses: where its gossip is reached. */
function reachable(listen: string, gossip: string): string {
  const host = gossip.slice(0, gossip.lastIndexOf(':'));
  return listen.replace(/^(0\.0\.0\.0|\[::\])(?=:\d+$)/, host);
}
