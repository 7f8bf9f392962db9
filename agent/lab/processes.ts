/**
 * Programs run on behalf of one owner, in or out of a network namespace. The programs are ordinary: they get a
 * namespace, perhaps an /etc/resolv.conf and a user of their own, and die with the process that started them, even if
 * that one is killed.
 *
 * @module
 */
import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LabError } from './errors.ts';
import { makeFolder } from './folders.ts';

/** A bound against a runaway test, far above what any lab needs. */
const MAX_PROCESSES = 512;
const MAX_OUTPUT_BYTES = 16 * 1024 * 1024;
const DEFAULT_GRACE_MS = 5_000;
/** Of the temporary folders that hold resolv.conf files. */
export const SCRATCH_PREFIX = 'weft-lab';

export interface SpawnOptions {
  /** Added to this process's environment; a value of undefined removes the variable. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** What the program finds in /etc/resolv.conf; the machine's own file is not touched. */
  readonly resolvConf?: string;
  readonly cwd?: string;
  /** Default: no input, output in pipes that must be read. */
  readonly stdio?: StdioOptions;
  /** User and group to run as; default: ours. */
  readonly uid?: number;
}

export interface ExecOptions extends Omit<SpawnOptions, 'stdio'> {
  readonly input?: string;
  /** Default 10 s. */
  readonly timeoutMs?: number;
}

export interface ExecResult {
  /** null when a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export class Processes implements AsyncDisposable {
  readonly #children = new Set<ChildProcess>();
  #scratch: string | undefined;
  #files = 0;
  #closing: Promise<void> | undefined;

  /**
   * @param namespace a name known to `ip netns`; undefined: where we are
   * @throws LabError when the owner is closed or holds too many; a program that cannot start shows as exit code 126, 127
   */
  spawn(namespace: string | undefined, argv: readonly string[], options: SpawnOptions = {}): ChildProcess {
    if (this.#closing) throw new LabError('WEFT_LAB_CLOSED', argv.join(' '));
    if (this.#children.size >= MAX_PROCESSES) throw new LabError('WEFT_LAB_TOO_MANY', `${MAX_PROCESSES} processes`);
    const resolvConf = options.resolvConf === undefined ? undefined : this.#scratchFile(options.resolvConf);
    const [command, ...rest] = wrap(namespace, argv, { resolvConf, uid: options.uid });
    const child = spawn(command!, rest, {
      env: environment(options.env),
      cwd: options.cwd,
      stdio: options.stdio ?? ['ignore', 'pipe', 'pipe'],
      detached: true, // a Ctrl-C at the terminal is for the owner, who stops its programs in order
    });
    this.#children.add(child);
    const forget = (): void => void this.#children.delete(child);
    child.once('exit', forget);
    child.once('error', forget);
    return child;
  }

  /**
   * Runs a program to its end. Any exit code is an answer, not an error.
   *
   * @throws LabError when it takes too long or writes too much; it is killed then
   */
  async exec(namespace: string | undefined, argv: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
    const { input, timeoutMs = 10_000, ...spawnOptions } = options;
    const child = this.spawn(namespace, argv, { ...spawnOptions, stdio: ['pipe', 'pipe', 'pipe'] });
    return collect(child, { name: argv.join(' '), input, timeoutMs });
  }

  /** Asks with SIGTERM, insists with SIGKILL after `graceMs`; every program is gone when this resolves. */
  async close(graceMs: number = DEFAULT_GRACE_MS): Promise<void> {
    this.#closing ??= this.#close(graceMs);
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(graceMs: number): Promise<void> {
    await Promise.all([...this.#children].map((child) => stopProcess(child, graceMs)));
    if (this.#scratch) rmSync(this.#scratch, { recursive: true, force: true });
  }

  #scratchFile(text: string): string {
    this.#scratch ??= makeFolder(SCRATCH_PREFIX);
    this.#files += 1;
    const path = join(this.#scratch, `file-${this.#files}`);
    writeFileSync(path, text);
    return path;
  }
}

/** Ends one program: SIGTERM, then SIGKILL once `graceMs` have passed. Resolves when it is gone. */
export async function stopProcess(child: ChildProcess, graceMs: number): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGTERM');
  const insist = setTimeout(() => child.kill('SIGKILL'), graceMs);
  try {
    await gone;
  } finally {
    clearTimeout(insist);
  }
}

/** Whether a program of this name would be found by spawn(). */
export function isInstalled(program: string): boolean {
  return searchPath()
    .split(':')
    .some((folder) => folder !== '' && existsSync(join(folder, program)));
}

/** The command line that puts `argv` where it belongs. Each link replaces itself by the next, so the pid stays one. */
function wrap(
  namespace: string | undefined,
  argv: readonly string[],
  { resolvConf, uid }: { resolvConf: string | undefined; uid: number | undefined },
): string[] {
  const enter = namespace === undefined ? [] : ['nsenter', `--net=/run/netns/${namespace}`];
  const mount =
    resolvConf === undefined
      ? []
      : ['unshare', '-m', 'sh', '-c', 'mount --bind "$0" /etc/resolv.conf && exec "$@"', resolvConf];
  const user = uid === undefined ? [] : [`--reuid=${uid}`, `--regid=${uid}`, '--clear-groups'];
  return [...enter, ...mount, 'setpriv', '--pdeathsig', 'KILL', ...user, ...argv];
}

function environment(extra: Readonly<Record<string, string | undefined>> = {}): NodeJS.ProcessEnv {
  return { ...process.env, PATH: searchPath(), ...extra };
}

/** A plain user's PATH may lack the folders that hold ip, nft and tcpdump. */
function searchPath(): string {
  return `${process.env.PATH ?? ''}:/usr/sbin:/sbin:/usr/bin:/bin`;
}

interface CollectOptions {
  readonly name: string;
  readonly input: string | undefined;
  readonly timeoutMs: number;
}

async function collect(child: ChildProcess, { name, input, timeoutMs }: CollectOptions): Promise<ExecResult> {
  let failure: LabError | undefined;
  const kill = (error: LabError): void => {
    failure ??= error;
    child.kill('SIGKILL');
  };
  const timer = setTimeout(() => kill(new LabError('WEFT_LAB_TIMEOUT', name)), timeoutMs);
  const output = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  let bytes = 0;
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream]?.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > MAX_OUTPUT_BYTES) kill(new LabError('WEFT_LAB_OUTPUT', name));
      else output[stream].push(chunk);
    });
  }
  child.stdin?.on('error', () => {}); // a program that ends without reading its input is fine
  child.stdin?.end(input ?? '');
  try {
    const [code] = (await once(child, 'close')) as [number | null];
    if (failure) throw failure;
    return {
      code,
      stdout: Buffer.concat(output.stdout).toString(),
      stderr: Buffer.concat(output.stderr).toString(),
    };
  } finally {
    clearTimeout(timer);
  }
}
