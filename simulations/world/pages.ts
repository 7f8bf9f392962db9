/**
 * What simulated nodes offer. Every page carries its own number, as the `version` of its first endpoint, so that whoever
 * looks at a view can tell which page it shows, and that it shows all of that page and nothing else.
 * @module
 */

import type { Random } from '../../gossip/ports.ts';
import type { Endpoint } from '../../gossip/records/endpoint.ts';

export interface PageVersion {
  /** Rises with every change of its owner, across restarts. */
  readonly number: number;
  readonly endpoints: readonly Endpoint[];
}

/** The first page of a node. */
export function firstPage(owner: string, count: number): PageVersion {
  const keys = Array.from({ length: count }, (_, i) => i);
  return { number: 1, endpoints: endpointsOf(owner, keys, 1) };
}

/** The page after `page`: one endpoint changes its state, goes, or comes (back). */
export function nextPage(owner: string, page: PageVersion, random: Random): PageVersion {
  const number = page.number + 1;
  const [stamp, ...others] = page.endpoints;
  if (stamp === undefined) throw new Error('a page has at least the endpoint that carries its number');
  const chosen = Math.floor(random() * others.length);
  const choice = random();
  let rest = others;
  if (choice < 0.4) {
    rest = others.map((one, i) =>
      i === chosen ? { ...one, state: one.state === 'ready' ? 'draining' : 'ready' } : one,
    );
  } else if (choice < 0.7 && others.length > 0) {
    rest = others.filter((_, i) => i !== chosen);
  } else {
    const keys = new Set(others.map((one) => one.workload));
    const free = Array.from({ length: keys.size + 1 }, (_, i) => i + 1).find((i) => !keys.has(`w${i}`))!;
    rest = [...others, ...endpointsOf(owner, [free], number)];
  }
  return { number, endpoints: [{ ...stamp, version: String(number) }, ...rest] };
}

/** A page as a node shows it. */
export interface ShownPage {
  /** Which page of its owner; undefined when the endpoint with the number is missing. */
  readonly number: number | undefined;
  /** By id. */
  readonly endpoints: ReadonlyMap<string, Endpoint>;
}

/** Which page of its owner these endpoints are; undefined when the one with the number is missing. */
export function numberOf(endpoints: ReadonlyMap<string, Endpoint>, owner: string): number | undefined {
  const version = endpoints.get(`${owner}/w0/http`)?.version;
  return version === undefined ? undefined : Number(version);
}

/** All that is in a page and that a node may show of it, in one text. A node in doubt shows weight 0, so that is left out. */
export function fingerprint(endpoints: Iterable<Endpoint>): string {
  const lines = [...endpoints].map(
    ({ id, service, identity, address, port, version, state }) =>
      `${id} ${service} ${identity} ${address} ${port} ${version} ${state}`,
  );
  return lines.sort().join('\n');
}

function endpointsOf(owner: string, keys: readonly number[], number: number): Endpoint[] {
  return keys.map((key) => ({
    id: `${owner}/w${key}/http`,
    node: owner,
    namespace: 'sim',
    service: `s${key}`,
    workload: `w${key}`,
    identity: `spiffe://sim.example/ns/sim/sa/${owner}`,
    address: '10.244.0.1',
    port: 8080,
    servicePort: 80,
    portName: 'http',
    protocol: 'http',
    tunnelPort: 15008,
    version: String(number),
    labels: { app: `s${key}` },
    zone: 'a',
    weight: 1,
    state: 'ready',
  }));
}
