/** Where a request may end up under a backend: which endpoints there are, which are left out and why, and what stands in for them. Pure. @module */

import { Memberships } from '../../../proxy/memberships.ts';
import type { Effective } from '../../../proxy/resilience/effective.ts';
import { nearness, type Place } from '../../../proxy/resilience/locality.ts';
import { isPanic } from '../../../proxy/resilience/panic.ts';
import { isInSubset } from '../../../proxy/resilience/subsets.ts';
import type { Endpoint } from '../../../proxy/snapshot.ts';
import type { Backend, Fallback } from '../../../proxy/traffic/rules.ts';
import { type Dialled, settingsFor, type TrafficWorld } from './dialled.ts';
import { backendName, headerFilters } from './filters.ts';
import { OF_BACKEND, settingViews, sourceOf } from './settings.ts';
import type { BackendView, CandidateView, FallbackView } from './views.ts';

const MAX_ENDPOINTS = 50;
const NEAR = ['node', 'zone', 'region', 'elsewhere'] as const;

/** Endpoints by the ports that lead to them, and from where they are looked at. */
export interface Grounds {
  readonly world: TrafficWorld;
  readonly memberships: Memberships;
  readonly here: Place;
}

export function groundsOf(world: TrafficWorld, here: Place): Grounds {
  const memberships = new Memberships();
  for (const service of world.services) memberships.know(service);
  return { world, memberships, here };
}

type To = Pick<Backend, 'service' | 'port' | 'subset'>;

/** @param share of the requests of the way, 0 to 1 */
export function backendView(backend: Backend, share: number, call: Dialled, grounds: Grounds): BackendView {
  const { service, port, subset, problem } = backend;
  const base = { service, port, subset: subset ?? null, share, filters: headerFilters(backend) };
  if (problem !== undefined) return { ...base, ...NOTHING, problem };
  const effective = settingsFor(grounds.world, { ...call, service, port });
  const isOther = service !== call.service || port !== call.port;
  const only = isOther ? undefined : call.endpointId;
  const { candidates, isPanicking } = look(
    { service, port, ...(subset === undefined ? {} : { subset }) },
    effective,
    grounds,
  );
  const shown = only === undefined ? candidates : candidates.filter(({ id }) => id === only);
  const subsets = settingViews(effective, ['subsets']).filter(({ setting }) => setting === `subsets.${subset}`);
  return {
    ...base,
    problem: null,
    settings: [...subsets, ...settingViews(effective, OF_BACKEND)],
    endpoints: shown.slice(0, MAX_ENDPOINTS),
    endpointsLeftOut: Math.max(0, shown.length - MAX_ENDPOINTS),
    isPanicking,
    fallbacks: only === undefined ? fallbackViews({ service, port }, effective, call, grounds) : [],
  };
}

const NOTHING = { settings: [], endpoints: [], endpointsLeftOut: 0, isPanicking: false, fallbacks: [] } as const;

/** As a picker of the data plane would look at them (proxy/resilience/picker.ts). */
function look(
  { service, port, subset }: To,
  { settings }: Effective,
  { world, memberships, here }: Grounds,
): { readonly candidates: readonly CandidateView[]; readonly isPanicking: boolean } {
  const members = world.endpoints
    .filter(
      (endpoint) => memberships.isMember(endpoint, service, port) && isInSubset(endpoint, subset, settings.subsets),
    )
    .sort((a, b) => nearness(here, a) - nearness(here, b) || (a.id < b.id ? -1 : 1));
  const judged = members.map((endpoint) => ({ endpoint, standing: world.standing(endpoint.id) }));
  const ready = judged.filter(({ endpoint }) => endpoint.state === 'ready');
  const isOut = (standing: (typeof judged)[number]['standing']): boolean =>
    settings.outliers !== 'off' && standing?.isEjected === true;
  const usable = ready.filter(({ standing }) => !isOut(standing));
  const isPanicking = isPanic(usable.length, ready.length, settings.panicRatio);
  const candidates = judged.map(({ endpoint, standing }): CandidateView => {
    const { id, node, zone, version, state, weight } = endpoint;
    return {
      ...{ id, node, zone, version, state, weight },
      address: addressOf(endpoint),
      near: NEAR[nearness(here, endpoint)]!,
      isEjected: standing?.isEjected ?? null,
      ejectedForMs: Math.round(standing?.ejectedForMs ?? 0),
      suspectedBy: standing?.suspectedBy ?? 0,
      isCandidate: state === 'ready' && (isPanicking || !isOut(standing)),
    };
  });
  return { candidates, isPanicking };
}

function addressOf({ address, port }: Endpoint): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

function fallbackViews(
  backend: To,
  { settings, origins }: Effective,
  call: Dialled,
  grounds: Grounds,
): readonly FallbackView[] {
  const source = sourceOf(origins.get('fallbacks'));
  return settings.fallbacks.map((fallback: Fallback): FallbackView => {
    if (fallback.kind === 'respond') return { to: `answer ${fallback.respond.status}`, source, usable: null };
    const to: To =
      fallback.kind === 'subset'
        ? { ...backend, subset: fallback.subset }
        : { service: fallback.service, port: fallback.port };
    const effective = settingsFor(grounds.world, { ...call, service: to.service, port: to.port });
    const usable = look(to, effective, grounds).candidates.filter(({ isCandidate }) => isCandidate).length;
    return { to: backendName(to), source, usable };
  });
}
