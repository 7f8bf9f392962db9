/** The API of the console on a running agent: which path is answered by what, and who may ask it. @module */
import { type Answer, refusal } from '../admin/routes.ts';
import { hasRole, seenNamespaces } from './access/roles.ts';
import type { ConsoleApi, Viewer } from './api.ts';
import { FiguresCache } from './figures-cache.ts';
import { withShortFigures } from './live/short-figures.ts';
import { atOf, BadQuestion, namespacesOf, rangeOf } from './routes/asked.ts';
import { DocumentCheckRoutes } from './routes/document-check.ts';
import { DocumentRoutes, keyFrom, mayRead } from './routes/documents.ts';
import { ImpactRoutes } from './routes/impact.ts';
import { MeshRoutes } from './routes/mesh.ts';
import { ObservedRoutes } from './routes/observed.ts';
import { TrafficRoutes } from './routes/topology.ts';
import type { TopologyKind } from './views/arcs.ts';
import { isSeen } from './views/service.ts';
import type { ConsoleWorld } from './world.ts';

const KINDS: readonly string[] = ['service', 'workload', 'version', 'node'];

interface Question {
  readonly parts: readonly string[];
  readonly asked: URLSearchParams;
  readonly viewer: Viewer;
  /** What the viewer may see, and asked for. */
  readonly namespaces: ReadonlySet<string> | undefined;
}

type Read = (question: Question) => Promise<unknown>;

export class AgentApi implements ConsoleApi {
  readonly #traffic: TrafficRoutes;
  readonly #documents: DocumentRoutes;
  readonly #checks: DocumentCheckRoutes;
  readonly #mesh: MeshRoutes;
  readonly #observed: ObservedRoutes;
  readonly #reads: ReadonlyMap<string, Read>;

  constructor(world: ConsoleWorld) {
    const cache = new FiguresCache(world.figures, Date.now);
    this.#traffic = new TrafficRoutes(world, cache);
    const impact = new ImpactRoutes(world, cache);
    this.#documents = new DocumentRoutes(world, impact);
    this.#checks = new DocumentCheckRoutes(world, impact);
    this.#mesh = new MeshRoutes(world, cache);
    this.#observed = new ObservedRoutes(world);
    this.#reads = new Map(Object.entries(this.#table()));
  }

  read(path: string, asked: URLSearchParams, viewer: Viewer): Promise<Answer> | undefined {
    const found = this.#match(path);
    return found === undefined
      ? undefined
      : answered(() =>
          found.read({
            parts: found.parts,
            asked,
            viewer,
            namespaces: namespacesOf(asked, seenNamespaces(viewer.grants)),
          }),
        );
  }

  write(path: string, body: unknown, viewer: Viewer): Promise<Answer> | undefined {
    switch (path) {
      case '/explain':
        return this.#explain(body, viewer);
      case '/documents/check':
        return this.#checks.check(body, viewer);
      case '/documents':
        return this.#documents.write(body, viewer);
      default:
        return undefined;
    }
  }

  /** `*` in a path is one part of it. What a read does not find is undefined. */
  #table(): Readonly<Record<string, Read>> {
    const range = (asked: URLSearchParams) => rangeOf(asked, Date.now());
    return {
      '/session': ({ viewer }) => this.#mesh.session(viewer),
      '/topology': async ({ asked, namespaces }) => {
        const view = asked.get('view') ?? 'service';
        if (!KINDS.includes(view)) throw new BadQuestion(`view: ${view.slice(0, 40)}: use one of ${KINDS.join(', ')}`);
        return withShortFigures(await this.#traffic.topology(view as TopologyKind, range(asked), namespaces));
      },
      '/services': ({ asked, namespaces }) => this.#traffic.services(range(asked), namespaces),
      '/services/*/*': async ({ parts: [namespace, name], asked, namespaces }) =>
        isSeen(`${namespace}/${name}`, namespaces)
          ? this.#traffic.service(`${namespace}/${name}`, range(asked), namespaces)
          : undefined,
      '/edges/*/*/*/*': async ({ parts: [fromNamespace, from, toNamespace, to], asked, namespaces }) =>
        isSeen(`${toNamespace}/${to}`, namespaces)
          ? this.#traffic.edge(end(fromNamespace!, from!), end(toNamespace!, to!), range(asked))
          : undefined,
      '/documents': ({ asked, namespaces }) => this.#documents.list(namespaces, atOf(asked, Date.now())),
      '/documents/*/*/*': async ({ parts: [kind, namespace, name], asked, viewer, namespaces }) => {
        const key = keyFrom(kind!, namespace!, name!);
        return mayRead(viewer, key) ? this.#documents.detail(key, namespaces, atOf(asked, Date.now())) : undefined;
      },
      '/members': ({ asked }) => this.#mesh.members(atOf(asked, Date.now())),
      '/members/*': ({ parts: [name], asked }) => this.#mesh.member(name!, atOf(asked, Date.now())),
      '/identities': ({ asked, namespaces }) => this.#mesh.identities(range(asked), namespaces),
      '/events': ({ asked, namespaces }) => this.#observed.events(asked, namespaces),
      '/traces': ({ asked, viewer }) => this.#observed.traces(asked, viewer),
      '/traces/*': ({ parts: [id], viewer }) => this.#observed.trace(id!, viewer),
      '/logs': ({ asked, viewer }) => this.#observed.logs(asked, viewer),
      '/catalog.yaml': ({ viewer }) => this.#observed.catalogYaml(viewer),
      '/index': ({ namespaces }) => this.#mesh.index(namespaces),
    };
  }

  #match(path: string): { readonly read: Read; readonly parts: readonly string[] } | undefined {
    const exact = this.#reads.get(path);
    if (exact !== undefined) return { read: exact, parts: [] };
    const given = path.split('/').slice(1).map(decoded);
    if (given.some((part) => part === undefined || part === '')) return undefined;
    for (const [pattern, read] of this.#reads) {
      const wanted = pattern.split('/').slice(1);
      if (wanted.length !== given.length || !wanted.every((part, i) => part === '*' || part === given[i])) continue;
      return { read, parts: given.filter((_, i) => wanted[i] === '*') as string[] };
    }
    return undefined;
  }

  async #explain(body: unknown, viewer: Viewer): Promise<Answer> {
    const to = (body as { readonly to?: unknown } | null)?.to;
    const namespace = typeof to === 'string' && to.includes('/') ? to.split('/')[0]! : '';
    if (hasRole(viewer.grants, 'view', namespace)) return this.#mesh.explain(body);
    return refusal(
      403,
      `to: ${String(to).slice(0, 60)}: name a service of a namespace that you may look at, as in shop/cart`,
    );
  }
}

async function answered(read: () => Promise<unknown>): Promise<Answer> {
  try {
    const body = await read();
    return body === undefined
      ? refusal(404, 'there is no such thing, or none that you may look at')
      : { status: 200, body };
  } catch (err) {
    if (err instanceof BadQuestion) return refusal(err.status, err.message);
    if (err instanceof RangeError) return refusal(400, err.message);
    throw err;
  }
}

/** `-` stands for no namespace, as of callers outside the mesh. */
function end(namespace: string, name: string): string {
  return namespace === '-' ? name : `${namespace}/${name}`;
}

function decoded(part: string): string | undefined {
  try {
    return decodeURIComponent(part);
  } catch {
    return undefined;
  }
}
