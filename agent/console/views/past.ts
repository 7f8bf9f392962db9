/** How members were at an earlier moment, from how they are and what was noted of them. Pure. @module */
import type { Member } from '../../../gossip/view.ts';
import { memberTold } from '../../events/sightings.ts';
import type { MeshEvent } from '../shapes/common.ts';

/**
 * What was noted last before that moment holds; else the contrary of what was noted first after it; else what is so now.
 *
 * @param events about members, in any order
 */
export function membersAt(members: readonly Member[], events: readonly MeshEvent[], atMs: number): readonly Member[] {
  const before = new Map<string, Member['state']>();
  const after = new Map<string, Member['state']>();
  for (const event of events.toSorted((a, b) => a.atMs - b.atMs)) {
    const told = memberTold(event);
    if (told === undefined) continue;
    if (event.atMs <= atMs) before.set(told.name, told.state);
    else if (!after.has(told.name)) after.set(told.name, told.state === 'alive' ? 'dead' : 'alive');
  }
  return members.map((member) => {
    const now = member.state === 'suspect' ? 'alive' : member.state;
    return { ...member, state: before.get(member.name) ?? after.get(member.name) ?? now };
  });
}
