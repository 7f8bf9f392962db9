/** What changed between two looks at the parts of an agent, as happenings. Each remembers the last look; none reads a clock. @module */
import type { EndpointDelta } from '../../gossip/effects.ts';
import type { Endpoint } from '../../gossip/records/endpoint.ts';
import type { Member } from '../../gossip/view.ts';
import type { MeshEvent } from '../console/shapes/common.ts';
import type { Happening } from './event.ts';

const IS_UP: Readonly<Record<Member['state'], boolean | undefined>> = {
  alive: true,
  suspect: undefined, // may be refuted in a moment
  unresponsive: false,
  dead: false,
  left: false,
};
const WORDS = { alive: 'is up', unresponsive: 'does not answer', dead: 'is down', left: 'left', suspect: '' } as const;

/** Members that came, went or died. */
export class MemberSight {
  #known: ReadonlyMap<string, Member['state']> | undefined;

  look(members: readonly Member[]): readonly Happening[] {
    const known = this.#known;
    const settled = members.filter(({ state }) => IS_UP[state] !== undefined);
    this.#known = new Map([...(known ?? []), ...settled.map(({ name, state }) => [name, state] as const)]);
    if (known === undefined) return [];
    return settled.flatMap(({ name, state, epoch, incarnation, isSelf }) => {
      if (isSelf || known.get(name) === state) return [];
      const subject = `${name} ${state} ${epoch} ${incarnation}`;
      return [{ kind: 'member', subject, title: `${name} ${WORDS[state]}`, touches: [`node:${name}`], node: name }];
    });
  }
}

/** What the events of `MemberSight` say: who became what; undefined for others. */
export function memberTold({ kind, node, title }: MeshEvent): Pick<Member, 'name' | 'state'> | undefined {
  if (kind !== 'member' || node === null) return undefined;
  const state = (['alive', 'unresponsive', 'dead', 'left'] as const).find((one) => title === `${node} ${WORDS[one]}`);
  return state === undefined ? undefined : { name: node, state };
}

/** Versions that services did not have before. */
export class DeploySight {
  /** Version of each endpoint, by service. */
  readonly #versions = new Map<string, Map<string, string>>();
  readonly #services = new Map<string, string>();

  /** @param isSettled false while the mesh is still getting to know itself: nothing is a deploy then */
  look({ upsert, remove }: EndpointDelta, isSettled: boolean): readonly Happening[] {
    const happenings: Happening[] = [];
    for (const endpoint of upsert) {
      const service = `${endpoint.namespace}/${endpoint.service}`;
      const versions = this.#versions.get(service);
      const isNew = versions !== undefined && ![...versions.values()].includes(endpoint.version);
      if (isSettled && isNew && endpoint.version !== '') happenings.push(deployed(service, endpoint));
      const known = versions ?? new Map<string, string>();
      known.set(endpoint.id, endpoint.version);
      this.#versions.set(service, known);
      this.#services.set(endpoint.id, service);
    }
    for (const id of remove) {
      this.#versions.get(this.#services.get(id) ?? '')?.delete(id); // the service stays known: it may come back with another version
      this.#services.delete(id);
    }
    return happenings;
  }
}

function deployed(service: string, { version, node, workload }: Endpoint): Happening {
  return {
    kind: 'deploy',
    subject: `${service} ${version}`,
    title: `${service} ${version}`,
    detail: `first endpoint of this version: ${workload} on ${node}`,
    touches: [service, `node:${node}`],
    node,
  };
}

/** Members of a set that came or went, such as ejected endpoints and captured workloads. */
export class SetSight {
  #known: ReadonlyMap<string, string>;

  constructor(known: ReadonlyMap<string, string> = new Map()) {
    this.#known = known;
  }

  /** @returns those whose text differs: with the text of now, undefined for those that are gone */
  look(now: ReadonlyMap<string, string>): readonly { readonly id: string; readonly text: string | undefined }[] {
    const changed = [...now].filter(([id, text]) => this.#known.get(id) !== text);
    const gone = [...this.#known.keys()].filter((id) => !now.has(id));
    this.#known = new Map(now);
    return [...changed.map(([id, text]) => ({ id, text })), ...gone.map((id) => ({ id, text: undefined }))];
  }
}
