/**
 * Which processes are a workload's: those in its network namespace, of its user where it shares that of the host. Of these the one
 * that listens on a port of the workload is it; where none does, in a namespace of its own the first ones are looked at.
 *
 * Bounded: 8,192 processes of a machine, 512 of a workload, 1,024 open files of each, 8 that are looked at. @module
 */
import { open, readdir, readlink, stat } from 'node:fs/promises';

export interface ProcessPlace {
  /** Inode of its network namespace. */
  readonly namespace: number;
  /** Undefined: any. */
  readonly uid: number | undefined;
  /** Where its application listens. */
  readonly ports: readonly number[];
  /** Whether processes of others are in that namespace too: then only the one that listens is believed. */
  readonly isShared: boolean;
}

export interface FoundProcesses {
  /** Changes whenever it should be looked again. */
  readonly signature: string;
  /** In the order they are to be looked at. */
  pids(): Promise<readonly number[]>;
}

const MAX_PROCESSES = 8_192;
const MAX_OF_A_WORKLOAD = 512;
const MAX_FILES = 1_024;
const MAX_LOOKED_AT = 8;
const MAX_SOCKETS_BYTES = 1024 * 1024;
const LISTEN = '0A';
const AT_ONCE = 64;

export class ProcessTable {
  readonly #byNamespace: ReadonlyMap<number, readonly number[]>;

  private constructor(byNamespace: ReadonlyMap<number, readonly number[]>) {
    this.#byNamespace = byNamespace;
  }

  /** Those of this moment that this user may look at; this process itself is none of them. */
  static async read(): Promise<ProcessTable> {
    const names = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
    const pids = names
      .map(Number)
      .filter((pid) => pid !== process.pid)
      .sort((a, b) => a - b)
      .slice(-MAX_PROCESSES);
    const byNamespace = new Map<number, number[]>();
    for (let i = 0; i < pids.length; i += AT_ONCE) {
      const some = pids.slice(i, i + AT_ONCE);
      const namespaces = await Promise.all(some.map((pid) => readlink(`/proc/${pid}/ns/net`).catch(() => '')));
      for (const [at, text] of namespaces.entries()) {
        const namespace = Number(/\[(\d+)\]/.exec(text)?.[1] ?? -1);
        const known = byNamespace.get(namespace);
        if (known === undefined) byNamespace.set(namespace, [some[at]!]);
        else known.push(some[at]!);
      }
    }
    return new ProcessTable(byNamespace);
  }

  async find({ namespace, uid, ports, isShared }: ProcessPlace): Promise<FoundProcesses | undefined> {
    const all = this.#byNamespace.get(namespace) ?? [];
    const pids = (uid === undefined ? all : await ofUser(all, uid)).slice(0, MAX_OF_A_WORKLOAD);
    const [first] = pids;
    if (first === undefined) return undefined;
    const listening = await listeners(first, new Set(ports));
    return {
      signature: [...listening, isShared ? '' : pids.join(' ')].join(' '),
      pids: async () => {
        const owner = await ownerOf(pids, listening);
        if (owner !== undefined) return [owner];
        return isShared ? [] : pids.slice(0, MAX_LOOKED_AT);
      },
    };
  }
}

async function ofUser(pids: readonly number[], uid: number): Promise<readonly number[]> {
  const uids = await Promise.all(
    pids.map((pid) =>
      stat(`/proc/${pid}`).then(
        (found) => found.uid,
        () => -1,
      ),
    ),
  );
  return pids.filter((_, i) => uids[i] === uid);
}

/** Inodes of sockets that listen on these ports, as a process of the namespace sees them. */
async function listeners(pid: number, ports: ReadonlySet<number>): Promise<readonly string[]> {
  const tables = await Promise.all(['tcp', 'tcp6'].map((name) => head(`/proc/${pid}/net/${name}`).catch(() => '')));
  return tables.flatMap((table) =>
    table.split('\n').flatMap((line) => {
      const [, local = '', , state, , , , , , inode = '0'] = line.trim().split(/\s+/);
      const port = Number.parseInt(local.slice(local.lastIndexOf(':') + 1), 16);
      return state === LISTEN && ports.has(port) && inode !== '0' ? [inode] : [];
    }),
  );
}

async function ownerOf(pids: readonly number[], inodes: readonly string[]): Promise<number | undefined> {
  if (inodes.length === 0) return undefined;
  const wanted = new Set(inodes.map((inode) => `socket:[${inode}]`));
  for (const pid of pids) {
    const files = await readdir(`/proc/${pid}/fd`).catch(() => []);
    for (let i = 0; i < Math.min(files.length, MAX_FILES); i += AT_ONCE) {
      const some = files.slice(i, i + AT_ONCE);
      const links = await Promise.all(some.map((file) => readlink(`/proc/${pid}/fd/${file}`).catch(() => '')));
      if (links.some((link) => wanted.has(link))) return pid;
    }
  }
  return undefined;
}

async function head(path: string): Promise<string> {
  await using file = await open(path);
  const buffer = Buffer.alloc(MAX_SOCKETS_BYTES);
  let length = 0;
  while (length < buffer.length) {
    const { bytesRead } = await file.read({ buffer, offset: length, length: buffer.length - length });
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return buffer.toString('latin1', 0, length);
}
