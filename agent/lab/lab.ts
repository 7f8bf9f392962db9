/**
 * A throwaway network on one machine: nodes and pods out of Linux network namespaces, for the demo and for tests.
 *
 * Each node is a namespace with an uplink to a common switch, the fabric, and a switch of its own for its pods; who has
 * which address is in addresses.ts. In the root namespace nothing appears but the names in `ip netns list`.
 *
 * @module
 */
import type { ChildProcess } from 'node:child_process';
import { type Addresses, MAX_NODES, MAX_PODS_PER_NODE, podAddresses, uplinkOf } from './addresses.ts';
import { CAPTURE_PREFIX, Capture, type CaptureOptions } from './capture.ts';
import { LabError } from './errors.ts';
import { type Faults, faultRules, HEALTHY } from './faults.ts';
import { removeOrphanedFolders } from './folders.ts';
import { listNamespaces, namespaceName, orphanedNamespaces, removeNamespaces } from './leftovers.ts';
import { type ExecOptions, type ExecResult, Processes, SCRATCH_PREFIX, type SpawnOptions } from './processes.ts';
import * as scripts from './scripts.ts';
import { labObstacle } from './support.ts';

export interface LabNode extends Addresses {
  /** Counts from 1, as its addresses do. */
  readonly index: number;
  readonly name: string;
  /** As `ip netns` knows it. */
  readonly namespace: string;
  /** The namespace as a file, for `setns` and nsenter. */
  readonly namespacePath: string;
}

export interface LabPod extends Addresses {
  readonly name: string;
  readonly node: LabNode;
  readonly namespace: string;
  readonly namespacePath: string;
}

export class Lab implements AsyncDisposable {
  /** The switch between the nodes; a capture on its `br0` or on port `n<index>` sees what nodes say to each other. */
  readonly fabric: string;
  readonly nodes: readonly LabNode[];
  readonly #prefix: string;
  readonly #processes: Processes;
  readonly #pods = new Map<string, LabPod>();
  #faults: Faults = HEALTHY;
  #closing: Promise<void> | undefined;

  private constructor(prefix: string, nodes: number, processes: Processes) {
    this.#prefix = prefix;
    this.#processes = processes;
    this.fabric = namespaceName(prefix, 'fabric');
    this.nodes = Array.from({ length: nodes }, (_, i) => describeNode(prefix, i + 1));
  }

  /**
   * @param options.name short prefix of the namespaces' names: up to 8 lower-case letters and digits. One lab of a name
   *   exists in a process at a time
   * @throws LabError; nothing is left behind then
   */
  static async create(options: { readonly name: string; readonly nodes: number }): Promise<Lab> {
    const { name, nodes } = options;
    if (!/^[a-z][a-z0-9]{0,7}$/.test(name))
      throw new LabError('WEFT_LAB_BAD_NAME', `lab name "${name}" (8 characters)`);
    if (!(Number.isInteger(nodes) && nodes >= 1 && nodes <= MAX_NODES)) {
      throw new LabError('WEFT_LAB_TOO_MANY', `nodes: ${nodes} (1 to ${MAX_NODES})`);
    }
    const obstacle = await labObstacle();
    if (obstacle) throw new LabError('WEFT_LAB_UNSUPPORTED', 'lab', { detail: obstacle });
    const lab = new Lab(name, nodes, new Processes());
    const taken = listNamespaces().find((other) => other === lab.fabric);
    if (taken) throw new LabError('WEFT_LAB_NAME_TAKEN', taken);
    try {
      await lab.#build();
    } catch (error) {
      await lab.close();
      throw error;
    }
    return lab;
  }

  /**
   * Removes what runs with this prefix left behind when they were killed: namespaces with the processes in them, and
   * temporary folders of any lab. Only what belongs to a pid that is gone.
   */
  static async sweep(name: string): Promise<readonly string[]> {
    for (const prefix of [SCRATCH_PREFIX, CAPTURE_PREFIX]) removeOrphanedFolders(prefix);
    const orphans = orphanedNamespaces(name);
    await using processes = new Processes();
    await removeNamespaces(processes, orphans);
    return orphans;
  }

  /** @param index counts from 1 */
  node(index: number): LabNode {
    const node = this.nodes[index - 1];
    if (!node) throw new RangeError(`node ${index} of ${this.nodes.length}; nodes count from 1`);
    return node;
  }

