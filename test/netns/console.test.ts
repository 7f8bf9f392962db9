/** The console of two real agents under traffic: every route has the shape it says, documents are signed as in a browser, streams tell what changes. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import type { z } from 'zod';
import { type Frame, frame } from '../../agent/console/live/frames.ts';
import { applyPatch, type Json } from '../../agent/console/live/patch.ts';
import * as common from '../../agent/console/shapes/common.ts';
import { session } from '../../agent/console/shapes/common.ts';
import { edgeDetail, explained } from '../../agent/console/shapes/edge.ts';
import * as mesh from '../../agent/console/shapes/mesh.ts';
import { serviceDetail, services } from '../../agent/console/shapes/services.ts';
import { topology } from '../../agent/console/shapes/topology.ts';
import { readOperatorKey, signDeletion, signDocument } from '../../agent/console/signing.ts';
import { labObstacle } from '../../agent/lab/support.ts';
import { TrafficGround } from './traffic-ground.ts';

const obstacle = await labObstacle();
const ROUTE = `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: cart, namespace: shop }
spec:
  parentRefs: [{ group: "", kind: Service, name: cart, port: 80 }]
  rules:
    - name: all
      retry: { attempts: 2, codes: [503] }
      backendRefs: [{ name: cart, port: 80 }]
`;

const OBJECTIVE = `apiVersion: weft.dev/v1alpha1
kind: ServiceLevelObjective
metadata: { name: flaky, namespace: shop }
spec:
  service: flaky
  targetPercent: 99
  indicator: { latency: { thresholdMs: 250 } }
`;

const DENY = `apiVersion: weft.dev/v1alpha1
kind: AccessPolicy
metadata: { name: no-client, namespace: shop }
spec:
  target: { services: [cart] }
  action: DENY
  rules: [{ from: [{ identities: [ns/shop/sa/client] }] }]
`;

describe.skipIf(obstacle !== undefined)(
  `the console on real agents${obstacle === undefined ? '' : ` (skipped: ${obstacle})`}`,
  () => {
    let ground: TrafficGround;

    beforeAll(async () => {
      ground = await TrafficGround.create('consol', { console: { loopback: 'all' } });
      await ground.add(ground.mesh.lab.node(2), 'cart', 'cart');
      await ground.add(ground.mesh.lab.node(2), 'flaky', 'flaky', { status: 500 });
      await ground.mesh.untilRouted(ground.agents, ['cart', 'flaky']);
      await calls('cart', 40);
      await calls('flaky', 40);
      await ground.agents[0]!.until('figures of the calls', async () => {
        const { edges } = await get('/topology?rangeMs=60000', topology);
        const arrived = (await get('/identities?rangeMs=60000', mesh.identities)).edges; // the other node's count
        return arrived.length === 2 && edges.filter(({ requestsPerSec }) => (requestsPerSec ?? 0) > 0).length === 2;
      });
    }, 90_000);
    afterAll(() => ground?.[Symbol.asyncDispose]());

    async function calls(service: string, count: number): Promise<void> {
      await ground.mesh.curl(ground.client, '-o', '/dev/null', `http://${service}.shop.weft/v1/items/[1-${count}]`);
    }

    async function curl(...args: readonly string[]): Promise<string> {
      const argv = ['curl', '--silent', '--show-error', '--max-time', '8', ...args];
      return (await ground.mesh.lab.exec(ground.agents[0]!.node.namespace, argv)).stdout;
    }

    const url = (path: string): string => `http://127.0.0.1:15000/api/v1${path}`;

    async function get<T>(path: string, shape: z.ZodType<T>): Promise<T> {
      const parsed = shape.safeParse(JSON.parse(await curl(url(path))));
      if (!parsed.success) throw new Error(`${path}: ${JSON.stringify(parsed.error.issues.slice(0, 5))}`);
      return parsed.data;
    }

    async function flaky(): Promise<{ readonly health: string; readonly cause: string }> {
      const { nodes } = await get('/topology?rangeMs=900000', topology);
      return nodes.find(({ id }) => id === 'shop/flaky')!;
    }

    async function send(path: string, body: unknown, method = 'POST'): Promise<{ status: number; body: unknown }> {
      const { csrf } = await get('/session', session);
      const file = join(ground.mesh.directory, 'body.json');
      writeFileSync(file, JSON.stringify(body));
      const headers = ['-H', 'content-type: application/json', '-H', `x-weft-csrf: ${csrf}`];
      const text = await curl('-X', method, ...headers, '-w', '\n%{http_code}', '-d', `@${file}`, url(path));
      const at = text.lastIndexOf('\n');
      return { status: Number(text.slice(at)), body: JSON.parse(text.slice(0, at)) };
    }

    test('the graph says who calls whom, and what fails', async () => {
      const { nodes, edges, problems, coverage } = await get('/topology?rangeMs=60000', topology);
      const named = (i: number): string => nodes[i]!.id;
      expect(edges.map(({ from, to, tls }) => [named(from), named(to), tls])).toEqual([
        ['shop/client', 'shop/cart', 'mutual'],
        ['shop/client', 'shop/flaky', 'mutual'],
      ]);
      const flaky = nodes.find(({ id }) => id === 'shop/flaky')!;
      expect([flaky.health, flaky.appFailedRatio, flaky.endpointsReady]).toEqual(['bad', 1, 1]);
      expect(problems.map(({ service, health }) => [service, health])).toEqual([['shop/flaky', 'bad']]);
      expect(coverage).toEqual({ asked: 2, answered: 2, missing: [] });
    });

    test.each(['workload', 'version', 'node'])('so does the graph by %s', async (view) => {
      const { nodes, edges } = await get(`/topology?view=${view}&rangeMs=60000`, topology);
      expect(nodes.length).toBeGreaterThan(1);
      expect(edges.length).toBeGreaterThan(0);
      for (const { requestsPerSec, tls } of edges) expect([requestsPerSec! > 0, tls]).toEqual([true, 'mutual']);
    });

    test('a service says who calls it, and which of its routes', async () => {
      const detail = await get('/services/shop/cart?rangeMs=60000&stepMs=10000', serviceDetail);
      expect(detail.callers.map(({ service, hops }) => [service, hops])).toEqual([['shop/client', 1]]);
      expect(detail.now.p99Ms).toBeGreaterThan(0);
      expect(detail.endpoints.map(({ workload, state }) => [workload, state])).toEqual([['cart', 'ready']]);
      expect(detail.series.requestsPerSec.some((rate) => (rate ?? 0) > 0)).toBe(true);
      expect(Object.keys(detail.statuses)).toEqual(['2xx']);
      expect(detail.statuses['2xx']).toEqual(detail.series.requestsPerSec);
      expect(detail.routes[0]).toMatchObject({ template: '/v1/items/{id}', lastSeenMs: expect.any(Number) });
      const list = await get('/services?rangeMs=60000', services);
      expect(list.services.map(({ id }) => id)).toEqual(['shop/cart', 'shop/client', 'shop/flaky']);
      expect(JSON.parse(await curl(url('/services/shop/nobody')))).toHaveProperty('error');
    });

    test('an edge says how requests ended', async () => {
      const edge = await get('/edges/shop/client/shop/flaky?rangeMs=60000', edgeDetail);
      expect(edge.outcomes.reduce((all, { count }) => all + count, 0)).toBeGreaterThanOrEqual(40);
      expect(edge.now.appFailedRatio).toBe(1);
    });

    test('members, identities, documents and names have their shape', async () => {
      const { members } = await get('/members', mesh.members);
      expect(members.map(({ state, workloads, health }) => [state, workloads, health])).toEqual([
        ['alive', 1, 'ok'],
        ['alive', 2, 'ok'],
      ]);
      const other = await get(`/members/${ground.agents[1]!.node.name}`, mesh.memberDetail);
      expect(other.workloads.map(({ service }) => service).sort()).toEqual(['shop/cart', 'shop/flaky']);
      const { identities, edges } = await get('/identities?rangeMs=60000', mesh.identities);
      expect(identities.length).toBeGreaterThanOrEqual(3);
      expect(edges.map(({ tls }) => tls)).toEqual(['mutual', 'mutual']);
      await get('/documents', mesh.documents);
      const { entries } = await get('/index', mesh.nameIndex);
      expect(entries.filter(({ kind }) => kind === 'route').map(({ name }) => name)).toEqual([
        'GET /v1/items/{id} of shop/cart',
        'GET /v1/items/{id} of shop/flaky',
      ]);
      expect(new Set(entries.map(({ kind }) => kind))).toEqual(new Set(['service', 'route', 'node', 'identity']));
    });

    test('a dry run on the command line counts whose requests of the last hour would end differently, as a review does', async () => {
      const file = join(ground.mesh.directory, 'deny.yaml');
      writeFileSync(file, DENY);
      const told = JSON.parse(await ground.weft('apply', '-f', file, '--dry-run', '-o', 'json'));
      const { affected, affectedCoverage } = mesh.documentCheck.parse(
        (await send('/documents/check', { yaml: DENY })).body,
      );
      const [one] = affected;
      expect(one).toMatchObject({ service: 'shop/client', to: 'shop/cart', changed: 40, unknown: 0 });
      expect(told).toEqual([
        expect.objectContaining({
          ...{ kind: 'AccessPolicy', namespace: 'shop', name: 'no-client', outcome: 'would be created' },
          impact: { counted: 80, affected, coverage: affectedCoverage },
        }),
      ]);
      expect(await ground.weft('apply', '-f', file, '--dry-run')).toContain(
        `    shop/client  shop/cart  40        40         0          ${one!.how[0]}\n`,
      );
    });

    test('what a browser signs is published, and a second time refused', async () => {
      const trust = join(ground.mesh.directory, 'trust');
      const pem = (file: string): string => readFileSync(join(trust, file), 'utf8');
      const operator = await readOperatorKey(pem('operator.key'), pem('operator.crt'));
      const broken = await send('/documents/check', { yaml: ROUTE.replace('attempts: 2', 'attempts: many') });
      expect(mesh.documentCheck.parse(broken.body).problems[0]).toMatchObject({ severity: 'error', line: 8 });
      const check = mesh.documentCheck.parse((await send('/documents/check', { yaml: ROUTE })).body);
      expect([check.problems.filter(({ severity }) => severity === 'error'), check.present]).toEqual([[], null]);
      const revision = await signDocument(operator, check);
      expect((await send('/documents', { revision: { ...revision, name: 'other' } })).status).toBe(422);
      expect(await send('/documents', { revision, isDryRun: true })).toMatchObject({ status: 200 });
      expect(await send('/documents', { revision })).toMatchObject({ status: 200, body: { outcome: 'written' } });
      await ground.agents[0]!.until('the route on both nodes', async () => {
        const { documents } = await get('/documents', mesh.documents);
        return documents[0]?.nodesApplied === 2;
      });
      const detail = await get('/documents/HTTPRoute/shop/cart', mesh.documentDetail);
      expect(detail.yaml).toContain('name: cart');
      const again = mesh.documentCheck.parse((await send('/documents/check', { yaml: ROUTE })).body);
      expect(again.present?.rev).toBe(detail.document.rev);
      const late = await send('/documents', { revision: await signDocument(operator, check) });
      expect([200, 409]).toContain(late.status); // the very same revision is known; one signed a moment later is not
    });

    test('a call is explained in nine steps, the route with its document', async () => {
      const question = { from: 'shop/client', to: 'shop/cart', port: 80, method: 'GET', path: '/v1', headers: [] };
      await ground.agents[0]!.until('the same documents on both nodes', async () => {
        const { body } = await send('/explain', question);
        return explained.parse(body).agreement.every(({ isSame }) => isSame === true);
      });
      const { steps, verdict, command } = explained.parse((await send('/explain', question)).body);
      expect(verdict).toBe('allowed');
      expect(steps.map(({ step }) => step)).toHaveLength(9);
      expect(steps[1]!.lines[0]!.from).toMatchObject({ kind: 'HTTPRoute', namespace: 'shop', name: 'cart' });
      const detail = await get('/documents/HTTPRoute/shop/cart', mesh.documentDetail);
      const before = { ...question, atMs: detail.document.signedMs - 1 };
      const then = explained.parse((await send('/explain', before)).body);
      expect([then.steps[1]!.lines[0]!.text, then.lacking]).toEqual(['no route is about it', []]);
      expect(then.agreement.every(({ isSame }) => isSame === null)).toBe(true);
      const since = explained.parse((await send('/explain', { ...question, atMs: detail.document.signedMs })).body);
      expect(since.steps[1]).toEqual(steps[1]);
      expect(command).toBe('weft explain --from shop/client --to shop/cart:80 GET /v1');
    });

    test('a service in trouble is one event, though both nodes watch', async () => {
      await ground.agents[0]!.until('an event of the trouble', async () => {
        const { events } = await get('/events?kind=health', common.events);
        return events.some(({ title }) => title === 'shop/flaky is bad');
      });
      const { events, coverage } = await get('/events?kind=health', common.events);
      expect(events.filter(({ touches }) => touches.includes('shop/flaky'))).toMatchObject([
        { kind: 'health', title: 'shop/flaky is bad', detail: expect.stringContaining('failed 100 % of') },
      ]);
      expect(coverage.answered).toBe(2);
    });

    test('a declared objective takes the place of the proposed one, and decides its health', async () => {
      const page = (): Promise<z.infer<typeof serviceDetail>> => get('/services/shop/flaky', serviceDetail);
      const before = await page();
      expect(before.objective).toMatchObject({ isProposed: true, targetRatio: 0.999, source: null });
      expect(before.rules.find(({ id }) => id === 'slo')).toMatchObject({ isMet: false });
      const trust = join(ground.mesh.directory, 'trust');
      const pem = (file: string): string => readFileSync(join(trust, file), 'utf8');
      const operator = await readOperatorKey(pem('operator.key'), pem('operator.crt'));
      const check = mesh.documentCheck.parse((await send('/documents/check', { yaml: OBJECTIVE })).body);
      expect(check.problems).toEqual([]);
      const revision = await signDocument(operator, check);
      expect(await send('/documents', { revision })).toMatchObject({ status: 200, body: { outcome: 'written' } });
      await ground.agents[0]!.until('the objective', async () => (await page()).objective?.isProposed === false);
      await ground.agents[0]!.until('the objective to be judged by', async () =>
        (await flaky()).cause.includes('budget'),
      );
      const { objective, rules, health, cause } = { ...(await page()), ...(await flaky()) };
      expect(objective).toMatchObject({ targetRatio: 0.99, latencyMs: 250, source: { name: 'flaky' } });
      expect(rules.find(({ id }) => id === 'slo')).toMatchObject({ isMet: true });
      expect([health, cause]).toEqual([
        'bad',
        expect.stringMatching(/^uses its error budget 100 times too fast over 5 min/),
      ]);
    });

    test('events, traces, access logs and the catalog are told, and what is asked wrongly is named', async () => {
      const { events: told } = await get('/events?limit=5', common.events);
      expect(told.length).toBeGreaterThan(0);
      const { traces } = await get('/traces?q=service:flaky&limit=3&rangeMs=600000', mesh.traces);
      expect(traces.map(({ status }) => status)).toEqual([500, 500, 500]);
      const { spans } = await get(`/traces/${traces[0]!.traceId}`, mesh.trace);
      expect(spans.map(({ service }) => service)).toContain('shop/flaky');
      const { logs } = await get('/logs?q=to:flaky%20direction:inbound&limit=3&rangeMs=600000', mesh.logs);
      expect(logs.map(({ node }) => node)).toEqual(Array(3).fill(ground.agents[1]!.node.name));
      const yaml = await curl('-w', '\n%{content_type}', url('/catalog.yaml'));
      expect(yaml).toMatch(/kind: Component.*name: cart.*text\/plain/s);
      const wrong = { '/events?kind=x': 'kind: x: use', '/events?fromMs=x': 'fromMs: x', '/traces?q=x:y': 'q: x:y' };
      for (const [path, problem] of Object.entries({
        ...wrong,
        '/traces/x': 'id: x is no id',
        '/logs?limit=0': 'limit: 0',
      }))
        expect(JSON.parse(await curl(url(path))).error).toContain(problem);
    });

    test('a review says how many requests of the last hour would end differently, and a document whose calls it is about', async () => {
      const shut = { from: [{ identities: ['ns/shop/sa/nobody'] }] };
      const policy = (rules: object[]) => ({
        apiVersion: 'weft.dev/v1alpha1',
        kind: 'AccessPolicy',
        metadata: { name: 'cart', namespace: 'shop' },
        spec: { action: 'ALLOW', target: { services: ['cart'] }, rules },
      });
      const checked = mesh.documentCheck.parse(
        (await send('/documents/check', { yaml: stringify(policy([{ name: 'nobody', ...shut }])) })).body,
      );
      const [only, ...others] = checked.affected;
      expect([only, others, checked.affectedCoverage]).toMatchObject([
        { service: 'shop/client', to: 'shop/cart', unknown: 0, how: ['denied, status 403: no rule lets it in'] },
        [],
        { asked: 2, answered: 2, missing: [] },
      ]);
      expect([only!.requests, only!.changed]).toEqual([40, 40]);
      const gone = ROUTE.replace('- name: all', '- matches: [{ path: { value: /v2 } }]\n      name: all');
      const routed = mesh.documentCheck.parse((await send('/documents/check', { yaml: gone })).body).affected[0];
      expect(routed).toMatchObject({ requests: 40, changed: 40, how: ['status 404: no rule of the routes takes it'] });
      const about = (kind: string, spec: object): string =>
        stringify({
          apiVersion: 'weft.dev/v1alpha1',
          kind,
          metadata: { name: 'flaky', namespace: 'shop' },
          spec: { target: { services: ['flaky'] }, ...spec },
        });
      const affected = async (yaml: string) =>
        mesh.documentCheck.parse((await send('/documents/check', { yaml })).body).affected[0]!;
      const fault = await affected(about('FaultInjection', { abort: { status: 503, percent: 25 } }));
      expect([fault.changed, fault.unknown, fault.how]).toEqual([10, 0, ['status 503 by the fault']]);
      const limit = await affected(about('RateLimit', { per: 'caller', requestsPerSecond: 1 }));
      expect(limit.changed).toBeGreaterThanOrEqual(40 - 2 * 11); // they came in two steps of 10 s at most
      expect(limit.how).toEqual(['status 429: over the limit']);
      const timeouts = await affected(about('TrafficPolicy', { timeouts: { request: '1s' } }));
      expect([timeouts.requests, timeouts.changed, timeouts.unknown]).toEqual([40, null, 40]);
      await ground.apply(policy([{ name: 'client', from: [{ identities: ['ns/shop/sa/client'] }] }]));
      await calls('cart', 10);
      await ground.agents[0]!.until('hits of the rule', async () => {
        const { edges } = await get('/identities?rangeMs=60000', mesh.identities);
        const edge = edges.find(({ to }) => to === 'shop/cart');
        return edge?.rule === 'shop/cart client' && edge.document?.rev !== null && (edge.ruleHits ?? 0) >= 10;
      });
      const { documents } = await get('/documents', mesh.documents);
      expect(documents.map(({ kind, callers }) => [kind, callers])).toEqual([
        ['AccessPolicy', ['shop/client']],
        ['HTTPRoute', ['shop/client']],
        ['ServiceLevelObjective', []],
      ]);
    });

    test('routes are held against the OpenAPI document of the API that a component provides', async () => {
      const entity = (kind: string, name: string, spec: object) => {
        const owned = { lifecycle: 'production', owner: 'team', ...spec };
        return { apiVersion: 'backstage.io/v1alpha1', kind, metadata: { name, namespace: 'shop' }, spec: owned };
      };
      const definition = 'openapi: 3.1.0\npaths: { /v1/orders: { post: {} } }\n';
      await ground.apply(
        entity('Component', 'cart', { type: 'service', providesApis: ['cart-api'] }),
        entity('API', 'cart-api', { type: 'openapi', definition }),
      );
      await ground.agents[0]!.until('the drift', async () => {
        const { api, rules } = await get('/services/shop/cart?rangeMs=60000', serviceDetail);
        const names = api?.undeclared.map(({ method, template }) => `${method} ${template}`);
        const rule = rules.find(({ id }) => id === 'openapi');
        return (
          names?.join() === 'GET /v1/items/{id}' && api?.unused[0]?.template === '/v1/orders' && rule?.isMet === false
        );
      });
      expect(await ground.weft('catalog', 'shop/cart')).toMatch(
        /Held against API shop\/cart-api\ncalled and not in it: GET \/v1\/items\/\{id\} .*\nin it and not called: POST \/v1\/orders/,
      );
    });

    test('a stream tells what changes, and what it tells comes to what a GET answers', async () => {
      const file = join(ground.mesh.directory, 'stream');
      writeFileSync(file, '');
      const argv = ['curl', '--silent', '--no-buffer', '--output', file, url('/stream')];
      const child = ground.mesh.lab.spawn(ground.agents[0]!.node.namespace, argv);
      const frames = (): Frame[] =>
        [...readFileSync(file, 'utf8').matchAll(/^data: (.*)\n\n/gm)].map(([, text]) => frame.parse(JSON.parse(text!)));
      const agent = ground.agents[0]!;
      await agent.until('hello', async () => frames().length > 0);
      const [hello] = frames();
      if (hello?.kind !== 'hello') throw new Error('no hello');
      const topic = '/members';
      expect((await send(`/stream/${hello.streamId}/topics`, { topics: [topic] }, 'PUT')).status).toBe(200);
      await agent.until('a patch', async () => frames().some(({ kind }) => kind === 'patch'));
      child.kill();
      let state: Json = null;
      let seq = 0;
      for (const one of frames()) {
        if (one.kind === 'snapshot') state = one.data as Json;
        if (one.kind === 'patch') {
          expect(one.base).toBe(seq);
          state = applyPatch(state, one.patch);
        }
        if (one.kind === 'snapshot' || one.kind === 'patch') seq = one.seq;
      }
      expect(mesh.members.parse(state).members).toHaveLength(2);
    });

    test('a deletion is signed in the browser: of the document that is shown, by who may, once', async () => {
      const trust = join(ground.mesh.directory, 'trust');
      const pem = (file: string): string => readFileSync(join(trust, file), 'utf8');
      const operator = await readOperatorKey(pem('operator.key'), pem('operator.crt'));
      const deletes = { kind: 'HTTPRoute', namespace: 'shop', name: 'cart' };
      expect((await send('/documents/check', { deletes: { ...deletes, kind: 3 } })).status).toBe(400);
      const ask = async () => mesh.documentCheck.parse((await send('/documents/check', { deletes })).body);
      const check = await ask();
      expect([check.problems, check.isDeletion, check.toSign]).toEqual([[], true, null]);
      expect(check.present?.yaml).toContain('attempts: 2');
      expect(check.affected.map(({ service }) => service)).toEqual(['shop/client']);
      const other = { ...deletes, name: 'other' };
      await expect(signDeletion(operator, check, other)).rejects.toThrow('gave another document to delete');
      const revision = await signDeletion(operator, check, deletes);
      for (const forged of [
        { ...revision, name: 'other' },
        { ...revision, base: '', number: 1 },
      ])
        expect((await send('/documents', { revision: forged })).status).toBe(422);
      expect(await send('/documents', { revision })).toMatchObject({ status: 200, body: { outcome: 'written' } });
      await ground.agents[0]!.until('the route deleted on both nodes', async () => {
        const { document } = await get('/documents/HTTPRoute/shop/cart', mesh.documentDetail);
        return document.state === 'deleted' && document.nodesApplied === 2;
      });
      const gone = await ask();
      expect([gone.present, gone.problems[0]?.message]).toEqual([null, 'there is no HTTPRoute shop/cart in force']);
      await expect(signDeletion(operator, gone, deletes)).rejects.toThrow('it cannot be deleted');
    });
  },
);
