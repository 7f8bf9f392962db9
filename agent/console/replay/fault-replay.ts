/** What faults that are made on purpose do to observed calls, by the data plane's own match of their targets (proxy/resilience/targets.ts). Pure. @module */
import { TargetMatcher } from '../../../proxy/resilience/targets.ts';
import type { Fault } from '../../../proxy/traffic/rules.ts';
import { targeted } from '../../traffic/explain/dialled.ts';
import type { Holds, ObservedCall } from './observed.ts';
import type { Places } from './places.ts';
import type { RouteVerdict } from './route-replay.ts';

const NOTHING: RouteVerdict = { ends: new Map([['as they are', 1]]), handling: '', grounds: 'none' };

export class FaultReplay {
  readonly #faults: readonly { readonly fault: Fault; readonly target: TargetMatcher }[];
  readonly #places: Places;

  constructor(faults: readonly Fault[], places: Places, nowMs: number) {
    const going = faults.filter(({ untilMs }) => nowMs < untilMs);
    this.#faults = going.map((fault) => ({ fault, target: new TargetMatcher(fault.target, fault.origin) }));
    this.#places = places;
  }

  /** The first fault that a request falls under is the only one. */
  judge(call: ObservedCall): RouteVerdict {
    if (call.protocol === 'tcp') return NOTHING;
    const possible: { readonly fault: Fault; readonly isSure: boolean }[] = [];
    for (const { fault, target } of this.#faults) {
      const holds = this.#holds(fault, target, call);
      if (holds === 'no') continue;
      possible.push({ fault, isSure: holds === 'yes' });
      if (holds === 'yes') break;
    }
    const [first] = possible;
    if (first === undefined) return NOTHING;
    const grounds = JSON.stringify(
      possible.map(({ fault: { origin: _, untilMs: _until, ...effects }, isSure }) => [effects, isSure]),
    );
    if (!first.isSure) return { ends: undefined, handling: '', grounds };
    const { delay, bandwidth } = first.fault;
    return { ends: endsOf(first.fault), handling: JSON.stringify([delay, bandwidth]), grounds };
  }

  #holds({ target: { routes }, headers }: Fault, matcher: TargetMatcher, call: ObservedCall): Holds {
    const peer = this.#places.peer(call.source);
    const held = this.#places
      .servicePorts(call.destination)
      .map((port) => matcher.holds(targeted({ peer, service: call.destination, port }, routes[0])));
    if (!held.includes(true)) return 'no';
    return held.includes(false) || routes.length > 0 || headers.length > 0 ? 'maybe' : 'yes';
  }
}

/** Each effect throws its own dice; a request that is answered is not reset any more. */
function endsOf({ abort, reset }: Fault): ReadonlyMap<string, number> {
  const aborted = (abort?.percent ?? 0) / 100;
  const broken = (1 - aborted) * ((reset?.percent ?? 0) / 100);
  return new Map(
    [
      [`status ${abort?.status} by the fault`, aborted] as const,
      ['reset by the fault', broken] as const,
      ['as they are', 1 - aborted - broken] as const,
    ].filter(([, share]) => share > 0),
  );
}
