/**
 * What a program is made with, from files beside it: package.json, requirements and site-packages, Gemfile.lock, composer.json, jars.
 *
 * The files belong to the workload, which may lie and may set traps: only regular files are read, without following a link at their
 * end and without waiting, 64 kB of each, and of what they say only names of known frameworks ever leave this process. @module
 */
import { constants } from 'node:fs';
import { open, opendir } from 'node:fs/promises';
import { posix } from 'node:path';

const MAX_FILE_BYTES = 64 * 1024;
const MAX_NAMES = 2_000;
const MAX_PARENTS = 4;
const MAX_ENTRIES = 2_000;
const MAX_JARS = 4;

export interface ProgramPlace {
  /** `/proc/PID/root`: paths below are those that the process sees. */
  readonly root: string;
  /** As the process sees it. */
  readonly cwd: string;
  readonly exe: string;
  readonly argv: readonly string[];
}

/** Names of packages, at most 2,000; empty where nothing is found. */
export async function readPackages(place: ProgramPlace): Promise<readonly string[]> {
  const name = posix.basename(place.exe);
  if (/^(node|nodejs|bun|deno)$/.test(name)) return (await ofNode(place)).slice(0, MAX_NAMES);
  if (/^python/.test(name)) return (await ofPython(place)).slice(0, MAX_NAMES);
  if (name === 'java') return ofJava(place);
  if (/^ruby/.test(name))
    return inLines(await text(place, posix.join(place.cwd, 'Gemfile.lock')), /^ {4}([a-z0-9_-]+) /);
  if (/^php/.test(name)) return keysOf(await json(place, posix.join(place.cwd, 'composer.json')), 'require');
  return [];
}

/** Of the runtime itself, where a file beside it says it; nothing is run. */
export async function readRuntimeVersion(place: ProgramPlace): Promise<string | undefined> {
  const prefix = posix.dirname(posix.dirname(place.exe));
  const name = posix.basename(place.exe);
  if (/^node(js)?$/.test(name)) {
    const header = await text(place, posix.join(prefix, 'include/node/node_version.h'));
    const part = (word: string): string => new RegExp(`#define NODE_${word}_VERSION (\\d+)`).exec(header)?.[1] ?? '';
    if (part('MAJOR') !== '') return `${part('MAJOR')}.${part('MINOR')}.${part('PATCH')}`;
    const own = (await json(place, posix.join(prefix, 'package.json'))) as
      | { name?: unknown; version?: unknown }
      | undefined;
    return String(own?.name).startsWith('node') && typeof own?.version === 'string' ? own.version : undefined;
  }
  if (name === 'java') return /^JAVA_VERSION="([^"]+)"/m.exec(await text(place, posix.join(prefix, 'release')))?.[1];
  return undefined;
}

/** The nearest package.json at or above the script; else that of where it was started. */
async function ofNode(place: ProgramPlace): Promise<readonly string[]> {
  const script = place.argv.slice(1).find((word) => !word.startsWith('-'));
  const starts = [...(script === undefined ? [] : [posix.dirname(posix.resolve(place.cwd, script))]), place.cwd];
  for (const start of starts) {
    let folder = start;
    for (let i = 0; i <= MAX_PARENTS; i++) {
      const found = await json(place, posix.join(folder, 'package.json'));
      if (found !== undefined) return keysOf(found, 'dependencies');
      if (folder === '/') break;
      folder = posix.dirname(folder);
    }
  }
  return [];
}

/** What is on the command line comes first; what is only installed may not be used. */
async function ofPython(place: ProgramPlace): Promise<readonly string[]> {
  const { argv, cwd, exe } = place;
  const version = /python(\d+\.\d+)/.exec(exe)?.[1] ?? '3';
  const started = posix.resolve(cwd, argv[0] ?? '');
  const prefixes = [
    posix.dirname(posix.dirname(started)),
    posix.join(cwd, '.venv'),
    posix.join(cwd, 'venv'),
    '/usr/local',
    '/usr',
  ];
  const required = await inLines(await text(place, posix.join(cwd, 'requirements.txt')), /^([A-Za-z0-9_-]+)/);
  if (required.length > 0) return required.map((name) => name.toLowerCase());
  for (const prefix of prefixes) {
    for (const folder of [`lib/python${version}/site-packages`, `lib/python${version}/dist-packages`]) {
      const names = await entries(place, posix.join(prefix, folder));
      if (names.length > 0) return names.map((name) => name.toLowerCase());
    }
  }
  return [];
}

/** A jar's table of contents is at its end: the names of what it packs. */
async function ofJava(place: ProgramPlace): Promise<readonly string[]> {
  const { argv, cwd } = place;
  const paths = argv.flatMap((word) => word.split(':')).filter((word) => word.endsWith('.jar'));
  const names = paths.map((path) => posix.basename(path, '.jar'));
  for (const path of paths.slice(0, MAX_JARS)) {
    const tail = await bytes(place, posix.resolve(cwd, path), 'end');
    const packed = tail.toString('latin1').matchAll(/([a-z][a-z0-9.-]{2,60})-\d[\w.-]{0,30}\.jar/g);
    names.push(...[...packed].slice(0, MAX_NAMES).map(([, name]) => name!));
    if (/org\/springframework\/boot|BOOT-INF/.test(tail.toString('latin1'))) names.push('spring-boot');
  }
  return names.slice(0, MAX_NAMES);
}

function keysOf(value: unknown, field: string): readonly string[] {
  const inner = (value as Record<string, unknown> | undefined)?.[field];
  return typeof inner === 'object' && inner !== null ? Object.keys(inner).slice(0, MAX_NAMES) : [];
}

function inLines(content: string, pattern: RegExp): readonly string[] {
  return content
    .split('\n')
    .slice(0, MAX_NAMES)
    .flatMap((line) => pattern.exec(line)?.[1] ?? []);
}

async function json(place: ProgramPlace, path: string): Promise<unknown> {
  try {
    return JSON.parse(await text(place, path)) ?? undefined;
  } catch {
    return undefined;
  }
}

async function text(place: ProgramPlace, path: string): Promise<string> {
  return (await bytes(place, path, 'start')).toString('utf8');
}

/** Nothing for what is not there, may not be read, or is no plain file. */
async function bytes({ root }: ProgramPlace, path: string, from: 'start' | 'end'): Promise<Buffer> {
  try {
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
    await using file = await open(`${root}${path}`, flags);
    const stat = await file.stat();
    if (!stat.isFile()) return Buffer.alloc(0);
    const length = Math.min(stat.size, MAX_FILE_BYTES);
    const { buffer, bytesRead } = await file.read({
      buffer: Buffer.alloc(length),
      position: from === 'start' ? 0 : stat.size - length,
    });
    return buffer.subarray(0, bytesRead);
  } catch {
    return Buffer.alloc(0);
  }
}

async function entries({ root }: ProgramPlace, path: string): Promise<readonly string[]> {
  const names: string[] = [];
  try {
    for await (const { name } of await opendir(`${root}${path}`)) {
      names.push(name);
      if (names.length >= MAX_ENTRIES) break;
    }
  } catch {
    // not there
  }
  return names;
}
