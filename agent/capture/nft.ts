/** Runs the program `nft` inside a network namespace. @module */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { CAPTURE_TABLE } from './constants.ts';
import { CaptureError } from './errors.ts';
import type { Linux } from './linux.ts';

const TIMEOUT_MS = 10_000;
/** How much of what nft complains about is worth repeating. */
const SHOWN_CHARACTERS = 500;
/** nft lives where the PATH of an ordinary login does not look. */
const SYSTEM_PATH = '/usr/sbin:/sbin:/usr/local/sbin';

/** Applies a file of nft commands as one transaction: all of it, or nothing. */
export async function applyRuleset(linux: Linux, namespace: number, ruleset: string): Promise<void> {
  const { code, stderr } = await runNft(linux, namespace, { args: ['-f', '-'], input: ruleset });
  if (code !== 0) throw failed(stderr);
}

/** The rules as the kernel holds them; undefined when there are none. */
export async function readRules(linux: Linux, namespace: number): Promise<string | undefined> {
  const args = ['list', 'table', 'inet', CAPTURE_TABLE];
  const { code, stdout, stderr } = await runNft(linux, namespace, { args, input: '' });
  if (code === 0) return stdout;
  if (stderr.includes('No such file or directory')) return undefined;
  throw failed(stderr);
}

interface NftResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function runNft(linux: Linux, namespace: number, run: { args: string[]; input: string }): Promise<NftResult> {
  const env = { PATH: `${process.env.PATH ?? '/usr/bin:/bin'}:${SYSTEM_PATH}`, LC_ALL: 'C' };
  try {
    // A child belongs to the namespace of the thread that forks it, and spawn() forks before it returns.
    const child = linux.inNamespace(namespace, () => spawn('nft', run.args, { env, timeout: TIMEOUT_MS }));
    child.stdin.on('error', () => {}); // nft that dies early says why on stderr
    child.stdin.end(run.input);
    const exited = once(child, 'close') as Promise<[number | null]>;
    const [[code], stdout, stderr] = await Promise.all([exited, text(child.stdout), text(child.stderr)]);
    return { code, stdout, stderr: code === null ? `no answer within ${TIMEOUT_MS} ms` : stderr };
  } catch (err) {
    if (err instanceof Error && 'code' in err && err.code === 'ENOENT') {
      throw new CaptureError('WEFT_CAPTURE_NFT_MISSING', 'nft', { cause: err });
    }
    throw err;
  }
}

function failed(stderr: string): CaptureError {
  const isForbidden = stderr.includes('Operation not permitted');
  const code = isForbidden ? 'WEFT_CAPTURE_NOT_PERMITTED' : 'WEFT_CAPTURE_NFT_FAILED';
  return new CaptureError(code, `nft: ${stderr.trim().slice(0, SHOWN_CHARACTERS)}`);
}
