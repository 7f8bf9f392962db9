/**
 * The console's own files, as the build left them: index.html for every page's path, assets with a hash in their name, which never
 * change. All are read at start: a path of a request never becomes a path of the disk.
 * @module
 */
import { readdirSync, readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { systemCode } from '../errors.ts';
import { send } from './http.ts';

const MAX_FILES = 500;
const MAX_FILE_BYTES = 8 * 1024 * 1024;
const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
  png: 'image/png',
  ico: 'image/x-icon',
  woff2: 'font/woff2',
  json: 'application/json',
  webmanifest: 'application/manifest+json',
};
const NOT_BUILT = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Weft console: not built</title></head>
<body><h1>The console is not built</h1>
<p>This agent runs from sources. <code>npm run build</code> makes the console; then start the agent again.</p>
<p>Its data is there all the same: <a href="/api/v1/topology">/api/v1/topology</a>.</p></body></html>
`;

interface Asset {
  readonly bytes: Buffer;
  /** Made at build. */
  readonly brotli: Buffer | undefined;
  readonly type: string;
}

/** Beside this file in a build; in dist/ of the repository when running from sources. */
export function builtConsole(): string {
  const here = fileURLToPath(new URL('web', import.meta.url));
  const fromSources = fileURLToPath(new URL('../../dist/agent/console/web', import.meta.url));
  return import.meta.url.endsWith('.ts') ? fromSources : here;
}

export class StaticFiles {
  /** By path of the URL. */
  readonly #assets: ReadonlyMap<string, Asset>;

  /** Reads the folder of a build; where there is none, pages say how to make one. */
  constructor(directory: string = builtConsole()) {
    this.#assets = readAssets(directory);
  }

  get isBuilt(): boolean {
    return this.#assets.has('/index.html');
  }

  /** @param path of the URL, without the query */
  answer(request: IncomingMessage, response: ServerResponse, path: string): void {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      send(response, 405, 'use GET\n', { 'content-type': 'text/plain; charset=utf-8', allow: 'GET, HEAD' });
      return;
    }
    const asset = this.#assets.get(path);
    if (asset !== undefined && path !== '/index.html') this.#send(request, response, asset, isHashed(path));
    else if (path.startsWith('/assets/') || !isPage(path)) {
      send(response, 404, 'no such file\n', {
        'content-type': 'text/plain; charset=utf-8',
        'cache-control': 'no-store',
      });
    } else this.#page(request, response);
  }

  /** Of every page: which one it is, the router in it reads from the address. */
  #page(request: IncomingMessage, response: ServerResponse): void {
    const index = this.#assets.get('/index.html');
    if (index !== undefined) this.#send(request, response, index, false);
    else send(response, 200, NOT_BUILT, { 'content-type': TYPES.html!, 'cache-control': 'no-store' });
  }

  #send(request: IncomingMessage, response: ServerResponse, asset: Asset, isImmutable: boolean): void {
    const isBrotli = asset.brotli !== undefined && /\bbr\b/.test(request.headers['accept-encoding']?.toString() ?? '');
    send(response, 200, isBrotli ? asset.brotli! : asset.bytes, {
      'content-type': asset.type,
      'cache-control': isImmutable ? 'public, max-age=31536000, immutable' : 'no-cache',
      vary: 'accept-encoding',
      ...(isBrotli ? { 'content-encoding': 'br' } : {}),
    });
  }
}

function readAssets(directory: string): ReadonlyMap<string, Asset> {
  const assets = new Map<string, Asset>();
  for (const file of filesOf(directory)) {
    const path = `/${relative(directory, file).split(sep).join('/')}`;
    const type = TYPES[path.slice(path.lastIndexOf('.') + 1)];
    if (type === undefined) continue; // such as .br, .map
    const bytes = readFileSync(file);
    if (bytes.length <= MAX_FILE_BYTES) assets.set(path, { bytes, brotli: readIfThere(`${file}.br`), type });
  }
  return assets;
}

function filesOf(directory: string): readonly string[] {
  try {
    const found = readdirSync(directory, { recursive: true, withFileTypes: true });
    return found
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => join(parentPath, name))
      .slice(0, MAX_FILES);
  } catch (err) {
    if (systemCode(err) === 'ENOENT') return [];
    throw err;
  }
}

function readIfThere(file: string): Buffer | undefined {
  try {
    return readFileSync(file);
  } catch {
    return undefined;
  }
}

/** Vite's names: `index-B1x_9f3a.js`. */
function isHashed(path: string): boolean {
  return /^\/assets\/.*-[A-Za-z0-9_-]{8}\.[a-z0-9]+$/.test(path);
}

/** Addresses of pages have names in them that may hold dots, `/traces/ab12` or `/policies/HTTPRoute/shop/web.v2`; files do not look like that. */
function isPage(path: string): boolean {
  return !path.includes('\\') && !path.includes('..') && !/%(2e|2f|5c|00)/i.test(path);
}
