/**
 * `npm run bench`: Weft beside others doing the same job, in one run, as ratios.
 *
 * Usage: npm run bench -- [--case NAME] [--rounds N] [--seconds N] [-o table|json]
 *
 * All proxies of a set share core 0; wrk and the backend share core 1. Rounds alternate between the sets, so that a machine
 * whose speed drifts drifts for both; figures are medians. CPU time is user and system of all processes of a set.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ACCESS } from './access.ts';
import { HANDSHAKE } from './handshake.ts';
import { cpuSeconds, freePorts, rssMb, WRK_REPORT, wrk } from './machine.ts';
import { MEMORY } from './memory.ts';
import { MINT } from './mint.ts';
import { startBackend, startNginx } from './nginx.ts';
import type { OwnCase, OwnResult } from './own-case.ts';
import type { Proxies } from './proxies.ts';
import { startWeft, WEFT_BACKEND } from './weft.ts';

/** Of one set of proxies in one case. `reqPerSec` is at saturation; per core means per second of their CPU time. */
interface Figures {
  readonly reqPerSec: number;
  readonly reqPerCpuSecond: number;
  readonly cpuUsPerRequest: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly rssMb: number;
  readonly failed: number;
}

interface CaseResult {
  readonly name: string;
  readonly concurrency: number;
  readonly proxies: { readonly weft: Figures; readonly nginx: Figures };
  /** Weft's CPU time per request over nginx's: below 1, Weft is cheaper. */
  readonly ratioCpu: number;
  /** Weft's requests per second over nginx's, both at saturation of one core: above 1, Weft is faster. */
  readonly ratioReqPerSec: number;
}

/** Weft beside others. */
const CASES = [{ name: 'two-hops-mtls', concurrency: 32 }] as const;
/** Parts of Weft by themselves. */
const OWN_CASES: readonly OwnCase[] = [ACCESS, HANDSHAKE, MEMORY, MINT];
const WARM_UP_SECONDS = 2;

const { values } = parseArgs({
  options: {
    case: { type: 'string' },
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '5' },
    output: { type: 'string', short: 'o', default: 'table' },
  },
});
const directory = mkdtempSync(join(tmpdir(), 'weft-bench-'));
try {
  checkName();
  const cases = await run();
  const own = await runOwn();
  if (values.output === 'json') {
    const flat = own.map(({ name, figures }) => ({ name, ...figures }));
    console.log(JSON.stringify({ cases: [...cases, ...flat] }, undefined, 2));
  } else {
    printTable(cases);
    for (const { lines } of own) console.log(lines.join('\n'));
  }
} finally {
  rmSync(directory, { recursive: true, force: true });
}

function checkName(): void {
  const names = [...CASES, ...OWN_CASES].map(({ name }) => name);
  if (values.case !== undefined && !names.some((name) => name === values.case))
    throw new Error(`--case ${values.case}: one of ${names.join(', ')}`);
}

function isChosen({ name }: { readonly name: string }): boolean {
  return values.case === undefined || values.case === name;
}

async function runOwn(): Promise<(OwnResult & { readonly name: string })[]> {
  const results: (OwnResult & { readonly name: string })[] = [];
  const rounds = Number(values.rounds);
  for (const own of OWN_CASES.filter(isChosen)) results.push({ name: own.name, ...(await own.measure({ rounds })) });
  return results;
}

async function run(): Promise<CaseResult[]> {
  const chosen = CASES.filter(isChosen);
  if (chosen.length === 0) return [];
  const script = join(directory, 'report.lua');
  writeFileSync(script, WRK_REPORT);
  const [entry, between, backendPort] = (await freePorts(3)) as [number, number, number];
  await using _nginxBackend = await startBackend(join(directory, 'backend-nginx'), '127.0.0.1', backendPort);
  await using _weftBackend = await startBackend(
    join(directory, 'backend-weft'),
    WEFT_BACKEND.address,
    WEFT_BACKEND.port,
  );
  const ports = { entry, between, backend: backendPort };
  await using nginx = await startNginx({ directory, certificates: makeCertificates(), ports });
  await using weft = await startWeft(join(directory, 'weft'));
  return chosen.map((benchCase) => measure(benchCase, { weft, nginx }, script));
}

