/**
 * What access rules cost: a thousand policies about one destination, with callers and requests that each meet some of them.
 * Every decision is timed by itself, after as many to warm up.
 * @module
 */
import { AccessRuleset } from '../../proxy/access/compile.ts';
import { type AccessDestination, accessTo } from '../../proxy/access/destination.ts';
import { explain } from '../../proxy/access/explain.ts';
import { peerOf } from '../../proxy/access/peer.ts';
import type { AccessOperation, AccessPolicy, AccessSource } from '../../proxy/access/policy.ts';
import { HeadRequest } from '../../proxy/access/request.ts';
import type { Head } from '../../proxy/http1/grammar/head.ts';
import { HeadParser } from '../../proxy/http1/grammar/head-parser.ts';
import type { OwnCase } from './own-case.ts';

/** One kind of decision. */
interface Part {
  readonly name: string;
  readonly decisions: number;
  /** Of one decision. */
  readonly medianUs: number;
  readonly p99Us: number;
}

const POLICIES = 1_000;
const DESTINATION: AccessDestination = { namespace: 'shop', service: 'cart', labels: {}, port: 8_080 };
const NOBODY: AccessSource = {
  identities: [],
  notIdentities: [],
  namespaces: [],
  notNamespaces: [],
  cidrs: [],
  notCidrs: [],
  labels: {},
};
const ANYTHING: AccessOperation = {
  ports: [],
  notPorts: [],
  methods: [],
  notMethods: [],
  paths: [],
  notPaths: [],
  hosts: [],
  notHosts: [],
  headers: [],
};

export const ACCESS: OwnCase = {
  name: 'access',
  measure: () => {
    const parts = measure();
    const lines = parts.map(
      ({ name, medianUs, p99Us }) =>
        `access, ${POLICIES} policies, ${name}: median ${medianUs.toFixed(2)} us, p99 ${p99Us.toFixed(2)} us`,
    );
    return Promise.resolve({ figures: { policies: POLICIES, parts }, lines });
  },
};

function measure(): readonly Part[] {
  const byCaller = (i: number): Partial<AccessSource> =>
    [
      { identities: [`ns/n${i}/sa/web`] },
      { identities: [`spiffe://bench.example/ns/n${i}/*`] },
      { identities: [`*/sa/s${i}`] },
      { namespaces: [`n${i}`] },
      { cidrs: [`10.${i % 256}.${i >> 8}.0/24`] },
    ][i % 5]!;
  const byRequest = (i: number): Partial<AccessOperation> =>
    [
      { paths: [`/v1/item${i}`] },
      { paths: [`/v1/items${i}/*`], methods: ['GET'] },
      { paths: [`*/file${i}.html`] },
      { hosts: [`h${i}.shop.weft`] },
    ][i % 4]!;
  const connections = policies((i) => ({ from: [{ ...NOBODY, ...byCaller(i) }], to: [] }));
  const requests = policies((i) => ({ from: [], to: [{ ...ANYTHING, ...byRequest(i) }] }));
  const paths = Array.from(
    { length: POLICIES },
    (_, i) => [`/v1/items${i}/7`, `/v1/item${i}`, `/static/file${i}.html`][i % 3]!,
  );
  return [
    connection('connection', connections),
    connection('connection of anybody', requests),
    request('request', requests, paths),
    request(
      'request with tricks',
      requests,
      paths.map((path) => `/a/..//b/%2e%2e${path}`),
    ),
    request('request settled before', connections, paths),
    explanation('explain', requests, paths),
  ];
}

/** Every other one lets in, every other one refuses. */
function policies(
  rule: (i: number) => { readonly from: AccessSource[]; readonly to: AccessOperation[] },
): AccessRuleset {
  const list = Array.from(
    { length: POLICIES },
    (_, i): AccessPolicy => ({
      id: `shop/p${i}`,
      revision: '1',
      action: i % 2 === 0 ? 'ALLOW' : 'DENY',
      isDryRun: false,
      target: { namespace: 'shop', services: ['cart'], labels: {} },
      rules: [{ name: 'rule', when: [], ...rule(i) }],
    }),
  );
  return new AccessRuleset({ policies: list, defaultAction: 'ALLOW', permissive: [] });
}

/** One of a thousand workloads, each at an address of its own. */
function caller(i: number) {
  const n = i % POLICIES;
  return { identity: `spiffe://bench.example/ns/n${n}/sa/web`, address: `10.${n % 256}.${n >> 8}.9`, labels: [] };
}

/** What a connection costs when it is made: from its identity and address to what is left of the rules. */
function connection(name: string, ruleset: AccessRuleset): Part {
  const access = accessTo(DESTINATION, ruleset.at(0))!;
  return timed(name, 20_000, (i) => access.caller(peerOf(caller(i))).opaque.isAllowed);
}

/** What a request costs on a connection that is open, head already parsed. */
function request(name: string, ruleset: AccessRuleset, paths: readonly string[]): Part {
  const access = accessTo(DESTINATION, ruleset.at(0))!.caller(peerOf(caller(0)));
  const heads = paths.map((path) => parsed(`GET ${path}?q=1 HTTP/1.1\r\nHost: cart.shop.weft\r\nAccept: */*\r\n\r\n`));
  const seen = new HeadRequest('cart.shop.weft:8080');
  return timed(name, 20_000, (i) => (access.constant ?? access.judge(seen.of(heads[i % heads.length]!))).isAllowed);
}

function explanation(name: string, ruleset: AccessRuleset, paths: readonly string[]): Part {
  const inForce = ruleset.at(0);
  return timed(name, 200, (i) => {
    const asked = { method: 'GET', path: paths[i % paths.length]!, host: 'cart', headers: [] };
    const query = { caller: caller(i), destination: DESTINATION, request: asked, nowMs: 0 };
    return explain(inForce, query).outcome === 'allowed';
  });
}

function timed(name: string, decisions: number, decide: (i: number) => boolean): Part {
  let allowed = 0;
  for (let i = 0; i < decisions; i++) if (decide(i)) allowed++;
  const us = new Float64Array(decisions);
  for (let i = 0; i < decisions; i++) {
    const start = process.hrtime.bigint();
    if (decide(i)) allowed++;
    us[i] = Number(process.hrtime.bigint() - start) / 1_000;
  }
  us.sort();
  if (allowed < 0) throw new Error('unreachable: keeps the decisions from being optimized away');
  return {
    name,
    decisions,
    medianUs: us[decisions >> 1]!,
    p99Us: us[Math.floor(decisions * 0.99)]!,
  };
}

function parsed(text: string): Head {
  const bytes = Buffer.from(text, 'latin1');
  const parser = new HeadParser('request', { maxHeadBytes: 4_096, maxFields: 16 });
  if (parser.parse(bytes, 0, bytes.length) !== bytes.length) throw new Error(`not a request: ${text}`);
  return parser.head;
}
