/**
 * The demo without root: nodes and pods on loopback addresses, all in the one network of this machine. There is nothing
 * to capture, so programs are told to dial the listeners their agent opens for them, port 9001 and on of their address.
 *
 * Linux answers on all of 127.0.0.0/8. A run takes a /24 of it by its pid, so that two runs do not meet: node N is .N,
 * pod N is .(100+N).
 *
 * @module
 */
import type { ChildProcess } from 'node:child_process';
import { Processes, type SpawnOptions } from '../lab/processes.ts';
import type { Ground, NodePlace, PodPlace } from './ground.ts';
import type { NodeSpec, PodSpec } from './topology.ts';

const FIRST_UPSTREAM_PORT = 9001;
const FIRST_POD = 100;

export class LoopbackGround implements Ground {
  readonly captureMode = 'none';
  readonly description = 'loopback addresses, no capture';
  readonly cannotShow: readonly string[] = [
    'capture: programs are configured to dial their agent instead of being redirected to it',
    'names: <service>.<namespace>.weft does not resolve here',
    'STRICT mode: whoever is on this machine reaches the programs past their agents',
    'the wire: nothing leaves the machine, so mTLS is told from the agents, not from a recording',
  ];
  readonly #processes = new Processes();

  nodePlace({ index }: NodeSpec): NodePlace {
    const address = ownAddress(index);
    return { address, loopback: address, isReachable: true };
  }

  podPlace({ index, calls }: PodSpec): PodPlace {
    const address = ownAddress(FIRST_POD + index);
    return {
      address,
      bind: address,
      runs: { host: {} },
      reach: (call) => {
        const listen = `${address}:${FIRST_UPSTREAM_PORT + calls.indexOf(call)}`;
        return { url: `${call.scheme}://${listen}`, listen };
      },
    };
  }

  runOnNode(_node: NodeSpec, argv: readonly string[], options: SpawnOptions): ChildProcess {
    return this.#processes.spawn(undefined, argv, options);
  }

  runInPod(_pod: PodSpec, argv: readonly string[], options: SpawnOptions): ChildProcess {
    return this.#processes.spawn(undefined, argv, options);
  }

  runOutside(argv: readonly string[], options: SpawnOptions): ChildProcess {
    return this.#processes.spawn(undefined, argv, options);
  }

  async captureFabric(): Promise<undefined> {
    return undefined;
  }

  scripts(): Readonly<Record<string, string>> {
    return {};
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#processes.close();
  }
}

/** @param last of its four numbers; the middle two are this process's, from 127.64.0 to 127.191.255 */
function ownAddress(last: number): string {
  return `127.${64 + ((process.pid >> 8) % 128)}.${process.pid % 256}.${last}`;
}
