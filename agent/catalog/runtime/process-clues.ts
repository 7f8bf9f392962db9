/** What is read of one process in /proc: its executable, command line, mapped files, and what lies beside it. @module */
import { open, readlink } from 'node:fs/promises';
import { readBuildNotes } from './executable.ts';
import type { ProcessClues } from './guess.ts';
import { readPackages, readRuntimeVersion } from './packages.ts';

const MAX_ARGV_BYTES = 16 * 1024;
const MAX_ARGV = 256;
const MAX_MAPS_BYTES = 256 * 1024;
const MAX_MAPPED = 1_000;

/** @returns undefined for one that ended, or that this user may not look at */
export async function readClues(pid: number): Promise<ProcessClues | undefined> {
  const folder = `/proc/${pid}`;
  try {
    const exe = await readlink(`${folder}/exe`);
    const cwd = await readlink(`${folder}/cwd`).catch(() => '/');
    const argv = (await head(`${folder}/cmdline`, MAX_ARGV_BYTES)).split('\0').slice(0, MAX_ARGV);
    const maps = await head(`${folder}/maps`, MAX_MAPS_BYTES);
    await using file = await open(`${folder}/exe`);
    const { goVersion, modules, compilers } = await readBuildNotes(file);
    const place = { root: `${folder}/root`, cwd, exe, argv };
    const version = await readRuntimeVersion(place);
    return {
      exe,
      argv,
      mapped: [...new Set(maps.match(/\/\S+$/gm) ?? [])].slice(0, MAX_MAPPED),
      packages: [...modules, ...(await readPackages(place))],
      compilers,
      ...(goVersion === undefined ? {} : { goVersion }),
      ...(version === undefined ? {} : { version }),
    };
  } catch {
    return undefined;
  }
}

/** Files of /proc have no size, and may be as long as a process makes them. */
async function head(path: string, bytes: number): Promise<string> {
  await using file = await open(path);
  const buffer = Buffer.alloc(bytes);
  let length = 0;
  while (length < bytes) {
    const { bytesRead } = await file.read({ buffer, offset: length, length: bytes - length });
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return buffer.toString('utf8', 0, length);
}
