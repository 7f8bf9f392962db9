/** How a simulated host starts Weft's agent. @module */
import { chainOf, rootOf, SimSigner } from './signer.ts';
import { WeftProcess } from './weft-process.ts';
import type { Boot } from './world.ts';

const CERTIFICATE_MS = 7 * 86_400_000;

export function weftProgram(boot: Boot): WeftProcess {
  const { host, world, random, epoch, seeds, rememberedPeers } = boot;
  const { seed, settings, edge, isEncoded } = world.options;
  const wallMs = (): number => host.wallMs();
  const rightWallMs = host.wallMs() - host.wallOffsetMs; // the issuer's clock is right
  return new WeftProcess({
    host,
    world,
    settings,
    signer: new SimSigner({ name: host.name, seed, wallMs }),
    random,
    chain: chainOf(host.name, rightWallMs + CERTIFICATE_MS, rootOf(seed)),
    epoch,
    seeds,
    rememberedPeers,
    edge,
    isEncoded,
  });
}
