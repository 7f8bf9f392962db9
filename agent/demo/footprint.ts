/** What a run leaves on the machine, by comparing before and after. @module */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { listNamespaces } from '../lab/leftovers.ts';
import { isInstalled, Processes } from '../lab/processes.ts';

/** Every program of a run inherits it, and so do the programs these start. */
export const RUN_VARIABLE = 'WEFT_DEMO_RUN';

export interface Footprint {
  readonly namespaces: readonly string[];
  readonly links: readonly string[];
  /** The root namespace's, as nft prints it; empty where it cannot be read. */
  readonly rules: string;
}

export async function takeFootprint(): Promise<Footprint> {
  await using processes = new Processes();
  const isRoot = process.geteuid?.() === 0;
  const rules = isRoot && isInstalled('nft') ? await processes.exec(undefined, ['nft', 'list', 'ruleset']) : undefined;
  return {
    namespaces: listNamespaces(),
    links: existsSync('/sys/class/net') ? readdirSync('/sys/class/net') : [],
    rules: rules?.stdout ?? '',
  };
}

/** One sentence for each thing of `run` that is still there; empty is what we want. */
export function leftovers(before: Footprint, after: Footprint, run: { id: string; directory: string }): string[] {
  return [
    ...added(before.namespaces, after.namespaces)
      .filter(isOurs)
      .map((name) => `namespace ${name}`),
    ...added(before.links, after.links).map((name) => `link ${name}`),
    ...(before.rules === after.rules ? [] : ['nftables rules of the root namespace are not as before']),
    ...processesOf(run.id).map(({ pid, command }) => `process ${pid} ${command}`),
    ...(existsSync(run.directory) ? [`directory ${run.directory}`] : []),
  ];
}

/** Running processes with the mark of this run; zombies have lost theirs. */
export function processesOf(runId: string): { readonly pid: number; readonly command: string }[] {
  if (!existsSync('/proc/self/environ')) return [];
  return readdirSync('/proc').flatMap((entry) => {
    if (!/^\d+$/.test(entry)) return [];
    try {
      if (!readFileSync(`/proc/${entry}/environ`, 'latin1').split('\0').includes(`${RUN_VARIABLE}=${runId}`)) return [];
      const command = readFileSync(`/proc/${entry}/cmdline`, 'latin1').replaceAll('\0', ' ').trim();
      return [{ pid: Number(entry), command }];
    } catch {
      return []; // it ended, or is not ours to read
    }
  });
}

/** Others build namespaces too while a test suite runs; all of ours carry our pid. */
function isOurs(namespace: string): boolean {
  return namespace.split('-').includes(String(process.pid));
}

function added(before: readonly string[], after: readonly string[]): string[] {
  return after.filter((name) => !before.includes(name));
}
