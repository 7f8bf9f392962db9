/**
 * A mesh that has long formed, made without forming it: one core hears every node's page, and all others begin with what
 * that one holds. Links are still to be made; that takes a few milliseconds.
 * @module
 */
import { Core, type CoreOptions } from '../../gossip/core.ts';
import type { Effect } from '../../gossip/effects.ts';
import { LayeredMap } from '../../gossip/layered-map.ts';
import type { Endpoint } from '../../gossip/records/endpoint.ts';
import type { Page } from '../../gossip/wire/messages.ts';
import type { ShownPage } from './pages.ts';
import { numberOf } from './pages.ts';

export interface Formed {
  readonly core: Core;
  readonly shown: LayeredMap<string, ShownPage>;
}

/** @param nodes what each node's core is made of, and what it offers */
export function formedMesh(
  nodes: readonly { readonly options: CoreOptions; readonly endpoints: readonly Endpoint[] }[],
): Formed {
  const core = new Core({ ...nodes[0]!.options, self: 'scribe', seeds: [], rememberedPeers: [] });
  core.step(0, { kind: 'start' });
  const shown = new LayeredMap<string, ShownPage>();
  for (const { options, endpoints } of nodes) {
    const page = pageOf(options, endpoints);
    core.step(0, { kind: 'received', from: options.self, message: { kind: 'hello', page } });
    const byId = new Map(endpoints.map((endpoint) => [endpoint.id, endpoint]));
    shown.set(options.self, { number: numberOf(byId, options.self), endpoints: byId });
  }
  return { core, shown };
}

/** What a node says first on a link, once it has published. */
function pageOf(options: CoreOptions, endpoints: readonly Endpoint[]): Page {
  const core = new Core({ ...options, seeds: [], rememberedPeers: [] });
  core.step(0, { kind: 'start' });
  const armed = core.step(0, { kind: 'publish', endpoints }).find((effect) => effect.kind === 'arm');
  if (armed?.kind === 'arm') core.step(armed.atMs, { kind: 'fired', timer: armed.timer });
  const hello = core.step(100, { kind: 'link-up', peer: 'scribe', opened: false }).find(isHello);
  if (hello?.kind !== 'send' || hello.message.kind !== 'hello') throw new Error('the first word on a link is hello');
  return hello.message.page;
}

function isHello(effect: Effect): boolean {
  return effect.kind === 'send' && effect.message.kind === 'hello';
}
