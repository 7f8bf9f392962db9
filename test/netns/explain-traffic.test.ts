/** What weft explain says of a route with a split, retries and fallbacks on real agents, and whether requests do go that way. */
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ExplainView } from '../../agent/access/views.ts';
import type { LabPod } from '../../agent/lab/lab.ts';
import { HTTP_PORTS, type LabAgent, MeshLab } from '../../agent/lab/mesh-lab.ts';
import { stopProcess } from '../../agent/lab/processes.ts';
import { labObstacle } from '../../agent/lab/support.ts';
import type { EffectiveView } from '../../agent/traffic/explain/views.ts';
import { publish, type Said, statusAt, untilApplied, weftAt } from './operator.ts';

const obstacle = await labObstacle();
const HTTP_APP = join(import.meta.dirname, 'programs', 'http-app.ts');
const ROUTE = `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: cart, namespace: shop }
spec:
  parentRefs: [{ group: "", kind: Service, name: cart, port: 80 }]
  rules:
    - name: split
      retry: { attempts: 3, codes: [503] }
      backendRefs:
        - { name: cart, port: 80, weight: 3 }
        - { name: next, port: 80, weight: 1 }
`;
const POLICY = `apiVersion: weft.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: next, namespace: shop }
spec:
  target: { services: [next] }
  fallbacks: [{ service: spare, port: 80 }]
`;

describe.skipIf(obstacle !== undefined)(
  `explaining the way of a request${obstacle === undefined ? '' : ` (skipped: ${obstacle})`}`,
  () => {
    let mesh: MeshLab;
    let client: LabPod;
    let agents: LabAgent[];
    let next: ChildProcess;
    let route: string;
    let policy: string;

    beforeAll(async () => {
      mesh = await MeshLab.create({ name: 'way', nodes: 2 });
      client = await mesh.addPod(mesh.lab.node(1), { name: 'client' });
      const cart = await mesh.addPod(mesh.lab.node(2), { name: 'cart', ports: HTTP_PORTS });
      const spec = { healthCheck: { tcp: { intervalMs: 200, unhealthyAfter: 1 } } };
      const other = await mesh.addPod(mesh.lab.node(1), { name: 'next', ports: HTTP_PORTS, spec });
      const spare = await mesh.addPod(mesh.lab.node(2), { name: 'spare', ports: HTTP_PORTS });
      await mesh.serve(cart, HTTP_APP, 8080, 'cart');
      next = await mesh.serve(other, HTTP_APP, 8080, 'next');
      await mesh.serve(spare, HTTP_APP, 8080, 'spare');
      agents = await mesh.startAgents();
      await mesh.untilRouted(agents, ['cart', 'next', 'spare']);
      route = await inUse(ROUTE);
      policy = await inUse(POLICY);
    });
    afterAll(() => mesh?.close());

    const weft = (...argv: readonly string[]): Promise<Said> => weftAt(mesh, agents[0]!, ...argv);

    /** @returns the whole revision, once it is in use on both nodes */
    async function inUse(text: string): Promise<string> {
      const [revision] = (await publish(mesh, agents[0]!, text)).revisions;
      await untilApplied(mesh, agents[0]!, revision!, 2);
      return (await statusAt(mesh, agents[0]!, revision!))!.revision;
    }

    const explained = async (): Promise<ExplainView> =>
      JSON.parse((await weft('explain', 'GET', '/who', '--from', 'client', '--to', 'cart:80', '-o', 'json')).out);

    test('names rule, shares, retries and fallbacks with their documents and revisions', async () => {
      const { outcome, answers, traffic } = await explained();
      const rule = { kind: 'HTTPRoute', namespace: 'shop', name: 'cart', revision: route, rule: 'split' };
      const author = { kind: 'TrafficPolicy', namespace: 'shop', name: 'next', revision: policy, rule: '' };
      expect(traffic).toHaveLength(1);
      const { ways, ...at } = traffic![0]!;
      expect(at).toMatchObject({ service: 'shop/cart', port: 80, routes: 'producer', notes: [] });
      expect(ways).toHaveLength(1);
      const { source, settings, backends } = ways[0]!;
      expect(source).toEqual(rule);
      expect(settings).toContainEqual({ setting: 'retries.attempts', value: 3, source: rule });
      expect(settings).toContainEqual({ setting: 'timeouts.connect', value: '1s', source: null });
      expect(backends.map(({ service, share }) => [service, share])).toEqual([
        ['shop/cart', 0.75],
        ['shop/next', 0.25],
      ]);
      expect(backends[1]!.fallbacks).toEqual([{ to: 'shop/spare:80', source: author, usable: 1 }]);
      expect(
        backends.map(({ endpoints }) => endpoints.map(({ id, near, isEjected }) => [id, near, isEjected])),
      ).toEqual([[['n2/shop/cart/http', 'elsewhere', false]], [['n1/shop/next/http', 'node', false]]]);
      expect([outcome, answers.map(({ destination }) => destination.service)]).toEqual(['allowed', ['cart', 'next']]);
      const { code, out } = await weft('explain', 'GET', '/who', '--from', 'client', '--to', 'cart:80');
      expect(code).toBe(0);
      expect(out).toContain(`by HTTPRoute shop/cart rule split, revision ${route.slice(0, 12)}\n`);
      expect(out).toContain('  25 % to shop/next:80\n');
      expect(out).toContain(
        `    fallback 1, where none can: shop/spare:80, 1 of its endpoints could take it now (TrafficPolicy shop/next, revision ${policy.slice(0, 12)})\n`,
      );
    });

    test('the settings in effect are those of the rule, the policy and the defaults', async () => {
      const call = ['--from', 'client', '--to', 'next', '-o', 'json'];
      const { out } = await weft('get', 'trafficpolicy', '--effective', ...call);
      const { settings } = (JSON.parse(out) as EffectiveView).calls[0]!;
      const written = settings.filter(({ source }) => source !== null);
      expect(written.map(({ setting, source }) => [setting, source!.revision])).toEqual([['fallbacks', policy]]);
      expect(settings).toContainEqual({ setting: 'outliers.consecutive', value: 5, source: null });
    });

    test('requests go the way that was told, and to the fallback when it says that a backend has nobody', async () => {
      const who = async (): Promise<string> => {
        const { body } = await mesh.curl(client, 'http://cart.shop.weft/who');
        return (JSON.parse(body) as { name: string }).name;
      };
      const seen = new Set<string>();
      while (seen.size < 2) seen.add(await who()); // a backend that is never met ends in the time limit of the test
      expect([...seen].sort()).toEqual(['cart', 'next']);
      await stopProcess(next, 1_000);
      await agents[0]!.until('next not ready', async () => (await agents[0]!.ready()).join() === 'cart,spare');
      const { traffic } = await explained();
      const [, backend] = traffic![0]!.ways[0]!.backends;
      expect(backend!.endpoints.map(({ state, isCandidate }) => [state, isCandidate])).toEqual([['unready', false]]);
      const after = new Set<string>();
      while (after.size < 2) after.add(await who());
      expect([...after].sort()).toEqual(['cart', 'spare']);
    });
  },
);
