/** Reads the imports of the whole tree and holds them to the arrows of ARCHITECTURE.md. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { expect, test } from 'vitest';

const root = normalize(join(import.meta.dirname, '..'));

/** Who may import whom: an arrow that is not here is forbidden. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  certs: [],
  gossip: ['certs'],
  proxy: ['certs'],
  agent: ['gossip', 'proxy', 'certs', 'simulations'], // `weft simulate`; no file may close the circle, see below
  simulations: ['agent', 'gossip', 'proxy', 'certs'],
  deploy: [],
};

/** Cores compute only: files, and folders of them, that must contain nothing of `IMPURE`. */
const PURE = [
  'gossip/core.ts',
  'gossip/effects.ts',
  'gossip/inbox.ts',
  'gossip/outside.ts',
  'gossip/parts.ts',
  'gossip/overlay',
  'gossip/members',
  'gossip/records',
  'gossip/documents',
  'gossip/anti-entropy',
  'proxy/http1/grammar',
  'proxy/access',
  'proxy/routing',
];
/** Signs, which takes `node:crypto`; reads no clock and waits for nothing either. */
const SIGNER = 'proxy/routing/cookie.ts';
const IMPURE =
  /\b(Date\.now|performance\.now|Math\.random|setTimeout|setInterval|setImmediate|process\.|async |await )|from '(node:|pino|libp2p|@libp2p)/;

function sources(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)));
}

/** The files that `file` imports from this repository, type imports included. */
function importsOf(file: string): string[] {
  const text = readFileSync(join(root, file), 'utf8');
  const specifiers = [...text.matchAll(/(?:from|import)\s*\(?\s*'(\.{1,2}\/[^']+)'/g)].map((match) => match[1]!);
  return specifiers.map((specifier) => normalize(join(dirname(file), specifier)));
}

const files = Object.keys(MAY_IMPORT).flatMap(sources);

test('every layer has sources', () => {
  for (const layer of ['agent', 'certs', 'gossip', 'proxy', 'deploy'])
    expect(sources(layer).length, layer).toBeGreaterThan(0);
});

test('imports follow the arrows', () => {
  const wrong = files.flatMap((file) => {
    const layer = file.split('/')[0]!;
    return importsOf(file)
      .filter((target) => target.split('/')[0] !== layer && !MAY_IMPORT[layer]!.includes(target.split('/')[0]!))
      .map((target) => `${file} -> ${target}`);
  });
  expect(wrong).toEqual([]);
});

test('no file imports itself through others', () => {
  const graph = new Map(files.map((file) => [file, importsOf(file)]));
  const done = new Set<string>();
  const cycles: string[] = [];
  const visit = (file: string, path: readonly string[]): void => {
    if (path.includes(file)) cycles.push([...path.slice(path.indexOf(file)), file].join(' -> '));
    else if (!done.has(file)) {
      for (const target of graph.get(file) ?? []) visit(target, [...path, file]);
      done.add(file);
    }
  };
  for (const file of files) visit(file, []);
  expect(cycles).toEqual([]);
});

test('protocol cores hold no clock, timer, randomness, socket, promise or logger', () => {
  const pure = files.filter((file) => file !== SIGNER && PURE.some((path) => file.startsWith(path)));
  const wrong = pure.flatMap((file) =>
    readFileSync(join(root, file), 'utf8')
      .split('\n')
      .filter((line) => IMPURE.test(line) && !/^\s*(\*|\/\/|\/\*)/.test(line))
      .map((line) => `${file}: ${line.trim()}`),
  );
  expect(wrong).toEqual([]);
});

test('foreign calls live in one file', () => {
  const koffi = files.filter((file) =>
    /from 'koffi'|import\('koffi'\)|require\('koffi'\)/.test(readFileSync(join(root, file), 'utf8')),
  );
  expect(koffi).toEqual(['agent/capture/linux.ts']);
});

test('what runs in a browser takes nothing from the agent but types of its shapes, how patches are applied and documents signed', () => {
  const web = 'agent/console/web/';
  const MAY_TYPE = ['agent/console/shapes/', 'agent/console/live/frames.ts', 'agent/mesh-query/shapes.ts'];
  const MAY_RUN = ['agent/console/live/patch.ts', 'agent/console/signing.ts'];
  const wrong = sources('agent/console/web').flatMap((file) =>
    [...readFileSync(join(root, file), 'utf8').matchAll(/^(?:import|export)\b[^;]*?from '(\.{1,2}\/[^']+)'/gm)]
      .map((match) => ({ statement: match[0], target: normalize(join(dirname(file), match[1]!)) }))
      .filter(({ target }) => !target.startsWith(web) && !MAY_RUN.includes(target))
      .filter(
        ({ statement, target }) =>
          !statement.startsWith('import type ') || !MAY_TYPE.some((path) => target.startsWith(path)),
      )
      .map(({ target }) => `${file} -> ${target}`),
  );
  expect(wrong).toEqual([]);
});
