/**
 * Runs a script of this repository on the Node it pins, installing what is missing first.
 *
 * Usage: node scripts/with-node.mjs [--system=start|test|bench] [--build] SCRIPT [ARG...]
 *
 * The one file that the system's own Node runs, so it keeps to what Node 18 understands. npm packages are installed when
 * package-lock.json differs from what the last install saw; Debian packages only as root, only where apt-get is, and
 * only when what they provide is absent. --build brings dist/ up to date: what runs from it is what users install,
 * and each thread of it is some 10 MB smaller than one that strips types.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, isAbsolute, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const modules = join(root, 'node_modules');
const pinnedNode = join(modules, 'node', 'bin', 'node');
/** Of sources and packages, for all processes and threads that run them; emptied with each install. */
const compileCache = join(modules, '.cache', 'compiled');

/** Which commands (or files) a purpose needs, and the Debian package that brings each. */
const SYSTEM = {
  start: { nft: 'nftables', ip: 'iproute2', tcpdump: 'tcpdump' },
  test: {
    nft: 'nftables',
    ip: 'iproute2',
    tcpdump: 'tcpdump',
    curl: 'curl',
    openssl: 'openssl',
    'redis-server': 'redis-server',
    chromium: 'chromium',
    promtool: 'prometheus',
  },
  bench: {
    nft: 'nftables',
    ip: 'iproute2',
    nginx: 'nginx-light',
    '/usr/lib/nginx/modules/ngx_stream_module.so': 'libnginx-mod-stream',
    haproxy: 'haproxy',
    wrk: 'wrk',
    h2load: 'nghttp2-client',
    nghttpd: 'nghttp2-server',
  },
};

function installPackages() {
  const stamp = join(modules, '.weft-installed');
  const wanted = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  const found = existsSync(stamp) ? readFileSync(stamp, 'utf8') : '';
  if (found === wanted && existsSync(pinnedNode)) return;
  console.error('installing npm packages (first run, or package-lock.json changed)');
  const npm = process.env.npm_execpath;
  const [command, prefix] = npm ? [process.execPath, [npm]] : ['npm', []];
  run(
    command,
    [...prefix, 'install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error'],
    'npm install failed; its output above says why',
  );
  if (!existsSync(pinnedNode)) fail('the npm package `node` did not unpack its binary; run: npm rebuild node');
  rmSync(compileCache, { recursive: true, force: true });
  writeFileSync(stamp, wanted);
}

function installSystem(purpose) {
  const needs = SYSTEM[purpose] ?? fail(`--system=${purpose}: one of ${Object.keys(SYSTEM).join(', ')}`);
  const missing = [
    ...new Set(
      Object.keys(needs)
        .filter((name) => !onPath(name))
        .map((name) => needs[name]),
    ),
  ];
  if (missing.length === 0 || process.getuid?.() !== 0 || !onPath('apt-get')) return; // the script itself says what it lacks
  console.error(`installing Debian packages: ${missing.join(' ')}`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const install = ['install', '-y', '-qq', '--no-install-recommends', ...missing];
  if (spawnSync('apt-get', install, { env, stdio: 'ignore' }).status === 0) return;
  run('apt-get', ['update', '-qq'], 'apt-get update failed', { env, stdio: ['ignore', 'ignore', 'inherit'] });
  run('apt-get', install, `could not install ${missing.join(' ')}`, { env, stdio: ['ignore', 'ignore', 'inherit'] });
}

function build() {
  run(pinnedNode, [join(root, 'scripts', 'build.ts')], 'the build failed');
}

function onPath(name) {
  if (isAbsolute(name)) return existsSync(name);
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  return folders.some((folder) => folder !== '' && existsSync(join(folder, name)));
}

function run(command, args, problem, options = {}) {
  const { status } = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2], ...options });
  if (status !== 0) fail(problem);
}

function fail(message) {
  console.error(message);
  process.exit(1);
}

/** As the first line of agent/main.ts has it. */
const NODE_FLAGS = ['--max-semi-space-size=2'];

const args = process.argv.slice(2);
const system = args[0]?.startsWith('--system=') ? args.shift().slice('--system='.length) : undefined;
const isBuilt = args[0] === '--build' && args.shift() !== undefined;
installPackages();
if (system !== undefined) installSystem(system);
if (isBuilt) build();

const path = [join(modules, '.bin'), process.env.PATH, '/usr/sbin', '/sbin'].join(delimiter);
// What is built is run as users run it.
const cache = isBuilt ? {} : { NODE_COMPILE_CACHE: compileCache };
const env = { ...process.env, ...cache, PATH: path };
const child = spawn(pinnedNode, [...NODE_FLAGS, ...args], { stdio: 'inherit', env });
// A terminal's Ctrl-C reaches the child by itself; what is sent to this process alone is passed on.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => child.kill('SIGTERM'));
child.on('exit', (code, signal) => process.exit(signal ? 1 : (code ?? 1)));
