/** How a simulated host starts the baseline. @module */
import { LayeredMap } from '../../gossip/layered-map.ts';
import type { ShownPage } from '../world/pages.ts';
import { numberOf } from '../world/pages.ts';
import type { Boot, Program, World } from '../world/world.ts';
import type { Member } from './memberlist.ts';
import { MemberlistProcess } from './memberlist.ts';

export class MemberlistProgram implements Program {
  #known: { members: LayeredMap<string, Member>; shown: LayeredMap<string, ShownPage> } | undefined;

  form(world: World): void {
    const members = new LayeredMap<string, Member>();
    const shown = new LayeredMap<string, ShownPage>();
    for (const { name } of world.hosts) {
      const endpoints = new Map(world.pages.get(name)!.endpoints.map((endpoint) => [endpoint.id, endpoint]));
      members.set(name, { name, inc: 1, state: 'alive', sinceMs: 0 });
      shown.set(name, { number: numberOf(endpoints, name), endpoints });
    }
    this.#known = { members, shown };
  }

  formed(): void {
    this.#known = undefined;
  }

  start({ host, world, random, seeds }: Boot): MemberlistProcess {
    return new MemberlistProcess({ host, world, random, seeds, known: this.#known, inc: 1 });
  }

  /** Anybody may claim anything in it: that is not what is compared. */
  turnHostile(): void {}
}
