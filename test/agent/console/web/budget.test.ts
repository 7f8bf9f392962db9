/** What a browser has to load, gzip, as it is built: a page without the graph, the graph, and styles. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { beforeAll, expect, test } from 'vitest';
import { buildConsole } from '../../../../scripts/console.ts';

const KB = 1_000;
let dist: string;
let files: readonly string[];

beforeAll(async () => {
  dist = await buildConsole();
  files = readdirSync(join(dist, 'assets'));
});

function gzipOf(name: string): number {
  return gzipSync(readFileSync(join(dist, 'assets', name)), { level: 9 }).length;
}

/** What a chunk needs at once: its static imports, and theirs. */
function withImports(name: string, seen = new Set<string>()): Set<string> {
  if (seen.has(name)) return seen;
  seen.add(name);
  const text = readFileSync(join(dist, 'assets', name), 'utf8');
  for (const match of text.matchAll(/(?:\bfrom|\bimport)\s*"\.\/([\w.-]+\.js)"/g)) withImports(match[1]!, seen);
  return seen;
}

const sum = (names: Iterable<string>) => [...names].reduce((all, name) => all + gzipOf(name), 0);
const scripts = () => files.filter((name) => name.endsWith('.js') && !/^\w+-worker/.test(name));
const entry = () => /src="\/assets\/([\w.-]+\.js)"/.exec(readFileSync(join(dist, 'index.html'), 'utf8'))![1]!;

test('the shell and any page without the graph take at most 130 kB', () => {
  const shell = withImports(entry());
  expect(sum(shell)).toBeLessThanOrEqual(130 * KB);
  const isApart = (name: string): boolean => name.startsWith('topology-page') || name.startsWith('edit-page');
  const pages = scripts().filter((name) => name.includes('-page-') && !isApart(name));
  for (const page of pages) expect(sum(withImports(page, new Set(shell))), page).toBeLessThanOrEqual(130 * KB);
});

test('the editor is a chunk of at most 45 kB', () => {
  expect(gzipOf(scripts().find((name) => name.startsWith('edit-page'))!)).toBeLessThanOrEqual(45 * KB);
});

test('the graph adds at most 160 kB to the shell', () => {
  const shell = withImports(entry());
  const graph = new Set(shell);
  for (const part of ['topology-page', 'scene']) withImports(scripts().find((name) => name.startsWith(part))!, graph);
  const added = graph.difference(shell);
  expect(sum(added)).toBeLessThanOrEqual(160 * KB);
  expect(sum(added)).toBeGreaterThan(50 * KB); // or the graph went into the shell
});

test('where every service is a dot, Cytoscape is not loaded', () => {
  const shell = withImports(entry());
  const all = new Set(shell);
  for (const part of ['topology-page', 'dot-scene']) withImports(scripts().find((name) => name.startsWith(part))!, all);
  expect(sum(all.difference(shell))).toBeLessThanOrEqual(40 * KB);
});

test('workers are modules of this origin with nothing to load besides, and that of the layout is small', () => {
  const workers = files.filter((name) => /^\w+-worker.*\.js$/.test(name));
  expect(workers.map((name) => name.split('-worker')[0]).sort()).toEqual(['layout', 'stream']);
  for (const name of workers) expect([...withImports(name)]).toEqual([name]);
  expect(gzipOf(workers.find((name) => name.startsWith('layout'))!)).toBeLessThanOrEqual(6 * KB);
});

test('all styles together take at most 12 kB, and fonts are ours alone', () => {
  expect(sum(files.filter((name) => name.endsWith('.css')))).toBeLessThanOrEqual(12 * KB);
  const fonts = files.filter((name) => name.endsWith('.woff2'));
  expect(fonts).toHaveLength(2);
});

test('index.html has no script or style inside it, and what shrinks has a brotli copy', () => {
  const html = readFileSync(join(dist, 'index.html'), 'utf8');
  expect(html).not.toMatch(/<style|style="|<script(?![^>]*\bsrc=)|\son\w+="/);
  for (const name of files.filter((file) => /\.(js|css)$/.test(file))) expect(files).toContain(`${name}.br`);
});
