/** The catalog of two real agents: what runs and what is called appears by itself, and a catalog-info.yaml says the rest. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import type { CatalogDetail, CatalogRow } from '../../agent/catalog/rows.ts';
import type { LabPod } from '../../agent/lab/lab.ts';
import { HTTP_PORTS, type LabAgent, MeshLab } from '../../agent/lab/mesh-lab.ts';
import { labObstacle } from '../../agent/lab/support.ts';
import type { Coverage } from '../../agent/mesh-query/shapes.ts';
import { type Said, weftAt } from './operator.ts';

const obstacle = await labObstacle();
const HTTP_APP = join(import.meta.dirname, 'programs', 'http-app.ts');
const CATALOG_INFO = `apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: Cart
  namespace: shop
  description: What a customer is about to buy
  annotations:
    github.com/project-slug: example/cart
    pagerduty.com/service-id: P123
    backstage.io/techdocs-ref: dir:.
  x-ours: { kept: [1, "two", { three: 3 }] }
spec:
  type: service
  lifecycle: production
  owner: team-cart
  dependsOn: [component:shop/stock]
---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: { name: ghost, namespace: shop }
spec: { type: service, lifecycle: experimental, owner: team-cart }
---
apiVersion: backstage.io/v1alpha1
kind: Group
metadata: { name: team-cart, namespace: shop }
spec: { type: team, children: [] }
`;

const GROUPS = '/v1/catalog/entities?filter=kind=group';

interface Listed {
  readonly services: readonly CatalogRow[];
  readonly coverage: Coverage;
}

describe.skipIf(obstacle !== undefined)(`the catalog${obstacle === undefined ? '' : ` (skipped: ${obstacle})`}`, () => {
  let mesh: MeshLab;
  let client: LabPod;
  let agents: LabAgent[];

  beforeAll(async () => {
    mesh = await MeshLab.create({ name: 'cat', nodes: 2 });
    client = await mesh.addPod(mesh.lab.node(1), { name: 'client' });
    const cart = await mesh.addPod(mesh.lab.node(2), { name: 'cart', ports: HTTP_PORTS, version: 'v7' });
    await mesh.serve(cart, HTTP_APP, 8080, 'cart');
    agents = await mesh.startAgents();
    await mesh.untilRouted(agents, ['cart']);
  });
  afterAll(() => mesh?.close());

  const weft = (agent: LabAgent, ...argv: readonly string[]): Promise<Said> => weftAt(mesh, agent, ...argv);

  async function row(agent: LabAgent, id: string): Promise<CatalogRow | undefined> {
    const listed = await agent.read<Listed>('/v1/catalog/services');
    return listed?.services?.find((service) => service.id === id);
  }

  async function detail(agent: LabAgent, id: string): Promise<CatalogDetail> {
    return (await agent.read<{ service: CatalogDetail }>(`/v1/catalog/service?id=${id}`))!.service;
  }

  test('services appear by themselves within five seconds, on the node that they are not on too', async () => {
    const startedMs = performance.now();
    for (const agent of agents) {
      await agent.until('cart', async () => (await row(agent, 'shop/cart'))?.endpointsReady === 1);
      await agent.until('client', async () => (await row(agent, 'shop/client')) !== undefined, { lookMs: 200 });
    }
    expect(performance.now() - startedMs).toBeLessThan(5_000);
    expect(await row(agents[0]!, 'shop/cart')).toMatchObject({ tab: 'seen', versions: ['v7'], owner: null });
  });

  test('who calls whom is known on both sides, counted once', async () => {
    for (let i = 0; i < 20; i++)
      expect(await mesh.curl(client, 'http://cart.shop.weft/who')).toMatchObject({ code: 0 });
    for (const agent of agents) {
      await agent.until('the relation', async () => (await detail(agent, 'shop/cart')).callers[0]?.count === 20, {
        lookMs: 200,
      });
      const [caller] = (await detail(agent, 'shop/cart')).callers;
      expect(caller).toMatchObject({ service: 'shop/client', protocol: 'http', hops: 1, tls: 'mutual' });
      expect((await detail(agent, 'shop/client')).calls).toMatchObject([{ service: 'shop/cart', count: 20 }]);
    }
  });

  test('routes are listed as they are called, with methods, statuses and consumers', async () => {
    for (const path of ['/item/1001', '/item/2002', '/item/3003'])
      await mesh.curl(client, `http://cart.shop.weft${path}`);
    const [agent] = agents as [LabAgent];
    const templated = async () => (await detail(agent, 'shop/cart')).routes.find(({ count }) => count === 3);
    await agent.until('routes', async () => (await templated()) !== undefined, { lookMs: 200 });
    const { routes } = await detail(agent, 'shop/cart');
    expect(routes.find(({ template }) => template === '/who')).toMatchObject({
      method: 'GET',
      count: 20,
      statuses: { 200: 20 },
      consumers: ['shop/client'],
    });
    expect(await templated()).toMatchObject({ method: 'GET', consumers: ['shop/client'] });
  });

  test('the language is told on the other node, with who says so', async () => {
    const [agent] = agents as [LabAgent];
    const isTold = async () => (await row(agent, 'shop/cart'))?.language != null;
    await agent.until('a language', isTold, { lookMs: 500 });
    const node = agents[1]!.node.name;
    expect((await detail(agent, 'shop/cart')).facts).toContainEqual(
      expect.objectContaining({
        key: 'language',
        value: expect.stringMatching(/^Node/),
        source: 'observed',
        by: `process of ${node}, executable`,
      }),
    );
  });

  test('a catalog-info.yaml of Backstage says who owns what, and comes back as it was written', async () => {
    const file = join(mesh.directory, 'catalog-info.yaml');
    writeFileSync(file, CATALOG_INFO);
    expect(await weft(agents[0]!, 'apply', '-f', file)).toMatchObject({ code: 0, err: '' });
    const other = agents[1]!;
    for (const agent of agents) {
      await agent.until('the owner', async () => (await row(agent, 'shop/cart'))?.owner === 'team-cart');
      await agent.until('the ghost', async () => (await row(agent, 'shop/ghost')) !== undefined);
      await agent.until('the group', async () => (await agent.read<object[]>(GROUPS))?.length === 1);
    }
    expect(await row(other, 'shop/cart')).toMatchObject({ tab: 'seen' });
    expect(await row(other, 'shop/ghost')).toMatchObject({ tab: 'silent', owner: 'team-cart' });
    const cart = await detail(other, 'shop/cart');
    expect(cart.declaredUnused).toEqual(['shop/stock']);
    expect(cart.facts).toContainEqual(
      expect.objectContaining({ key: 'repository', value: 'https://github.com/example/cart', source: 'declared' }),
    );
    const { out } = await weft(other, 'get', 'component', 'cart', '-n', 'shop', '-o', 'json');
    const { metadata, ...rest } = JSON.parse(out);
    const { revision: _revision, ...written } = metadata;
    expect({ ...rest, metadata: written }).toEqual(parseAllDocuments(CATALOG_INFO)[0]!.toJS());
  });

  test('what Backstage asks for by name has what was written, and relations of traffic', async () => {
    const path = '/v1/catalog/entities/by-name/component/shop/cart';
    const entity = await agents[0]!.read<{ metadata: object; relations: object[] }>(path);
    expect(entity!.metadata).toMatchObject({ name: 'Cart', 'x-ours': { kept: [1, 'two', { three: 3 }] } });
    expect(entity!.relations).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ type: 'ownedBy', targetRef: 'group:shop/team-cart' }),
        expect.objectContaining({ type: 'dependencyOf', targetRef: 'component:shop/client' }),
      ]),
    );
    const groups = await agents[1]!.read<object[]>(GROUPS);
    expect(groups).toMatchObject([{ kind: 'Group', metadata: { name: 'team-cart' } }]);
  });

  test('the table, one service, the scorecard and the export print', async () => {
    const [agent] = agents as [LabAgent];
    expect((await weft(agent, 'catalog')).out).toMatch(/shop\/cart +seen +team-cart/);
    expect((await weft(agent, 'catalog', 'shop/cart')).out).toMatch(
      /description +What a customer is about to buy +declared/,
    );
    expect((await weft(agent, 'catalog', 'scorecard')).out).toMatch(
      /shop\/cart +team-cart +At least 2 endpoints are ready/,
    );
    const { out } = await weft(agent, 'catalog', 'export');
    const names = parseAllDocuments(out).map(
      (document) => `${document.get('kind')} ${document.getIn(['metadata', 'name'])}`,
    );
    expect(names).toEqual(['Component Cart', 'Component client', 'Component ghost', 'Group team-cart']);
    const asJson = await weft(agent, 'catalog', 'export', '-o', 'json');
    expect(JSON.parse(asJson.out)).toHaveLength(4);
  });

  test('an agent that starts again knows since when', { timeout: 120_000 }, async () => {
    const [, agent] = agents as [LabAgent, LabAgent];
    const before = (await row(agent, 'shop/cart'))!.firstSeenMs!;
    await agent.close();
    expect(existsSync(join(agent.home, 'data', 'catalog.json'))).toBe(true);
    const again = await mesh.startAgent(agent.node);
    await again.until('cart', async () => (await row(again, 'shop/cart'))?.endpointsReady === 1);
    expect((await row(again, 'shop/cart'))!.firstSeenMs).toBe(before);
    expect((await detail(again, 'shop/cart')).callers[0]?.count).toBe(23);
  });
});
