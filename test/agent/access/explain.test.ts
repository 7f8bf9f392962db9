/** weft explain against an admin server: both ends in every spelling, the verdict, why, and the exit code. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ExplainWorld } from '../../../agent/access/explain.ts';
import { type Port, resolveCaller, resolveDestination } from '../../../agent/access/resolve.ts';
import type { AccessView } from '../../../agent/access/views.ts';
import { accessRoutes } from '../../../agent/admin/access-routes.ts';
import { AdminServer } from '../../../agent/admin/admin-server.ts';
import { accessUseText } from '../../../agent/cli/access-view.ts';
import { runCli } from '../../../agent/cli/cli.ts';
import { call } from '../../../agent/cli/client.ts';
import { accessPolicyKind, type CompiledAccessPolicy } from '../../../agent/documents/access-policy.ts';
import type { AccessRules } from '../../../proxy/access/policy.ts';
import type { AccessStats } from '../../../proxy/telemetry/stats-reader.ts';
import { sources } from '../admin/fixtures.ts';

const NOW_MS = Date.parse('2026-03-02T12:00:00Z');
const ID = (name: string, namespace = 'shop') => `spiffe://prod.example/ns/${namespace}/sa/${name}`;

function port(node: string, service: string, changes: Partial<Port> = {}): Port {
  const { namespace = 'shop', workload = `${service}-1` } = changes;
  return {
    id: `${node}/${namespace}/${workload}/http`,
    namespace,
    service,
    workload,
    identity: ID(service, namespace),
    address: `10.0.${node.slice(1)}.${service.length}`,
    labels: {},
    port: 8080,
    servicePort: 80,
    protocol: 'http',
    ...changes,
  };
}

const PORTS = [
  port('n1', 'web'),
  port('n1', 'cart'),
  port('n2', 'cart', { workload: 'cart-2', labels: { track: 'canary' } }),
  port('n2', 'kv', { protocol: 'tcp', port: 6379, servicePort: 6379 }),
  port('n2', 'cart', { namespace: 'bank', workload: 'till' }),
];
const JOB = {
  namespace: 'shop',
  service: 'job',
  workload: 'job-7',
  identity: ID('job'),
  address: '10.0.1.9',
  labels: {},
};
const REGISTER = {
  trustDomain: 'prod.example',
  ports: PORTS,
  local: [JOB],
  services: [{ namespace: 'shop', service: 'cart', vips: ['240.0.0.7', 'fd00::7'] }],
};

const RULES: AccessRules = {
  policies: [
    compiled('no-web', {
      action: 'DENY',
      target: { services: ['cart'] },
      rules: [{ name: 'writes', from: [{ identities: ['ns/shop/sa/web'] }], to: [{ methods: ['POST'] }] }],
    }),
    compiled('try', { action: 'DENY', dryRun: true, target: { services: ['cart'] }, rules: [{ name: 'all' }] }),
    compiled('kv', {
      target: { services: ['kv'] },
      rules: [{ name: 'cart', from: [{ identities: ['ns/shop/sa/cart'] }] }],
    }),
  ],
  defaultAction: 'ALLOW',
  permissive: [{ namespace: 'shop', service: 'web', port: 8080, untilMs: NOW_MS + 1 }],
};

function compiled(name: string, spec: object) {
  const metadata = { name, namespace: 'shop' };
  const result = accessPolicyKind.compile({
    apiVersion: 'weft.dev/v1alpha1',
    kind: 'AccessPolicy',
    metadata,
    spec,
  } as never);
  if (!result.ok) throw new Error(result.problem);
  return { ...(result.value as CompiledAccessPolicy), revision: '0123456789abcdef0123456789abcdef' };
}

const COUNTED = { policy: 'shop/try', rule: 'all', action: 'DENY', isDryRun: true } as const;
const STATS: readonly AccessStats[] = [
  { labels: { kind: 'rule', ...COUNTED }, count: 7, lastMs: NOW_MS - 60_000 },
  { labels: { kind: 'rule', ...COUNTED, isDryRun: false }, count: 1_000, lastMs: NOW_MS }, // when it was in earnest
  { labels: { kind: 'rule', policy: '', rule: 'default', action: 'ALLOW', isDryRun: false }, count: 3, lastMs: NOW_MS },
  { labels: { kind: 'plaintext', source: '192.0.2.1', destination: 'shop/web', port: 8080 }, count: 2, lastMs: NOW_MS },
];

let world: ExplainWorld;
let directory: string;
let server: AdminServer;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'weft-explain-'));
  const socket = join(directory, 'agent.sock');
  const routes = [accessRoutes({ world: () => world, stats: () => STATS })];
  server = await AdminServer.start({
    socket,
    listen: '127.0.0.1:0',
    sources: sources(),
    routes,
    log: pino({ level: 'silent' }),
  });
});
afterAll(async () => {
  await server?.close();
  rmSync(directory, { recursive: true, force: true });
});
beforeEach(() => {
  world = { node: 'n3', register: REGISTER, rules: RULES, clockSkewMs: undefined, nowMs: NOW_MS };
});

async function explain(...argv: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  let out = '';
  let err = '';
  const code = await runCli(['explain', ...argv, '-s', server.socket], {
    stdout: { write: (text) => (out += text) },
    stderr: { write: (text) => (err += text) },
    env: {},
    signal: new AbortController().signal,
    nowMs: () => NOW_MS,
  });
  return { code, out, err };
}

describe('an answer', () => {
  test('names the rule and revision that denies, and what keeps the others from deciding', async () => {
    const { code, out } = await explain('POST', '/items', '--from', 'shop/web', '--to', 'n1/shop/cart-1/http');
    expect([code, out]).toEqual([
      5,
      `from  spiffe://prod.example/ns/shop/sa/web at 10.0.1.3
to    shop/cart:80/http (n1/shop/cart-1/http, port 8080 there)
DENIED: DENY by AccessPolicy shop/no-web, rule writes, revision 0123456789ab, because of this request
POLICY       RULE    ACTION         REVISION      HERE          WHY NOT
shop/kv      -       ALLOW          0123456789ab  not about it  target.services
shop/no-web  writes  DENY           0123456789ab  decides       -
shop/try     all     DENY, dry run  0123456789ab  holds         dry run: it counts, and decides nothing
`,
    ]);
  });

  test('is 0 for a call that is let in, by the default here', async () => {
    const { code, out } = await explain('GET', '/items', '--from', 'shop/web', '--to', 'n1/shop/cart-1/http');
    expect(code).toBe(0);
    expect(out).toContain('ALLOWED: no rule is about it; the default of MeshConfig (spec.access.default) decides\n');
    expect(out).toMatch(/shop\/no-web +writes +DENY +\w+ +does not hold +to\[0\]\.methods\n/);
  });

  test('without a request says that it depends on it', async () => {
    const { code, out } = await explain('--from', 'shop/web', '--to', 'n1/shop/cart-1/http');
    expect([code, out]).toEqual([
      5,
      expect.stringContaining('DEPENDS: on the request: ask again with METHOD and PATH'),
    ]);
  });

  test('sees no requests where bytes are opaque, and says so', async () => {
    const { code, out } = await explain('GET', '/', '--from', 'shop/web', '--to', 'kv');
    expect(code).toBe(5);
    expect(out).toContain('DENIED: an ALLOW is about this destination, and no rule of any lets this call in\n');
    expect(out).toContain('note  this port is declared as tcp');
    expect((await explain('--from', 'shop/cart', '--to', 'kv')).code).toBe(0);
  });

  test('for plaintext from outside is STRICT, but for ports that are open until later', async () => {
    const { code, out } = await explain('GET', '/', '--from', '192.0.2.1', '--to', 'shop/kv');
    expect(code).toBe(5);
    expect(out).toContain('from  outside the mesh at 192.0.2.1 (no workload of the mesh has this address');
    expect(out).toContain('DENIED: plaintext from outside the mesh, and this port is STRICT');
    expect((await explain('GET', '/', '--from', '192.0.2.1', '--to', 'shop/web')).code).toBe(0);
    world = { ...world, nowMs: NOW_MS + 1 };
    expect((await explain('GET', '/', '--from', '192.0.2.1', '--to', 'shop/web')).code).toBe(5);
  });

  test('differs where workloads of one service do, and shows each', async () => {
    const canary = compiled('canary', {
      action: 'DENY',
      target: { labels: { track: 'canary' } },
      rules: [{ name: 'all' }],
    });
    world = { ...world, rules: { ...RULES, policies: [canary] } };
    const { code, out } = await explain('GET', '/', '--from', 'shop/web', '--to', 'shop/cart', '-o', 'json');
    expect(code).toBe(5);
    const { outcome, answers } = JSON.parse(out);
    expect(outcome).toBe('differs');
    expect(answers.map((one: { outcome: string; cause: string }) => [one.outcome, one.cause])).toEqual([
      ['allowed', 'default'],
      ['denied', 'deny'],
    ]);
  });

  test('says that the clock is off, where it is', async () => {
    world = { ...world, clockSkewMs: -6_500 };
    expect((await explain('--from', 'shop/web', '--to', 'kv')).out).toContain('the clock of this node is 6.5 s off');
  });

  test('goes by host and headers when they are given', async () => {
    const to = [{ hosts: ['admin.example'], headers: [{ name: 'x-beta', values: ['on'] }] }];
    world = {
      ...world,
      rules: { ...RULES, policies: [compiled('beta', { action: 'DENY', rules: [{ name: 'beta', to }] })] },
    };
    const ask = (...more: string[]) => explain('GET', '/', '--from', 'shop/web', '--to', 'shop/cart', ...more);
    expect((await ask('--host', 'admin.example', '--header', 'X-Beta=on')).code).toBe(5);
    expect((await ask('--host', 'admin.example', '--header', 'X-Beta=off')).code).toBe(0);
    expect((await ask('--header', 'X-Beta=on')).code).toBe(0);
  });
});

describe('a caller', () => {
  test.each([
    ['spiffe://prod.example/ns/shop/sa/web', ID('web'), '10.0.1.3'],
    ['ns/shop/sa/web', ID('web'), '10.0.1.3'],
    ['shop/web', ID('web'), '10.0.1.3'],
    ['web', ID('web'), '10.0.1.3'],
    ['web-1', ID('web'), '10.0.1.3'],
    ['web.shop.weft', ID('web'), '10.0.1.3'],
    ['10.0.1.3', ID('web'), '10.0.1.3'],
    ['shop/cart', ID('cart'), undefined], // two pods
    ['job-7', ID('job'), '10.0.1.9'], // without a port
    ['shop/ghost', ID('ghost'), undefined],
    ['192.0.2.1', undefined, '192.0.2.1'],
  ])('%s is %s at %s', (text, identity, address) => {
    expect(resolveCaller(text, REGISTER)).toMatchObject({ ok: true, value: { identity, address } });
  });

  test('that may be several, or that nobody knows, is asked for again', () => {
    const twice = `cart may be ${ID('cart', 'bank')} or ${ID('cart')}; name one of these`;
    expect(resolveCaller('cart', REGISTER)).toEqual({ ok: false, problem: twice });
    const unknown = 'nothing in the mesh is called wep; did you mean web?';
    expect(resolveCaller('wep', REGISTER)).toEqual({ ok: false, problem: unknown });
  });
});

describe('a destination', () => {
  test.each([
    ['shop/cart', ['n1/shop/cart-1/http', 'n2/shop/cart-2/http']],
    ['cart', ['n1/shop/cart-1/http', 'n2/shop/cart-2/http']], // of the caller's namespace
    ['cart:80', ['n1/shop/cart-1/http', 'n2/shop/cart-2/http']],
    ['cart:8080', ['n1/shop/cart-1/http', 'n2/shop/cart-2/http']], // where it listens
    ['bank/cart', ['n2/bank/till/http']],
    ['cart.bank.weft:80', ['n2/bank/till/http']],
    ['cart-2', ['n2/shop/cart-2/http']],
    ['n2/shop/cart-2/http', ['n2/shop/cart-2/http']],
    ['240.0.0.7:80', ['n1/shop/cart-1/http', 'n2/shop/cart-2/http']],
    ['[fd00::7]:80', ['n1/shop/cart-1/http', 'n2/shop/cart-2/http']],
    ['10.0.2.2:6379', ['n2/shop/kv-1/http']],
    ['10.0.2.2', ['n2/shop/kv-1/http']],
  ])('%s is %j', (text, ids) => {
    const resolved = resolveDestination(text, REGISTER, 'shop');
    expect(resolved.ok && resolved.value.map(({ id }) => id)).toEqual(ids);
  });

  test.each([
    ['cart:81', 'cart has no port 81; it has 80'],
    ['crat', 'nothing in the mesh is called crat; did you mean cart?'],
    ['192.0.2.1:80', 'no workload of the mesh has the address 192.0.2.1'],
  ])('%s is none: %s', (text, problem) => {
    expect(resolveDestination(text, REGISTER, 'shop')).toEqual({ ok: false, problem });
  });

  test('without a namespace to be near to may be several', () => {
    const problem = 'cart may be bank/cart or shop/cart; name one of these';
    expect(resolveDestination('cart', REGISTER, '')).toEqual({ ok: false, problem });
  });
});

test('a mistake in the question is said, and exits with 1', async () => {
  expect(await explain('GET', '/', '--from', 'wep', '--to', 'cart')).toMatchObject({
    code: 1,
    err: expect.stringContaining('from: nothing in the mesh is called wep; did you mean web?'),
  });
  expect(await explain('GET', '/', '--from', 'web', '--to', 'kv', '--header', 'x')).toMatchObject({
    code: 1,
    err: expect.stringContaining('header: write NAME=VALUE'),
  });
});

test('the use of rules counts what they did as they are now, and who calls in plaintext', async () => {
  const view = await call<AccessView>({ kind: 'socket', path: server.socket }, { method: 'GET', path: '/v1/access' });
  expect(accessUseText(view, NOW_MS)).toBe(`POLICY       RULE                 ACTION         HITS ON n3  LAST
shop/kv      cart                 ALLOW          0           never
shop/no-web  writes               DENY           0           never
shop/try     all                  DENY, dry run  7           1m ago
-            default of the mesh  ALLOW          3           0s ago

PLAINTEXT INTO  UNTIL                     FROM       CONNECTIONS  LAST
shop/web:8080   2026-03-02T12:00:00.001Z  192.0.2.1  2            0s ago
`);
});
