/** What this machine must offer: a kernel that captures, nft to ask it with, the rights to ask, a sane clock. @module */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { messageOf, systemCode } from '../errors.ts';
import { type CheckResult, fail, ok, warn } from './report.ts';

/** Redirecting in tables of family inet came with Linux 5.2. */
const MIN_KERNEL = [5, 2] as const;

/** @param release as uname tells it, such as `6.1.0-28-amd64` */
export function checkKernel(platform: string, release: string): CheckResult {
  const name = 'kernel';
  const wanted = `Linux ${MIN_KERNEL.join('.')} or newer`;
  if (platform !== 'linux') {
    return fail(name, `${platform} ${release}`, `capture needs ${wanted}; elsewhere set capture.mode to none`);
  }
  const [major = 0, minor = 0] = release.split(/[.-]/).map(Number);
  const isNewEnough = major > MIN_KERNEL[0] || (major === MIN_KERNEL[0] && minor >= MIN_KERNEL[1]);
  return isNewEnough
    ? ok(name, release)
    : fail(name, release, `capture needs ${wanted}; upgrade, or set capture.mode to none`);
}

/** The kind of rules that capture makes, checked by the kernel and not applied. */
const TRIAL_RULES = `add table inet weft_check
add chain inet weft_check out { type nat hook output priority -100; }
add rule inet weft_check out meta l4proto tcp redirect to :15001
`;

const NFT_TIMEOUT_MS = 10_000;
/** nft lives where the PATH of an ordinary login does not look. */
const SYSTEM_PATH = '/usr/sbin:/sbin:/usr/local/sbin';

export async function checkNft(program = 'nft'): Promise<CheckResult> {
  const name = 'nft';
  const env = { PATH: `${process.env.PATH ?? '/usr/bin:/bin'}:${SYSTEM_PATH}`, LC_ALL: 'C' };
  try {
    const version = await run(program, ['--version'], { env });
    await run(program, ['-c', '-f', '-'], { env, input: TRIAL_RULES });
    return ok(name, version.trim());
  } catch (err) {
    if (systemCode(err) === 'ENOENT') {
      return fail(name, `${program} is not installed`, 'install nftables (apt install nftables, dnf install nftables)');
    }
    const said = messageOf(err);
    return said.includes('Operation not permitted')
      ? fail(name, 'this user may not use it', 'run as root, or give the agent CAP_NET_ADMIN')
      : fail(name, said, 'the kernel needs nf_tables, nft_redir and nft_chain_nat; modprobe shows which is absent');
  }
}

const CAPABILITIES = [
  { name: 'CAP_NET_ADMIN', bit: 12n },
  { name: 'CAP_SYS_ADMIN', bit: 21n },
] as const;

/** @param statusFile /proc/self/status, or another process's */
export async function checkCapabilities(statusFile = '/proc/self/status'): Promise<CheckResult> {
  const name = 'capabilities';
  const fix = `run the agent as root, or give it ${CAPABILITIES.map((capability) => capability.name).join(' and ')}`;
  try {
    const effective = /^CapEff:\s*([0-9a-f]+)/m.exec(await readFile(statusFile, 'utf8'))?.[1];
    if (effective === undefined) return warn(name, `${statusFile} does not tell them`, fix);
    const missing = CAPABILITIES.filter(({ bit }) => ((BigInt(`0x${effective}`) >> bit) & 1n) === 0n);
    if (missing.length > 0)
      return fail(name, `missing ${missing.map((capability) => capability.name).join(', ')}`, fix);
    return ok(name, CAPABILITIES.map((capability) => capability.name).join(', '));
  } catch (err) {
    return warn(name, `can not be read: ${messageOf(err)}`, fix);
  }
}

/** What the clocks say. `peerSkewsMs` are those of peers against ours, where peers told; positive is ahead of us. */
export interface ClockReading {
  readonly nowMs: number;
  /** What the wall clock would say had nobody set it since this process started. */
  readonly steadyNowMs: number;
  readonly peerSkewsMs: readonly number[];
}

/** Certificates are verified with this much allowed. */
const MAX_SKEW_MS = 60_000;
/** No agent of this version ran before. */
const EARLIEST_MS = Date.UTC(2026, 0, 1);
/** A step that the operator should know of; slewing by NTP stays far below. */
const STEP_MS = 2_000;

export function checkClock({ nowMs, steadyNowMs, peerSkewsMs }: ClockReading): CheckResult {
  const name = 'clock';
  const fix = 'run an NTP client (chrony, systemd-timesyncd) and see that it is synchronised';
  const now = new Date(nowMs).toISOString();
  if (nowMs < EARLIEST_MS) return fail(name, `says ${now}, which is past`, fix);
  const worst = peerSkewsMs.reduce((far, skew) => (Math.abs(skew) > Math.abs(far) ? skew : far), 0);
  const skew = `${(Math.abs(worst) / 1000).toFixed(1)} s ${worst > 0 ? 'behind' : 'ahead of'} a peer`;
  // When most peers disagree with us, it is our clock; when a few do, it is theirs, and their own check says so.
  const off = peerSkewsMs.filter((one) => Math.abs(one) > MAX_SKEW_MS).length;
  if (off > 0 && off * 2 >= peerSkewsMs.length) return fail(name, `${skew}; certificates are refused beyond 60 s`, fix);
  if (Math.abs(worst) > MAX_SKEW_MS / 2) return warn(name, skew, fix);
  const step = nowMs - steadyNowMs;
  if (Math.abs(step) > STEP_MS) {
    return warn(
      name,
      `was set by ${(step / 1000).toFixed(1)} s since the agent started`,
      'expected after a suspend; otherwise see that NTP is steady',
    );
  }
  return ok(
    name,
    peerSkewsMs.length === 0
      ? now
      : `${now}, within ${(Math.abs(worst) / 1000).toFixed(1)} s of ${peerSkewsMs.length} peers`,
  );
}

export function readClock(peerSkewsMs: readonly number[] = []): ClockReading {
  return { nowMs: Date.now(), steadyNowMs: performance.timeOrigin + performance.now(), peerSkewsMs };
}

function run(program: string, args: string[], options: { env: NodeJS.ProcessEnv; input?: string }): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(program, args, { env: options.env, timeout: NFT_TIMEOUT_MS }, (err, stdout, stderr) => {
      if (err === null) resolve(stdout);
      else reject(systemCode(err) === 'ENOENT' ? err : new Error(stderr.trim().slice(0, 500) || err.message));
    });
    child.stdin?.on('error', () => {}); // one that dies early says why on stderr
    child.stdin?.end(options.input ?? '');
  });
}
