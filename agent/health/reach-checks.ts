/** The checks of an agent that is up: put together from its parts. @module */
import type { Logger } from 'pino';
import type { Revocations } from '../../certs/revocation.ts';
import type { Member } from '../../gossip/view.ts';
import { plainSockets } from '../../proxy/sockets.ts';
import type { TrafficPolicy } from '../../proxy/traffic/rules.ts';
import type { Running } from '../running.ts';
import { ReachKeeper } from './reach-keeper.ts';
import { type Prober, probeReach } from './reach-probe.ts';

export interface ReachChecksOptions {
  readonly policies: () => readonly TrafficPolicy[];
  readonly revocations: () => Revocations;
  readonly log: Logger;
}

export function reachChecks(running: Running, { policies, revocations, log }: ReachChecksOptions): ReachKeeper {
  const { node, captures, certificates, mesh, services, ejections } = running;
  const sockets = captures?.sockets ?? plainSockets();
  return new ReachKeeper({
    node: node.name,
    endpoints: () => services.endpoints(),
    members: () => mesh.members().flatMap((member) => (isThere(member) ? [member.name] : [])),
    policies,
    probe: (endpoint, limits) => {
      const options = {
        open: (unit: string, family: 4 | 6) => sockets.open(unit, family),
        prober: proberOf(running),
        trust: certificates.holder.current.trust,
        revocations: revocations(),
      };
      return probeReach(endpoint, options, limits);
    },
    checked: (unreached) => ejections.checked(unreached),
    random: Math.random,
    log,
  });
}

/** The first workload that is in the mesh; any will do. */
function proberOf({ enrolment, svids }: Running): Prober | undefined {
  const local = enrolment.view().find(({ address }) => address !== '');
  const svid = svids.svids().find(({ spiffeId }) => spiffeId === local?.identity);
  return local === undefined || svid === undefined ? undefined : { unit: local.unit, svid };
}

function isThere({ state }: Member): boolean {
  return state === 'alive' || state === 'suspect';
}
