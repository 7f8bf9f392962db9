/** Removing namespaces and whatever still runs in them; also those of a run that died before it could. @module */
import { existsSync, readdirSync, readlinkSync, statSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { Processes } from './processes.ts';

const NETNS_DIRECTORY = '/run/netns';
const PROCESS_EXIT_TIMEOUT_MS = 2_000;

/** Namespaces are called `<prefix>-<pid of owner>-<role>`, so that anyone can tell whose they are and whether it lives. */
export function namespaceName(prefix: string, role: string): string {
  return `${prefix}-${process.pid}-${role}`;
}

/** All that `ip netns list` would show. */
export function listNamespaces(): string[] {
  return existsSync(NETNS_DIRECTORY) ? readdirSync(NETNS_DIRECTORY) : [];
}

/** Namespaces with this prefix whose owner no longer runs. */
export function orphanedNamespaces(prefix: string): string[] {
  return listNamespaces().filter((name) => {
    const match = /^(.+?)-(\d+)-/.exec(name);
    return match?.[1] === prefix && !existsSync(`/proc/${match[2]}`);
  });
}

/** Kills every process whose main thread is in one of `names`, then removes the names. Names that are gone already are fine. */
export async function removeNamespaces(processes: Processes, names: readonly string[]): Promise<void> {
  const present = new Set(listNamespaces());
  const doomed = names.filter((name) => present.has(name));
  if (doomed.length === 0) return;
  await killAll(processesIn(doomed));
  const input = doomed.map((name) => `netns del ${name}\n`).join('');
  await processes.exec(undefined, ['ip', '-force', '-batch', '-'], { input });
}

/** Pids of other processes in these namespaces, whoever started them: a lab's namespaces hold nobody else's work. */
export function processesIn(names: readonly string[]): number[] {
  const wanted = new Set(names.map((name) => `net:[${statSync(`${NETNS_DIRECTORY}/${name}`).ino}]`));
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((pid) => pid !== process.pid && wanted.has(networkOf(pid)));
}

function networkOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`);
  } catch {
    return ''; // it ended, or is a zombie
  }
}

async function killAll(pids: readonly number[]): Promise<void> {
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // it ended by itself
    }
  }
  const deadlineMs = Date.now() + PROCESS_EXIT_TIMEOUT_MS;
  while (pids.some((pid) => networkOf(pid) !== '') && Date.now() < deadlineMs) await delay(5);
}
