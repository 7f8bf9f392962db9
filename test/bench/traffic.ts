/**
 * What traffic management costs a request of two hops with mutual TLS: services that differ in what documents say of them, each
 * with an entry of its own at the same two agents, asked in turns.
 * @module
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { runCli } from '../../agent/cli/cli.ts';
import type { RevisionStatusView } from '../../agent/documents/views.ts';
import type { OwnCase, OwnResult } from './own-case.ts';
import { BACKEND_PORT, ROUTES, type Route } from './routes.ts';
import { askInTurns, CONNECTIONS, costText, type Ground, onGround, type Way } from './ways.ts';
import { startWeft } from './weft.ts';

const AGENTS = 2;
const RULES = 20;

/** A service and what is said of it. */
interface Variant {
  readonly name: string;
  readonly documents: (service: string) => readonly object[];
}

const VARIANTS: readonly Variant[] = [
  { name: 'nothing', documents: () => [] },
  { name: 'route', documents: (service) => [route(service, [{ backendRefs: [backend(service)] }])] },
  { name: `route-${RULES}-rules`, documents: (service) => [route(service, rules(service))] },
  { name: 'limit', documents: (service) => [limit(service)] },
  { name: 'outliers-off', documents: (service) => [policy(service, { outliers: { mode: 'off' } })] },
  {
    name: 'all',
    documents: (service) => [
      route(service, rules(service)),
      limit(service),
      policy(service, { timeouts: { request: '10s', backend: '5s' }, retries: { attempts: 2 } }),
    ],
  },
];

const SERVED: readonly Route[] = VARIANTS.map(({ name }, i) => ({
  name,
  protocol: 'http',
  hops: 2,
  entryPort: 9_010 + i,
  endpoints: [ROUTES.tenEndpoints.endpoints[i]!],
}));

export const TRAFFIC: OwnCase = {
  name: 'traffic',
  measure: ({ rounds }) => onGround('traffic', (ground) => measureOn(ground, rounds)),
};

async function measureOn({ directory, script }: Ground, rounds: number): Promise<OwnResult> {
  const home = join(directory, 'weft');
  await using weft = await startWeft(home, SERVED);
  await publish(home);
  const ways = SERVED.map((route): Way => ({ name: route.name, weft, route }));
  const parts = await askInTurns(ways, { rounds, warmUp: 1, script });
  const lines = parts.map((part) => `traffic, ${part.name}: ${costText(part, 'nothing')}`);
  return { figures: { connections: CONNECTIONS, parts }, lines };
}

/** Publishes what is said of all of them, and waits until both agents have it in use. */
async function publish(home: string): Promise<void> {
  const file = join(home, 'documents.yaml');
  const documents = VARIANTS.flatMap(({ name, documents }) => documents(name));
  writeFileSync(file, documents.map((document) => stringify(document)).join('---\n'));
  const told = await weftCommand(home, 'apply', '-f', file);
  for (const [, revision] of told.matchAll(/revision ([0-9a-f]{12})/g)) {
    const deadlineMs = performance.now() + 20_000;
    for (;;) {
      const status = JSON.parse(await weftCommand(home, 'status', revision!, '-o', 'json')) as RevisionStatusView;
      if (status.applied === AGENTS) break;
      if (performance.now() > deadlineMs) throw new Error(`not in use after 20 s: ${JSON.stringify(status)}`);
      await new Promise((resolve) => setTimeout(resolve, 50)); // the pause between two looks
    }
  }
}

async function weftCommand(home: string, ...argv: readonly string[]): Promise<string> {
  let out = '';
  let err = '';
  const code = await runCli([...argv, '-s', join(home, 'bench-client', 'agent.sock')], {
    stdout: { write: (text) => (out += text) },
    stderr: { write: (text) => (err += text) },
    env: { WEFT_OPERATOR: join(home, 'trust') },
    signal: new AbortController().signal,
    nowMs: () => Date.now(),
  });
  if (code !== 0) throw new Error(`weft ${argv.join(' ')}: ${err}`);
  return out;
}

function rules(service: string): readonly object[] {
  const missed = Array.from({ length: RULES - 1 }, (_, i) => ({
    matches: [{ path: { type: 'PathPrefix', value: `/v1/items${i}` }, headers: [{ name: 'x-canary', value: `${i}` }] }],
    backendRefs: [backend(service)],
  }));
  return [...missed, { backendRefs: [backend(service)] }];
}

function route(service: string, rules: readonly object[]): object {
  return {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'HTTPRoute',
    metadata: { name: service, namespace: 'bench' },
    spec: { parentRefs: [{ group: '', kind: 'Service', name: service, port: BACKEND_PORT }], rules },
  };
}

function backend(name: string): object {
  return { name, port: BACKEND_PORT };
}

/** One that nobody reaches. */
function limit(service: string): object {
  return own('RateLimit', service, { requestsPerSecond: 1_000_000 });
}

function policy(service: string, spec: object): object {
  return own('TrafficPolicy', service, spec);
}

function own(kind: string, service: string, spec: object): object {
  return {
    apiVersion: 'weft.dev/v1alpha1',
    kind,
    metadata: { name: service, namespace: 'bench' },
    spec: { target: { services: [service] }, ...spec },
  };
}
