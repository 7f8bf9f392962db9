/** What a benchmark needs of the machine: pinned processes, their CPU time and memory, free ports. @module */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync, readFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';

/** All proxies share one core, load generator and backend the other, so that a figure per core means something. */
export const PROXY_CORE = '0';
export const LOAD_CORE = '1';

const LOOK_MS = 1_000;
/** At rest: looks in a row between which it changed by less than a megabyte. */
const QUIET_LOOKS = 6;
const MAX_LOOKS = 60;

/** Starts a process on one core; its output goes to `logFile`. */
export function pinned(core: string, argv: readonly string[], logFile: string): ChildProcess {
  const log = openSync(logFile, 'a');
  return spawn('taskset', ['-c', core, ...argv], { stdio: ['ignore', log, log] });
}

/**
 * Starts processes that belong together, and ends them together: at once if `start` fails.
 *
 * @param start given what to call with each process it starts
 */
export async function together<T>(
  start: (own: (child: ChildProcess) => number) => Promise<T>,
): Promise<T & AsyncDisposable> {
  await using starting = new AsyncDisposableStack();
  const value = await start((child) => {
    starting.defer(() => stop(child));
    return child.pid!;
  });
  const started = starting.move();
  return { ...value, [Symbol.asyncDispose]: () => started.disposeAsync() };
}

/** Ends a process and waits until it is gone. */
export async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 5_000);
  await exited;
  clearTimeout(timer);
}

/** CPU seconds, user and system, that these processes and their live children have used. */
export function cpuSeconds(pids: readonly number[]): number {
  const ticksPerSecond = 100; // USER_HZ, fixed in Linux's ABI
  return tree(pids).reduce((sum, pid) => {
    const fields = statFields(pid);
    return sum + (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
  }, 0);
}

/** Resident megabytes of these processes and their live children. */
export function rssMb(pids: readonly number[]): number {
  const pages = tree(pids).reduce((sum, pid) => sum + Number(statFields(pid)[21]), 0);
  return (pages * 4_096) / 1e6;
}

/** @returns resident megabytes of a process, once they no longer change */
export async function atRest(pid: number): Promise<number> {
  let lastMb = rssMb([pid]);
  let quiet = 0;
  for (let look = 0; look < MAX_LOOKS && quiet < QUIET_LOOKS; look++) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    const nowMb = rssMb([pid]);
    quiet = Math.abs(nowMb - lastMb) < 1 ? quiet + 1 : 0;
    lastMb = nowMb;
  }
  return lastMb;
}

/** How many descriptors a process that we start may have open. */
export function descriptorLimit(): number {
  return Number(/^Max open files +\d+ +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))![1]);
}

/** The fields of /proc/PID/stat behind the command name: [0] is the state. */
function statFields(pid: number): string[] {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

function tree(pids: readonly number[]): number[] {
  return pids.flatMap((pid) => {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
    return [pid, ...tree(children === '' ? [] : children.split(' ').map(Number))];
  });
}

/** Ports nobody listens on now. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, '127.0.0.1');
      await once(server, 'listening');
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  for (const server of servers) server.close();
  return ports;
}

/** Resolves when `port` accepts connections; rejects after ten seconds. */
export async function accepting(port: number, host = '127.0.0.1'): Promise<void> {
  const deadline = performance.now() + 10_000;
  for (;;) {
    const socket = connect(port, host);
    const isOpen = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    });
    socket.destroy();
    if (isOpen) return;
    if (performance.now() > deadline) throw new Error(`nobody listens on ${host}:${port} after ten seconds`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
