import type { AdminSources } from '../../../agent/admin/views.ts';

/** Sources of a small mesh, each replaceable. */
export function sources(replaced: Partial<AdminSources> = {}): AdminSources {
  return {
    status: () => ({
      node: 'n1',
      zone: 'a',
      version: '0.1.0',
      pid: 42,
      startedAt: '2026-01-01T00:00:00.000Z',
      trustDomain: 'demo.weft',
      certificateExpiresAt: '2026-01-08T00:00:00.000Z',
      captureMode: 'namespace',
      workers: 2,
      isReady: true,
      waitingFor: [],
      members: { alive: 2, dead: 1 },
      services: 1,
      endpoints: { ready: 1, total: 2 },
      workloads: { ready: 1, total: 1 },
      problems: [],
    }),
    members: () => [
      {
        name: 'n1',
        state: 'alive',
        address: '10.0.0.1:7946',
        endpoints: 1,
        since: '2026-01-01T00:00:00.000Z',
        isSelf: true,
      },
      {
        name: 'n2-longer',
        state: 'dead',
        address: '10.0.0.2:7946',
        endpoints: 0,
        since: '2026-01-01T00:00:30.000Z',
        isSelf: false,
      },
    ],
    services: () => [
      {
        namespace: 'shop',
        service: 'cart',
        vips: ['240.0.0.1', 'fd00::1'],
        ports: [{ port: 80, protocol: 'http' }],
        endpoints: { ready: 1, total: 2 },
      },
    ],
    endpoints: () => [
      {
        namespace: 'shop',
        service: 'cart',
        workload: 'cart-1',
        node: 'n1',
        address: '10.1.0.2',
        port: 8080,
        servicePort: 80,
        protocol: 'http',
        state: 'ready',
        version: '',
        zone: 'a',
        weight: 100,
        identity: 'spiffe://demo.weft/ns/shop/sa/cart',
      },
    ],
    workloads: () => ({ workloads: [], problems: [] }),
    capture: () => [
      {
        unit: 'netns:/run/netns/cart',
        workloads: ['shop/cart-1'],
        listeners: ['outbound 15001'],
        rules: 'table inet weft {\n}',
      },
    ],
    metrics: async () => '# HELP weft_agent_ready 1 when ready.\nweft_agent_ready 1\n',
    check: () => ({ isOk: true, results: [{ name: 'peers', status: 'ok', detail: '2 alive', fix: '' }] }),
    config: () => ({ nodeName: 'n1', nested: { privateKeyPem: 'SECRET', token: 'SECRET' } }),
    shutdown: () => {},
    ...replaced,
  };
}
