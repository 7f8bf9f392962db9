/**
 * `npm run bench`: Weft beside others doing the same job, in one run, as ratios.
 *
 * Usage: npm run bench -- [--case NAME] [--rounds N] [--seconds N] [--minutes N] [--quick] [-o table|json]
 *
 * All proxies of a set share core 0; load generator and backend share core 1. docs/performance.md explains the cases.
 */
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ACCESS } from './access.ts';
import { CASES, FILES, isNamed } from './cases.ts';
import { makeCertificates } from './certificates.ts';
import { type CaseResult, compare } from './compare.ts';
import { GRPC } from './grpc.ts';
import { HANDSHAKE } from './handshake.ts';
import { startHaproxy } from './haproxy.ts';
import { IDLE_CONNECTIONS } from './idle-connections.ts';
import { LIMITS } from './limits.ts';
import { WRK_REPORT } from './load/load.ts';
import { accepting, LOAD_CORE, pinned, together } from './machine.ts';
import { MEMORY } from './memory.ts';
import { MINT } from './mint.ts';
import { startBackend, startNginx } from './nginx.ts';
import type { OwnCase, OwnResult } from './own-case.ts';
import { BACKEND_PORT, SERVER_ADDRESSES } from './routes.ts';
import { ROUTE_TABLE } from './routes-table.ts';
import { SLOW_READER } from './slow-reader.ts';
import { caseLines } from './table.ts';
import { TAP, TELEMETRY } from './telemetry.ts';
import { TRAFFIC } from './traffic.ts';
import { startWeft } from './weft.ts';

/** Parts of Weft by themselves. */
const OWN_CASES: readonly OwnCase[] = [
  ...IDLE_CONNECTIONS,
  ACCESS,
  ...GRPC,
  HANDSHAKE,
  LIMITS,
  MEMORY,
  MINT,
  ROUTE_TABLE,
  SLOW_READER,
  TRAFFIC,
  TELEMETRY,
  TAP,
];

const { values } = parseArgs({
  options: {
    case: { type: 'string' },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '2' },
    minutes: { type: 'string', default: '10' },
    quick: { type: 'boolean', default: false },
    output: { type: 'string', short: 'o', default: 'table' },
  },
});
const rounds = Number(values.rounds);
const seconds = values.quick ? 1 : Number(values.seconds);
/** Of `slow-reader`. */
const minutes = values.quick ? 1 : Number(values.minutes);
const directory = mkdtempSync(join(tmpdir(), 'weft-bench-'));
try {
  checkName();
  const cases = await runCases();
  const own = await runOwn();
  if (values.output === 'json') {
    const flat = own.map(({ name, figures }) => ({ name, ...figures }));
    console.log(JSON.stringify({ cases: [...cases, ...flat] }, undefined, 2));
  }
} finally {
  rmSync(directory, { recursive: true, force: true });
}

function checkName(): void {
  const names = [...CASES, ...OWN_CASES].map(({ name }) => name);
  if (!names.some((name) => isChosen({ name }))) throw new Error(`--case ${values.case}: one of ${names.join(', ')}`);
}

function isChosen({ name }: { readonly name: string }): boolean {
  return values.case === undefined || isNamed(name, values.case);
}

/** One that fails costs its own figures only, and the exit code. */
async function runOwn(): Promise<(OwnResult & { readonly name: string })[]> {
  const results: (OwnResult & { readonly name: string })[] = [];
  for (const { name, measure } of OWN_CASES.filter(isChosen)) {
    const result = await measure({ rounds, minutes }).catch((err: Error): OwnResult => {
      process.exitCode = 1;
      return { figures: { failed: err.message }, lines: [`${name}: failed, ${err.message}`] };
    });
    if (values.output !== 'json') console.log(result.lines.join('\n'));
    results.push({ name, ...result });
  }
  return results;
}

async function runCases(): Promise<CaseResult[]> {
  const chosen = CASES.filter(isChosen);
  if (chosen.length === 0) return [];
  const script = join(directory, 'report.lua');
  writeFileSync(script, WRK_REPORT);
  await using _backend = await startBackend({ directory, root: makeFiles() });
  await using _server = await startServer();
  const certificates = makeCertificates(join(directory, 'certificates'));
  await using nginx = await startNginx({ directory: join(directory, 'nginx'), certificates });
  const haproxyAt = join(directory, 'haproxy');
  await using haproxy = await startHaproxy({ directory: haproxyAt, certificates, protocol: 'http/1.1' });
  await using haproxyH2 = await startHaproxy({ directory: `${haproxyAt}-h2`, certificates, protocol: 'h2' });
  await using weft = await startWeft(join(directory, 'weft'));
  const warmUpSeconds = { weft: values.quick ? 1 : 12, others: Math.min(2, seconds) };
  return chosen.map((benchCase) => {
    const result = compare(benchCase, { weft, nginx, haproxy, haproxyH2 }, { rounds, seconds, warmUpSeconds, script });
    if (values.output !== 'json') console.log(caseLines(result).join('\n'));
    return result;
  });
}

/** What the backend serves; sparse, so they cost no disk. */
function makeFiles(): string {
  const root = join(directory, 'files');
  mkdirSync(root);
  for (const [path, bytes] of Object.entries(FILES)) {
    writeFileSync(join(root, path), '');
    truncateSync(join(root, path), bytes);
  }
  return root;
}

function startServer(): Promise<AsyncDisposable> {
  const argv = [process.execPath, join(import.meta.dirname, 'backend-server.ts')];
  return together(async (own) => {
    own(pinned(LOAD_CORE, argv, join(directory, 'backend-server.log')));
    for (const address of Object.values(SERVER_ADDRESSES)) await accepting(BACKEND_PORT, address);
    return {};
  });
}
