/** What went over a wire: tcpdump for as long as needed, then the pcap file as bytes. @module */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { LabError } from './errors.ts';
import { makeFolder } from './folders.ts';
import { isInstalled, type Processes, stopProcess } from './processes.ts';

const START_TIMEOUT_MS = 10_000;
const STOP_GRACE_MS = 3_000;
/** Enough for seconds of a busy link; the capture ends by itself there, and holds what came first. */
const MAX_PACKETS = 200_000;
/** Of the temporary folders that hold recordings. */
export const CAPTURE_PREFIX = 'weft-pcap';

export interface CaptureOptions {
  readonly interface: string;
  /** In tcpdump's language; default: everything. */
  readonly filter?: string;
}

export class Capture implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #directory: string;
  #stopping: Promise<Buffer> | undefined;

  private constructor(child: ChildProcess, directory: string) {
    this.#child = child;
    this.#directory = directory;
  }

  /** Resolves once packets are being recorded; to undefined when tcpdump is not installed. */
  static async start(processes: Processes, namespace: string, options: CaptureOptions): Promise<Capture | undefined> {
    if (!isInstalled('tcpdump')) return undefined;
    const directory = makeFolder(CAPTURE_PREFIX);
    const file = join(directory, 'wire.pcap');
    // --immediate-mode and -U: what happened before stop() is in the file. -Z root: the file is in a private folder.
    const flags = ['-n', '-U', '--immediate-mode', '-Z', 'root', '-s', '0', '-c', String(MAX_PACKETS)];
    const child = processes.spawn(
      namespace,
      ['tcpdump', ...flags, '-i', options.interface, '-w', file, ...(options.filter ? [options.filter] : [])],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    try {
      await listening(child);
    } catch (error) {
      await stopProcess(child, STOP_GRACE_MS);
      rmSync(directory, { recursive: true, force: true });
      throw error;
    }
    return new Capture(child, directory);
  }

  /** Ends the recording and gives back the file; the same bytes when asked again. */
  stop(): Promise<Buffer> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #stop(): Promise<Buffer> {
    await stopProcess(this.#child, STOP_GRACE_MS);
    const pcap = readFileSync(join(this.#directory, 'wire.pcap'));
    rmSync(this.#directory, { recursive: true, force: true });
    return pcap;
  }
}

/** tcpdump says on its error output that it listens; before that, packets are missed. */
async function listening(child: ChildProcess): Promise<void> {
  let said = '';
  const ready = new Promise<void>((resolve, reject) => {
    child.stderr?.on('data', (chunk: Buffer) => {
      if (said.length < 4_096) said += chunk.toString();
      if (said.includes('listening on')) resolve();
    });
    child.once('exit', () => reject(new LabError('WEFT_LAB_COMMAND_FAILED', 'tcpdump', { detail: said })));
    child.once('error', (cause) => reject(new LabError('WEFT_LAB_COMMAND_FAILED', 'tcpdump', { cause })));
  });
  const timeout = AbortSignal.timeout(START_TIMEOUT_MS);
  const late = once(timeout, 'abort').then(() => {
    throw new LabError('WEFT_LAB_TIMEOUT', 'tcpdump', { detail: said });
  });
  late.catch(() => {}); // loses the race when all is well
  await Promise.race([ready, late]);
}
