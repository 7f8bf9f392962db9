/**
 * The web part of the console, bundled into dist/agent/console/web with a brotli copy beside each file that shrinks.
 * Left as it is when nothing it is made of has changed since; else a new one is made beside it, so that nobody reads half of one.
 */
import { createHash } from 'node:crypto';
import { existsSync, globSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, constants } from 'node:zlib';
import { build } from 'vite';

const root = join(import.meta.dirname, '..');
const sources = join(root, 'agent', 'console', 'web');
const built = join(root, 'dist', 'agent', 'console', 'web');
/** Bundled too, though they are not in `sources`. */
const ALSO = ['package-lock.json', 'agent/console/live/patch.ts'];
/** Holds the hash of what it was made of. */
const STAMP = '.stamp';
const COMPRESSED = ['**/*.js', '**/*.css', '**/*.html', '**/*.svg'];

/** @returns where it is */
export async function buildConsole(): Promise<string> {
  const stamp = join(built, STAMP);
  const wanted = hashOfSources();
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return built;
  const outDir = `${built}-${process.pid}`;
  try {
    await makeConsole(outDir);
    writeFileSync(join(outDir, STAMP), wanted);
    rmSync(built, { recursive: true, force: true });
    renameSync(outDir, built);
  } finally {
    rmSync(outDir, { recursive: true, force: true }); // dist/ is what users install: nothing half made stays in it
  }
  return built;
}

async function makeConsole(outDir: string): Promise<void> {
  await inProduction(() => build({ configFile: join(sources, 'vite.config.ts'), logLevel: 'warn', build: { outDir } }));
  for (const file of globSync(COMPRESSED, { cwd: outDir })) {
    const params = { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY };
    writeFileSync(join(outDir, `${file}.br`), brotliCompressSync(readFileSync(join(outDir, file)), { params }));
  }
}

/** React is twice as large where the environment says `test`. */
async function inProduction(work: () => Promise<unknown>): Promise<void> {
  const before = process.env.NODE_ENV;
  process.env.NODE_ENV = 'production';
  try {
    await work();
  } finally {
    if (before === undefined) delete process.env.NODE_ENV;
    else process.env.NODE_ENV = before;
  }
}

function hashOfSources(): string {
  const hash = createHash('sha256');
  const files = globSync('**/*.{ts,tsx,css,html,svg,json}', { cwd: sources }).map((file) => join(sources, file));
  for (const file of [...files, ...ALSO.map((file) => join(root, file))].sort()) {
    if (existsSync(file)) hash.update(file).update(readFileSync(file));
  }
  return hash.digest('hex');
}