function measure(
  { name, concurrency }: (typeof CASES)[number],
  sets: { weft: Proxies; nginx: Proxies },
  script: string,
): CaseResult {
  const seconds = Number(values.seconds);
  const rounds = { weft: [] as Figures[], nginx: [] as Figures[] };
  for (const set of ['weft', 'nginx'] as const)
    wrk(sets[set].url, { connections: concurrency, seconds: WARM_UP_SECONDS, script });
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const set of ['weft', 'nginx'] as const)
      rounds[set].push(measureOnce(sets[set], { connections: concurrency, seconds, script }));
  }
  const weft = medians(rounds.weft);
  const nginx = medians(rounds.nginx);
  return {
    name,
    concurrency,
    proxies: { weft, nginx },
    ratioCpu: weft.cpuUsPerRequest / nginx.cpuUsPerRequest,
    ratioReqPerSec: weft.reqPerSec / nginx.reqPerSec,
  };
}

function measureOnce({ url, pids }: Proxies, load: { connections: number; seconds: number; script: string }): Figures {
  const before = cpuSeconds(pids);
  const { requests, seconds, failed, p50Ms, p99Ms, p999Ms } = wrk(url, load);
  const cpu = cpuSeconds(pids) - before;
  return {
    reqPerSec: requests / seconds,
    reqPerCpuSecond: requests / cpu,
    cpuUsPerRequest: (cpu * 1e6) / requests,
    p50Ms,
    p99Ms,
    p999Ms,
    rssMb: rssMb(pids),
    failed,
  };
}

function medians(rounds: readonly Figures[]): Figures {
  const median = (of: (figures: Figures) => number): number =>
    rounds.map(of).sort((a, b) => a - b)[Math.floor(rounds.length / 2)]!;
  return {
    reqPerSec: median((figures) => figures.reqPerSec),
    reqPerCpuSecond: median((figures) => figures.reqPerCpuSecond),
    cpuUsPerRequest: median((figures) => figures.cpuUsPerRequest),
    p50Ms: median((figures) => figures.p50Ms),
    p99Ms: median((figures) => figures.p99Ms),
    p999Ms: median((figures) => figures.p999Ms),
    rssMb: median((figures) => figures.rssMb),
    failed: Math.max(...rounds.map((figures) => figures.failed)),
  };
}

/** ECDSA P-256, as Weft's are: root, issuer, and a leaf with the host name that nginx checks. */
function makeCertificates(): { chain: string; key: string; roots: string } {
  const home = join(directory, 'certificates');
  mkdirSync(home);
  const openssl = (...args: string[]) =>
    execFileSync('openssl', args, { cwd: home, stdio: ['ignore', 'ignore', 'pipe'] });
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1'];
  openssl('req', '-x509', ...newKey, '-keyout', 'root.key', '-out', 'root.crt', '-subj', '/CN=root');
  const signed = [
    '-CA',
    'root.crt',
    '-CAkey',
    'root.key',
    '-subj',
    '/CN=bench.weft',
    '-addext',
    'subjectAltName=DNS:bench.weft',
  ];
  openssl(
    'req',
    '-x509',
    ...newKey,
    '-keyout',
    'leaf.key',
    '-out',
    'leaf.crt',
    ...signed,
    '-addext',
    'basicConstraints=CA:FALSE',
  );
  return { chain: join(home, 'leaf.crt'), key: join(home, 'leaf.key'), roots: join(home, 'root.crt') };
}

function printTable(cases: readonly CaseResult[]): void {
  for (const { name, concurrency, proxies, ratioCpu, ratioReqPerSec } of cases) {
    console.log(`${name}, ${concurrency} connections`);
    for (const [set, figures] of Object.entries(proxies)) {
      const cells = [
        set.padEnd(8),
        `${Math.round(figures.reqPerSec)} req/s`.padStart(14),
        `${Math.round(figures.reqPerCpuSecond)} req per CPU second`.padStart(26),
        `${figures.cpuUsPerRequest.toFixed(1)} us CPU a request`.padStart(24),
        `p50 ${figures.p50Ms.toFixed(2)} ms`.padStart(14),
        `p99 ${figures.p99Ms.toFixed(2)} ms`.padStart(14),
        `${figures.rssMb.toFixed(0)} MB`.padStart(8),
        `${figures.failed} failed`.padStart(10),
      ];
      console.log(`  ${cells.join('')}`);
    }
    console.log(
      `  weft / nginx: ${(1 / ratioCpu).toFixed(2)} x the requests per core of proxy CPU, ${ratioCpu.toFixed(2)} x the CPU a request, ${ratioReqPerSec.toFixed(2)} x the req/s`,
    );
  }
}
