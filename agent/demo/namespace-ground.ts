/** The demo on network namespaces: every node and pod has a network of its own, and capture is real. @module */
import type { ChildProcess } from 'node:child_process';
import { FABRIC } from '../lab/addresses.ts';
import type { Capture } from '../lab/capture.ts';
import { type Faults, faultRules, HEALTHY } from '../lab/faults.ts';
import { Lab, type LabNode, type LabPod } from '../lab/lab.ts';
import { namespaceName } from '../lab/leftovers.ts';
import type { SpawnOptions } from '../lab/processes.ts';
import type { Ground, NodePlace, PodPlace } from './ground.ts';
import { meshUrl, type NodeSpec, type PodSpec, type Topology } from './topology.ts';

/** Namespaces of the demo are called `weft-<pid>-<node or pod>`. */
const LAB_NAME = 'weft';

/** The agent answers for the mesh before anything leaves the pod; for other names nobody does, and says so at once. */
export const RESOLV_CONF = `nameserver ${FABRIC.address4}\noptions timeout:1 attempts:2\n`;

export class NamespaceGround implements Ground {
  readonly captureMode = 'namespace';
  readonly description = 'network namespaces, real capture';
  readonly cannotShow: readonly string[] = [];
  readonly #lab: Lab;
  readonly #pods: ReadonlyMap<string, LabPod>;

  private constructor(lab: Lab, pods: ReadonlyMap<string, LabPod>) {
    this.#lab = lab;
    this.#pods = pods;
  }

  /** Also clears away what a run that was killed left behind. */
  static async create({ nodes, pods }: Topology): Promise<NamespaceGround> {
    await Lab.sweep(LAB_NAME);
    const lab = await Lab.create({ name: LAB_NAME, nodes: nodes.length });
    try {
      const made = pods.map(async (pod) => [pod.name, await lab.addPod(lab.node(pod.node.index), pod.name)] as const);
      return new NamespaceGround(lab, new Map(await Promise.all(made)));
    } catch (error) {
      await lab.close();
      throw error;
    }
  }

  nodePlace(node: NodeSpec): NodePlace {
    return { address: this.#lab.node(node.index).address4, loopback: '127.0.0.1', isReachable: false };
  }

  podPlace(pod: PodSpec): PodPlace {
    const { address4, namespacePath } = this.#pod(pod);
    return {
      address: address4,
      bind: '::',
      runs: { netns: namespacePath },
      reach: (call) => ({ url: meshUrl(call), listen: undefined }),
    };
  }

  runOnNode(node: NodeSpec, argv: readonly string[], options: SpawnOptions): ChildProcess {
    return this.#lab.spawn(this.#lab.node(node.index).namespace, argv, options);
  }

  runInPod(pod: PodSpec, argv: readonly string[], options: SpawnOptions): ChildProcess {
    return this.#lab.spawn(this.#pod(pod).namespace, argv, { ...options, resolvConf: RESOLV_CONF });
  }

  runOutside(argv: readonly string[], options: SpawnOptions): ChildProcess {
    return this.#lab.spawn(this.#lab.fabric, argv, options);
  }

  captureFabric(filter: string): Promise<Capture | undefined> {
    return this.#lab.capture(this.#lab.fabric, { interface: 'br0', filter });
  }

  scripts(resolvConfPath: string): Readonly<Record<string, string>> {
    const { fabric, nodes } = this.#lab;
    const cutOff = ({ index }: LabNode): Faults => ({
      ...HEALTHY,
      cuts: nodes.filter((other) => other.index !== index).map((other) => [index, other.index]),
    });
    return {
      'in-pod': `#!/bin/sh
# Runs a command in a pod of the demo: in-pod POD COMMAND...
pod=$1
shift
exec nsenter --net=/run/netns/${namespaceName(LAB_NAME, '')}"$pod" \\
  unshare -m sh -c 'mount --bind "$0" /etc/resolv.conf && exec "$@"' ${resolvConfPath} "$@"
`,
      cut: `#!/bin/sh
# Cuts a node of the demo, and its pods, off from all others: cut NODE
case $1 in
${nodes.map((node) => `${node.name}) rules='${faultRules(cutOff(node))}' ;;`).join('\n')}
*) echo "cut: one of ${nodes.map(({ name }) => name).join(', ')}" >&2; exit 2 ;;
esac
printf %s "$rules" | nsenter --net=/run/netns/${fabric} nft -f -
`,
      heal: `#!/bin/sh
# Mends what \`cut\` cut.
nsenter --net=/run/netns/${fabric} nft -f - <<'RULES'
${faultRules(HEALTHY)}RULES
`,
    };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#lab.close();
  }

  #pod({ name }: PodSpec): LabPod {
    const pod = this.#pods.get(name);
    if (!pod) throw new RangeError(`no pod ${name} in this topology`);
    return pod;
  }
}
