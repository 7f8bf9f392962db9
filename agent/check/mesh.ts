/** Whether this node is in touch with the mesh. @module */
import type { MemberView } from '../admin/views.ts';
import { type CheckResult, fail, ok, warn } from './report.ts';

/** Members that left said goodbye: nobody misses them. */
const GONE = 'left';
const SHOWN_MEMBERS = 10;

/** @param seeds how many seed addresses the configuration names */
export function checkPeers(
  members: readonly Pick<MemberView, 'name' | 'state' | 'isSelf'>[],
  seeds: number,
): CheckResult {
  const name = 'peers';
  const others = members.filter(({ isSelf, state }) => !isSelf && state !== GONE);
  const away = others.filter(({ state }) => state !== 'alive');
  const alive = others.length - away.length;
  if (others.length === 0 && seeds === 0) return ok(name, 'a mesh of one node; no seeds are configured');
  if (alive === 0) {
    const fix =
      'see that a seed of gossip.seeds is up and reachable, and that its certificate has the same root; the log tells why each was refused';
    return fail(name, others.length === 0 ? 'no seed answers' : `none of ${others.length} is alive`, fix);
  }
  if (away.length === 0) return ok(name, `${alive} alive`);
  const shown = away.slice(0, SHOWN_MEMBERS).map((member) => `${member.name} is ${member.state}`);
  if (away.length > SHOWN_MEMBERS) shown.push(`and ${away.length - SHOWN_MEMBERS} more`);
  return warn(name, `${alive} alive; ${shown.join(', ')}`, 'look at those nodes; weft members shows since when');
}
