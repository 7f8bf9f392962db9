/** How a simulated host starts Weft's agent. @module */
import type { CoreOptions } from '../../gossip/core.ts';
import { VERIFY_CPU_MS } from './cpu.ts';
import type { Formed } from './formed.ts';
import { formedMesh } from './formed.ts';
import type { Host } from './host.ts';
import { turnHostile } from './liar.ts';
import type { Operators } from './operators.ts';
import { chainOf, rootOf, SimSigner } from './signer.ts';
import { type Tamper, WeftProcess } from './weft-process.ts';
import type { Boot, Program, World } from './world.ts';

const CERTIFICATE_MS = 7 * 86_400_000;
/** As gossip/config.ts has it. */
const MAX_DOCUMENTS = 10_000;

export class WeftProgram implements Program {
  readonly #chains = new Map<Host, readonly Uint8Array[]>();
  readonly #tamper: Tamper | undefined;
  readonly #operators: Operators | undefined;
  #formed: Formed | undefined;

  /** @param operators write documents; without them agents take no part in any */
  constructor(tamper?: Tamper, operators?: Operators) {
    this.#tamper = tamper;
    this.#operators = operators;
  }

  /** Processes started from here on know each other already. */
  form(world: World): void {
    const nodes = world.hosts.map((host) => ({
      options: this.#coreOptions({
        host,
        world,
        random: () => 0.5,
        epoch: host.wallMs(),
        seeds: [],
        rememberedPeers: [],
      }),
      endpoints: world.pages.get(host.name)!.endpoints,
    }));
    this.#formed = formedMesh(nodes);
  }

  /** Processes started from here on know nobody. */
  formed(): void {
    this.#formed = undefined;
  }

  start(boot: Boot): WeftProcess {
    const { host, world } = boot;
    const { edge, isEncoded } = world.options;
    const core = { ...this.#coreOptions(boot), ...this.#documentOptions(boot) };
    const operators = this.#operators;
    return new WeftProcess({
      host,
      world,
      core,
      formed: this.#formed,
      edge,
      isEncoded,
      tamper: this.#tamper,
      operators,
    });
  }

  /** Makes the agent of a host lie until then. */
  turnHostile(world: World, host: Host, untilMs: number): void {
    const process = world.processOn(host);
    if (!(process instanceof WeftProcess)) return;
    const { seed } = world.options;
    const signer = new SimSigner({ name: host.name, seed, wallMs: () => host.wallMs() });
    turnHostile({ world, process, signer, chain: this.#chainOf(host, seed), untilMs });
  }

  #coreOptions({ host, world, random, epoch, seeds, rememberedPeers }: Boot): CoreOptions {
    const { seed, settings } = world.options;
    return {
      self: host.name,
      trustDomain: 'sim.example',
      address: host.address,
      chain: this.#chainOf(host, seed),
      epoch,
      seeds,
      rememberedPeers,
      settings,
      signer: new SimSigner({
        name: host.name,
        seed,
        wallMs: () => host.wallMs(),
        verified: () => world.processOn(host)?.work(VERIFY_CPU_MS),
      }),
      random,
    };
  }

  #documentOptions({ host, world }: Boot): Pick<CoreOptions, 'documents'> {
    if (this.#operators === undefined) return {};
    const authority = this.#operators.authority(host, () => world.processOn(host)?.work(VERIFY_CPU_MS));
    return { documents: { authority, initial: host.disk.contents?.revisions ?? [], maxDocuments: MAX_DOCUMENTS } };
  }

  /** One certificate for the whole run; the issuer's clock is right. */
  #chainOf(host: Host, seed: number): readonly Uint8Array[] {
    let chain = this.#chains.get(host);
    if (chain === undefined) {
      chain = chainOf(host.name, host.wallMs() - host.wallOffsetMs + CERTIFICATE_MS, rootOf(seed));
      this.#chains.set(host, chain);
    }
    return chain;
  }
}
