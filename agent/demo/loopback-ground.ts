/**
 * The demo without root: nodes on 127.0.1.N, pods on 127.0.2.N, all in the one network of this machine. There is nothing
 * to capture, so programs are told to dial the listeners their agent opens for them, 127.0.2.N:9001 and on.
 *
 * @module
 */
import type { ChildProcess } from 'node:child_process';
import { Processes, type SpawnOptions } from '../lab/processes.ts';
import type { Ground, NodePlace, PodPlace } from './ground.ts';
import type { NodeSpec, PodSpec } from './topology.ts';

const FIRST_UPSTREAM_PORT = 9001;

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
    return { address: `127.0.1.${index}`, loopback: `127.0.1.${index}`, isReachable: true };
  }

  podPlace({ index, calls }: PodSpec): PodPlace {
    const address = `127.0.2.${index}`;
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

  inPodScript(): undefined {
    return undefined;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#processes.close();
  }
}
