/** A data plane of real worker threads that can be told to die. @module */
import { pino } from 'pino';
import { DataPlane } from '../../../agent/threads/data-plane.ts';
import { proxyConfig } from '../../../proxy/config.ts';
import type { ListenerSpec } from '../../../proxy/listeners/listener-spec.ts';
import { makeNode, mint, TemporaryDirectory, TRUST_DOMAIN, WEB } from '../../certs/trust.ts';

/** Workers that know one workload, `shop/web`, and one service without an endpoint, `shop/cart` on port 80. */
export async function startPlane(
  reopen: () => readonly ListenerSpec[],
  { workers = 2, maxConnections = 20_000 }: { workers?: number; maxConnections?: number } = {},
): Promise<DataPlane> {
  using directory = new TemporaryDirectory();
  const node = makeNode(directory);
  const plane = await DataPlane.start({
    config: proxyConfig.parse({ node: 'n1', maxConnections }),
    workers,
    logLevel: 'fatal',
    isCapturing: false,
    log: pino({ level: 'silent' }),
    reopen,
    entry: new URL('./crashing-worker.ts', import.meta.url),
  });
  const { certificateChainPem, privateKeyPem, expiresAtMs } = mint(node);
  const workload = {
    id: 'shop/web',
    unit: 'u',
    namespace: 'shop',
    service: 'web',
    identity: WEB,
    labels: {},
    ports: [],
  };
  const svid = { certificateChainPem, privateKeyPem, expiresAtMs };
  const cart = {
    id: 'shop/cart',
    namespace: 'shop',
    service: 'cart',
    vips: [],
    ports: [{ port: 80, protocol: 'http' }],
  } as const;
  plane.apply({ trust: { trustDomain: TRUST_DOMAIN, rootsPem: node.trust.roots.map(String) } });
  plane.apply({ workloads: { upsert: [{ ...workload, svid }], remove: [] }, services: { upsert: [cart], remove: [] } });
  return plane;
}
