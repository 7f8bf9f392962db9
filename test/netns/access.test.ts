/** Access policy on three real agents: what an operator applies on one node decides on another, and any third explains it. */
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { ExplainView } from '../../agent/access/views.ts';
import type { LabPod } from '../../agent/lab/lab.ts';
import { HTTP_PORTS, type LabAgent, MeshLab } from '../../agent/lab/mesh-lab.ts';
import { labObstacle } from '../../agent/lab/support.ts';
import { publish, type Said, untilApplied, weftAt } from './operator.ts';

const obstacle = await labObstacle();
const [HTTP_APP, GREETER, DIALOGUE] = ['http-app', 'greeter', 'dialogue'].map((name) =>
  join(import.meta.dirname, 'programs', `${name}.ts`),
) as [string, string, string];

describe.skipIf(obstacle !== undefined)(
  `access on three agents${obstacle === undefined ? '' : ` (skipped: ${obstacle})`}`,
  () => {
    let mesh: MeshLab;
    let agents: [LabAgent, LabAgent, LabAgent];
    let client: LabPod;
    let server: LabPod;
    /** What the test in progress has published. */
    const published = new Set<string>();

    beforeAll(async () => {
      mesh = await MeshLab.create({ name: 'access', nodes: 3 });
      const [n1, n2] = [mesh.lab.node(1), mesh.lab.node(2)];
      client = await mesh.addPod(n1, { name: 'client' });
      server = await mesh.addPod(n2, {
        name: 'web',
        ports: HTTP_PORTS,
      });
      const greeter = await mesh.addPod(n2, { name: 'greeter', ports: [{ name: 'smtp', port: 2525 }] });
      await mesh.serve(server, HTTP_APP, 8080, 'web');
      await mesh.serve(greeter, GREETER, 2525);
      agents = (await mesh.startAgents()) as typeof agents;
      await mesh.untilAlive(agents);
      await mesh.untilRouted(agents, ['greeter', 'web']);
    });
    afterEach(async () => {
      for (const key of published) await weft(agents[0], 'delete', ...key.split(' '));
      published.clear();
      await untilAnswer(200);
    });
    afterAll(() => mesh?.close());

    const weft = (agent: LabAgent, ...argv: readonly string[]): Promise<Said> => weftAt(mesh, agent, ...argv);

    /** Resolves when all three have it in use. */
    async function apply(document: { kind: string; metadata: object; spec: object }, key: string): Promise<string> {
      published.add(key);
      const written = { apiVersion: 'weft.dev/v1alpha1', ...document };
      const { revisions, warnings } = await publish(mesh, agents[0], written);
      expect(warnings).toBe('');
      await untilApplied(mesh, agents[0], revisions[0]!, 3);
      return revisions[0]!;
    }

    function applyPolicy(name: string, spec: object): Promise<string> {
      const metadata = { name, namespace: 'shop' };
      return apply({ kind: 'AccessPolicy', metadata, spec }, `AccessPolicy ${name} -n shop`);
    }

    function applyMesh(spec: object): Promise<string> {
      return apply({ kind: 'MeshConfig', metadata: { name: 'default' }, spec }, 'MeshConfig default');
    }

    /** Status and head of GET /who in the client's pod. */
    async function get(path = '/who'): Promise<{ status: number; head: string }> {
      const { body } = await mesh.curl(client, '-i', `http://web.shop.weft${path}`);
      return { status: Number(/^HTTP\/1\.1 (\d+)/.exec(body)?.[1]), head: body.split('\r\n\r\n')[0]! };
    }

    function untilAnswer(status: number, path = '/who'): Promise<void> {
      return agents[0].until(`an answer ${status}`, async () => (await get(path)).status === status);
    }

    async function explain(agent: LabAgent, ...argv: readonly string[]): Promise<{ code: number; view: ExplainView }> {
      const { code, out, err } = await weft(agent, 'explain', ...argv, '-o', 'json');
      expect(err).toBe('');
      return { code, view: JSON.parse(out) };
    }

    test('a deny is a 403 that names its rule, any node explains it, undo lets the caller in again', async () => {
      const [n1, , n3] = agents;
      const from = [{ identities: ['ns/shop/sa/client'] }];
      const rules = [{ name: 'who', from, to: [{ methods: ['GET'], paths: ['/who'] }] }];
      const revision = await applyPolicy('no-client', { action: 'DENY', target: { services: ['web'] }, rules });
      await untilAnswer(403);
      const { head } = await get();
      expect(head).toMatch(/^weft-reason: access-denied\r?$/m);
      expect(head).toMatch(/^weft-policy: shop\/no-client\/who\r?$/m);
      expect(head).toMatch(/^weft-node: /m);
      expect((await get('/other')).status).toBe(200);

      const asked = ['--from', 'ns/shop/sa/client', '--to', 'shop/web:80'];
      const denied = await explain(n3, 'GET', '/who', ...asked);
      expect(denied).toMatchObject({ code: 5, view: { outcome: 'denied' } });
      expect(denied.view.answers[0]!.decidedBy).toMatchObject({
        policy: 'shop/no-client',
        rule: 'who',
        action: 'DENY',
      });
      expect(denied.view.answers[0]!.decidedBy!.revision.slice(0, 12)).toBe(revision);
      expect((await weft(n3, 'explain', 'GET', '/who', ...asked)).out).toContain(
        `DENIED: DENY by AccessPolicy shop/no-client, rule who, revision ${revision}`,
      );
      expect((await explain(n3, 'GET', '/other', ...asked)).code).toBe(0);
      expect(agents[1].log()).toContain('"policy":"shop/no-client","rule":"who"');

      expect((await weft(n1, 'undo', 'AccessPolicy', 'no-client', '-n', 'shop')).code).toBe(0);
      published.clear();
      await untilAnswer(200);
      const trail = async (): Promise<{ event: string; via?: string }[]> =>
        JSON.parse((await weft(n3, 'audit', '--kind', 'AccessPolicy', '-o', 'json')).out);
      await n3.until('the end of it in the trail', async () => (await trail()).at(-1)?.event === 'removed');
      expect((await trail()).map(({ event, via = '' }) => [event, via])).toEqual([
        ['accepted', 'peer'],
        ['applied', ''],
        ['accepted', 'peer'],
        ['removed', ''],
      ]);
    });

    test('where the mesh denies by default, an ALLOW opens one door', async () => {
      const [, n2, n3] = agents;
      await applyMesh({ access: { default: 'deny' } });
      await untilAnswer(403);
      const asked = ['GET', '/who', '--from', 'ns/shop/sa/client', '--to', 'shop/web'];
      expect((await explain(n3, ...asked)).view.answers[0]).toMatchObject({ outcome: 'denied', cause: 'default' });
      const rules = [{ from: [{ identities: ['ns/shop/sa/client'] }], to: [{ paths: ['/who'] }] }];
      await applyPolicy('open', { target: { services: ['web'] }, rules });
      await untilAnswer(200);
      expect((await get('/other')).status).toBe(403);
      expect((await explain(n2, ...asked)).code).toBe(0);
      expect((await explain(n2, 'GET', '/other', ...asked.slice(2))).view.answers[0]).toMatchObject({
        cause: 'no-allow',
      });
    });

    test('opaque bytes are cut: those that are open when a deny comes, and those that come after', async () => {
      const talk = (...words: string[]) =>
        mesh.ask<{ received: string; error?: string }>(client, DIALOGUE, 'greeter.shop.weft', 2525, ...words);
      expect((await talk('ready', 'hello')).received).toContain('221 got 5 bytes');
      const open = talk('ready', 'hello', 'never', 'said');
      await agents[0].until('an open connection', async () => (await connections(agents[1])) > 0);
      await applyPolicy('no-smtp', { action: 'DENY', target: { services: ['greeter'] }, rules: [{ name: 'all' }] });
      expect((await open).received).not.toContain('221');
      const later = await talk('ready', 'hello', 'never', 'said');
      expect(later).toMatchObject({ received: '', error: 'ECONNRESET' });
      const { view } = await explain(agents[2], '--from', 'ns/shop/sa/client', '--to', 'greeter:2525');
      expect(view.answers[0]).toMatchObject({ outcome: 'denied', decidedBy: { policy: 'shop/no-smtp', rule: 'all' } });
    });

    test('a dry run refuses nobody, and counts whom it would', async () => {
      const [, n2, n3] = agents;
      const rules = [{ name: 'all', to: [{ paths: ['/try*'] }] }];
      await applyPolicy('trial', { action: 'DENY', dryRun: true, target: { services: ['web'] }, rules });
      const hits = async (): Promise<number> => {
        const { out } = await weft(n2, 'get', 'accesspolicy', '-o', 'wide');
        return Number(/shop\/trial +all +DENY, dry run +(\d+)/.exec(out)?.[1] ?? -1);
      };
      await n2.until('the policy', async () => (await hits()) === 0);
      await n2.until('a hit', async () => {
        expect((await get('/try/1')).status).toBe(200);
        return (await hits()) > 0;
      });
      const { view } = await explain(n3, 'GET', '/try/1', '--from', 'ns/shop/sa/client', '--to', 'shop/web');
      expect(view.outcome).toBe('allowed');
      expect(view.answers[0]!.policies).toMatchObject([
        { policy: 'shop/trial', isDryRun: true, rules: [{ outcome: 'holds' }] },
      ]);
    });

    test('a permissive port lets plaintext in until its end, and no longer', async () => {
      const [, n2, n3] = agents;
      const outsider = mesh.lab.node(1);
      const asOutsider = async (): Promise<number> =>
        (await mesh.curl(outsider, '--max-time', '2', `http://${server.address4}:8080/who`)).code ?? -1;
      const asked = ['GET', '/who', '--from', outsider.address4, '--to', 'shop/web'];
      expect(await asOutsider()).not.toBe(0);
      expect((await explain(n3, ...asked)).view.answers[0]).toMatchObject({ outcome: 'denied', cause: 'strict' });

      const until = new Date(Date.now() + 8_000).toISOString();
      const permissive = [{ namespace: 'shop', service: 'web', port: 8080, until }];
      await applyMesh({ mtls: { permissive } });
      await n2.until('plaintext let in', async () => (await asOutsider()) === 0);
      expect((await explain(n3, ...asked)).code).toBe(0);
      const { out } = await weft(n2, 'get', 'AccessPolicy', '-o', 'wide');
      expect(out).toMatch(/PLAINTEXT INTO +UNTIL +FROM/);
      expect(out).toContain(`shop/web:8080`);
      await n2.until('plaintext refused', async () => Date.now() > Date.parse(until) && (await asOutsider()) !== 0);
      expect((await explain(n3, ...asked)).view.answers[0]).toMatchObject({ cause: 'strict' });
    });

    /** Open TCP connections into workloads of a node. */
    async function connections(agent: LabAgent): Promise<number> {
      const text = await agent.metrics();
      const lines = text.matchAll(
        /^weft_proxy_connections_active\{[^}]*direction="inbound"[^}]*greeter[^}]*\} (\d+)/gm,
      );
      return [...lines].reduce((sum, [, count]) => sum + Number(count), 0);
    }
  },
);
