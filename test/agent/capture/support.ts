/** Pods for tests: network namespaces joined by a veth pair, made and removed by the test that needs them. @module */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** Why tests of namespaces can not run here; undefined when they can. */
export const OBSTACLE =
  process.platform !== 'linux'
    ? 'network namespaces need Linux'
    : process.geteuid?.() !== 0
      ? 'network namespaces need root'
      : undefined;

if (OBSTACLE !== undefined) console.warn(`skipped: ${OBSTACLE}`);

/** A program that hangs must not outlive its test for long. */
const LIFETIME_MS = 20_000;

let made = 0;

/** A pod and the world outside it: 10.88.0.1/fd88::1 and 10.88.0.2/fd88::2, also 10.99.0.2; the pod's default route leads out. */
export class Pods implements Disposable {
  readonly pod: string;
  readonly outside: string;
  readonly directory = mkdtempSync(join(tmpdir(), 'weft-capture-'));

  constructor() {
    const name = `wct${process.pid}n${made++}`;
    this.pod = `${name}p`;
    this.outside = `${name}o`;
    for (const namespace of [this.pod, this.outside]) {
      ip('netns', 'add', namespace);
      ip('-n', namespace, 'link', 'set', 'lo', 'up');
    }
    ip('-n', this.outside, 'addr', 'add', '10.99.0.2/32', 'dev', 'lo');
    ip('link', 'add', 'eth0', 'netns', this.pod, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', this.outside);
    this.#address(this.pod, 1);
    this.#address(this.outside, 2);
    ip('-n', this.pod, 'route', 'add', 'default', 'via', '10.88.0.2');
    ip('-n', this.pod, 'route', 'add', 'default', 'via', 'fd88::2');
  }

  #address(namespace: string, host: number): void {
    ip('-n', namespace, 'link', 'set', 'eth0', 'up');
    ip('-n', namespace, 'addr', 'add', `10.88.0.${host}/24`, 'dev', 'eth0');
    ip('-n', namespace, 'addr', 'add', `fd88::${host}/64`, 'dev', 'eth0', 'nodad');
  }

  [Symbol.dispose](): void {
    for (const namespace of [this.pod, this.outside]) ip('netns', 'del', namespace);
    rmSync(this.directory, { recursive: true, force: true });
  }
}

export function ip(...args: string[]): void {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'inherit'] });
}

/** A command in a namespace, to its end. */
export function runIn(namespace: string, ...command: string[]): void {
  execFileSync('ip', ['netns', 'exec', namespace, ...command], { stdio: ['ignore', 'ignore', 'inherit'] });
}

export function path(namespace: string): string {
  return `/run/netns/${namespace}`;
}

/** Everything nft holds in a namespace; empty when nothing. */
export function ruleset(namespace: string): string {
  return execFileSync('ip', ['netns', 'exec', namespace, 'nft', 'list', 'ruleset'], { encoding: 'utf8' });
}

/** A Node program in a namespace, run to its end. `uid`: as that user. @returns what it printed, parsed as JSON */
export async function runNode(namespace: string, source: string, options: { uid?: number } = {}): Promise<unknown> {
  const child = spawnNode(namespace, source, options);
  const chunks: Buffer[] = [];
  child.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk));
  await once(child, 'close');
  return JSON.parse(Buffer.concat(chunks).toString());
}

/** A Node program in a namespace, or in ours, that prints a line once it is ready, and runs until it is disposed of. */
export class Background implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterableIterator<string>;

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.#lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  }

  static async start(
    namespace: string | undefined,
    source: string,
    options: { uid?: number } = {},
  ): Promise<Background> {
    const background = new Background(spawnNode(namespace, source, options));
    await background.line();
    return background;
  }

  get pid(): number {
    return this.#child.pid!;
  }

  async line(): Promise<string> {
    const { value } = await this.#lines.next();
    if (typeof value !== 'string') throw new Error('the program ended without a word');
    return value;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#child, 'close');
    this.#child.kill('SIGKILL');
    await closed;
  }
}

function spawnNode(namespace: string | undefined, source: string, { uid }: { uid?: number }): ChildProcess {
  const asUser = uid === undefined ? [] : ['setpriv', '--reuid', String(uid), '--clear-groups'];
  // nsenter becomes the program it runs, so a signal reaches that.
  const enter = namespace === undefined ? [] : [`--net=${path(namespace)}`];
  return spawn('nsenter', [...enter, ...asUser, process.execPath, '-e', source], {
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: LIFETIME_MS,
    killSignal: 'SIGKILL',
  });
}