  /** @param name unique in the lab: a lower-case letter, then letters, digits or dashes; 12 characters */
  async addPod(node: LabNode, name: string): Promise<LabPod> {
    if (this.#closing) throw new LabError('WEFT_LAB_CLOSED', name);
    if (!/^[a-z][a-z0-9-]{0,11}$/.test(name)) throw new LabError('WEFT_LAB_BAD_NAME', `pod "${name}" (12 characters)`);
    const namespace = namespaceName(this.#prefix, name);
    if (this.#pods.has(name) || namespace === this.fabric || this.nodes.some((other) => other.name === name)) {
      throw new LabError('WEFT_LAB_NAME_TAKEN', `pod "${name}"`);
    }
    const index = this.#pods.values().reduce((count, pod) => count + (pod.node === node ? 1 : 0), 0);
    if (index >= MAX_PODS_PER_NODE) throw new LabError('WEFT_LAB_TOO_MANY', `pods on ${node.name}`);
    const pod: LabPod = { name, node, namespace, namespacePath: pathOf(namespace), ...podAddresses(node.index, index) };
    this.#pods.set(name, pod); // before the first await: it holds the name and the address
    const plan: scripts.PodPlan = { node, namespace, name, index };
    await this.#batch(scripts.podBatch(plan));
    await Promise.all([
      this.#script(node.namespace, scripts.plugScript(plan)),
      this.#script(namespace, scripts.podScript(plan)),
    ]);
    return pod;
  }

  /**
   * Starts an unmodified program in a namespace; the lab ends it at the latest on close().
   *
   * @param namespace of a node, a pod or the fabric
   */
  spawn(namespace: string, argv: readonly string[], options: SpawnOptions = {}): ChildProcess {
    return this.#processes.spawn(namespace, argv, options);
  }

  /** Runs a program in a namespace to its end. Any exit code is an answer; only running too long throws. */
  exec(namespace: string, argv: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
    return this.#processes.exec(namespace, argv, options);
  }

  /** Records an interface; undefined when tcpdump is not installed. */
  capture(namespace: string, options: CaptureOptions): Promise<Capture | undefined> {
    return Capture.start(this.#processes, namespace, options);
  }

  /** Cuts two nodes and their pods off from each other, both ways, silently. Adds to what is cut already. */
  dropBetween(a: LabNode, b: LabNode): Promise<void> {
    return this.#break({ ...this.#faults, cuts: [...this.#faults.cuts, [a.index, b.index]] });
  }

  /** @param lossRatio share of frames between nodes that are lost at random, 0 to 1 in steps of 0.001 */
  loss(lossRatio: number): Promise<void> {
    if (!(lossRatio >= 0 && lossRatio <= 1)) throw new RangeError(`lossRatio ${lossRatio}: use 0 to 1`);
    return this.#break({ ...this.#faults, lossRatio });
  }

  /** Mends every cut and ends the loss. */
  heal(): Promise<void> {
    return this.#break(HEALTHY);
  }

  /** Ends every program in the lab and removes its namespaces. Twice is fine. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #build(): Promise<void> {
    await this.#batch(scripts.fabricBatch(this.fabric, this.nodes));
    await Promise.all([
      this.#script(this.fabric, scripts.fabricScript(this.nodes)),
      ...this.nodes.map((node) => this.#script(node.namespace, scripts.nodeScript(node, this.nodes))),
    ]);
  }

  async #close(): Promise<void> {
    await this.#processes.close();
    await using cleaner = new Processes();
    const pods = this.#pods.values().map((pod) => pod.namespace);
    await removeNamespaces(cleaner, [...pods, ...this.nodes.map((node) => node.namespace), this.fabric]);
  }

  async #break(faults: Faults): Promise<void> {
    this.#faults = faults;
    await this.#run(this.fabric, ['nft', '-f', '-'], faultRules(faults));
  }

  #batch(input: string): Promise<void> {
    return this.#run(undefined, ['ip', '-batch', '-'], input);
  }

  #script(namespace: string, input: string): Promise<void> {
    return this.#run(namespace, ['sh', '-s'], input);
  }

  async #run(namespace: string | undefined, argv: readonly string[], input: string): Promise<void> {
    const { code, stderr } = await this.#processes.exec(namespace, argv, { input });
    const subject = `${argv.join(' ')} in ${namespace ?? 'the root namespace'}`;
    if (code !== 0) throw new LabError('WEFT_LAB_COMMAND_FAILED', subject, { detail: stderr });
  }
}

function describeNode(prefix: string, index: number): LabNode {
  const name = `n${index}`;
  const namespace = namespaceName(prefix, name);
  return { index, name, namespace, namespacePath: pathOf(namespace), ...uplinkOf(index) };
}

function pathOf(namespace: string): string {
  return `/run/netns/${namespace}`;
}
