/**
 * What the proxy may route to, and how that changes: the endpoints of all members that are present, as deltas.
 *
 * A member that accepts connections but does not answer keeps its endpoints at weight 0: traffic goes elsewhere first,
 * and comes back without a new record when it wakes.
 * @module
 */
import type { EndpointDelta } from '../effects.ts';
import { LayeredMap } from '../layered-map.ts';
import type { Endpoint } from './endpoint.ts';

export type Routing = 'full' | 'last-choice' | 'none';

export class Directory {
  /** What was announced per node, by endpoint id. */
  readonly #shown: LayeredMap<string, ReadonlyMap<string, Endpoint>>;
  #size: number;

  /** @param known what is on show to begin with; it must not change any more */
  constructor(known?: Directory) {
    this.#shown = new LayeredMap(known === undefined ? undefined : known.#shown);
    this.#size = known === undefined ? 0 : known.#size;
  }

  /** Endpoints on show, of all nodes. */
  get size(): number {
    return this.#size;
  }

  countOf(node: string): number {
    return this.#shown.get(node)?.size ?? 0;
  }

  /** Shows a node's endpoints, a map that nobody will write to, from now on; undefined when that changes nothing. */
  show(node: string, endpoints: ReadonlyMap<string, Endpoint>, routing: Routing): EndpointDelta | undefined {
    const before = this.#shown.get(node) ?? NOTHING;
    const after = routing === 'full' ? endpoints : routing === 'none' ? NOTHING : withoutWeights(endpoints, before);
    const upsert: Endpoint[] = [];
    const remove: string[] = [];
    for (const [id, endpoint] of after) if (before.get(id) !== endpoint) upsert.push(endpoint);
    for (const id of before.keys()) if (!after.has(id)) remove.push(id);
    if (upsert.length === 0 && remove.length === 0) return undefined;
    this.#size += after.size - before.size;
    if (after.size === 0) this.#shown.delete(node);
    else this.#shown.set(node, after);
    return { upsert, remove };
  }
}

const NOTHING: ReadonlyMap<string, Endpoint> = new Map();

function withoutWeights(
  endpoints: ReadonlyMap<string, Endpoint>,
  shown: ReadonlyMap<string, Endpoint>,
): ReadonlyMap<string, Endpoint> {
  return new Map([...endpoints].map(([id, endpoint]) => [id, withoutWeight(endpoint, shown.get(id))]));
}

function withoutWeight(endpoint: Endpoint, shown: Endpoint | undefined): Endpoint {
  if (endpoint.weight === 0) return endpoint;
  // Keep the object on show if it differs in nothing but the weight, so that asking twice is no change.
  if (shown !== undefined && shown.weight === 0 && isSameButWeight(endpoint, shown)) return shown;
  return { ...endpoint, weight: 0 };
}

function isSameButWeight(a: Endpoint, b: Endpoint): boolean {
  return (Object.keys(a) as (keyof Endpoint)[]).every((key) => key === 'weight' || a[key] === b[key]);
}
