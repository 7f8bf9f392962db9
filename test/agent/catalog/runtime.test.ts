/** Languages and frameworks told from real processes: those whose runtime is on this machine, and the rest from what would be read. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { readBuildNotes } from '../../../agent/catalog/runtime/executable.ts';
import { guessFromHeader, guessRuntime, type ProcessClues } from '../../../agent/catalog/runtime/guess.ts';
import { readPackages } from '../../../agent/catalog/runtime/packages.ts';
import { readClues } from '../../../agent/catalog/runtime/process-clues.ts';
import { ProcessTable } from '../../../agent/catalog/runtime/process-table.ts';

let directory: string;
const children: ChildProcess[] = [];
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'weft-runtime-'));
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Runs until it says something. */
async function run(command: string, args: readonly string[], cwd = directory): Promise<number> {
  const child = spawn(command, args, { cwd, stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  await once(child.stdout, 'data');
  return child.pid!;
}

function has(command: string): boolean {
  try {
    execFileSync('sh', ['-c', `command -v ${command}`]);
    return true;
  } catch {
    return false;
  }
}

async function guessOf(pid: number) {
  return guessRuntime((await readClues(pid))!);
}

describe('a process that runs', () => {
  test('Node, with the framework of the nearest package.json', async () => {
    const app = join(directory, 'app', 'src');
    mkdirSync(app, { recursive: true });
    writeFileSync(join(directory, 'app', 'package.json'), '{"dependencies":{"express":"1","fastify":"4"}}');
    writeFileSync(join(app, 'main.js'), 'console.log("up"); setInterval(() => {}, 1000);');
    const pid = await run(process.execPath, ['--no-warnings', join(app, 'main.js')]);
    expect(await guessOf(pid)).toMatchObject({ language: expect.stringMatching(/^Node/), framework: 'Fastify' });
  });

  test.skipIf(!has('python3'))('Python, with the framework that it requires', async () => {
    const app = join(directory, 'py');
    mkdirSync(app);
    writeFileSync(join(app, 'requirements.txt'), 'Flask==3.0\n# a comment\n');
    const pid = await run('python3', ['-u', '-c', 'import time; print("up"); time.sleep(60)'], app);
    expect(await guessOf(pid)).toMatchObject({
      language: expect.stringMatching(/^Python 3\.\d+$/),
      framework: 'Flask',
    });
  });

  test.skipIf(!has('go'))(
    'Go, with its version and modules from the build information',
    { timeout: 120_000 },
    async () => {
      const app = join(directory, 'go');
      mkdirSync(join(app, 'chi'), { recursive: true });
      writeFileSync(
        join(app, 'go.mod'),
        'module example.org/app\n\ngo 1.20\n\nrequire github.com/go-chi/chi/v5 v5.0.0\n\nreplace github.com/go-chi/chi/v5 => ./chi\n',
      );
      writeFileSync(join(app, 'chi', 'go.mod'), 'module github.com/go-chi/chi/v5\n\ngo 1.20\n');
      writeFileSync(join(app, 'chi', 'chi.go'), 'package chi\n\nfunc Up() string { return "up" }\n');
      writeFileSync(
        join(app, 'main.go'),
        'package main\n\nimport (\n"fmt"\n"time"\n"github.com/go-chi/chi/v5"\n)\n\nfunc main() { fmt.Println(chi.Up()); time.Sleep(time.Minute) }\n',
      );
      const env = { ...process.env, GOFLAGS: '-mod=mod', GOPROXY: 'off', GOTOOLCHAIN: 'local' };
      execFileSync('go', ['build', '-o', 'app', '.'], { cwd: app, env });
      const pid = await run(join(app, 'app'), []);
      const version = /go(\d+\.\d+)/.exec(execFileSync('go', ['version'], { encoding: 'utf8' }))![1]!;
      expect(await guessOf(pid)).toEqual({ language: `Go ${version}`, framework: 'chi', by: 'build info' });
    },
  );

  test.skipIf(!has('rustc'))('Rust, by the name that its compiler left', { timeout: 120_000 }, async () => {
    writeFileSync(
      join(directory, 'main.rs'),
      'fn main() { println!("up"); std::thread::sleep(std::time::Duration::from_secs(60)); }\n',
    );
    execFileSync('rustc', ['-o', join(directory, 'rust-app'), join(directory, 'main.rs')]);
    const pid = await run(join(directory, 'rust-app'), []);
    expect(await guessOf(pid)).toMatchObject({ language: expect.stringMatching(/^Rust 1\.\d+$/), by: 'build info' });
  });

  test.skipIf(!has('java'))('Java', { timeout: 60_000 }, async () => {
    writeFileSync(
      join(directory, 'Up.java'),
      'public class Up { public static void main(String[] a) throws Exception { System.out.println("up"); Thread.sleep(60000); } }',
    );
    const pid = await run('java', [join(directory, 'Up.java')]);
    expect(await guessOf(pid)).toMatchObject({ language: expect.stringMatching(/^Java( \d+)?$/) });
  });

  test('is found by the port that it listens on, and not by another', async () => {
    const code =
      'const s = require("node:net").createServer().listen(0, "127.0.0.1", () => console.log(s.address().port));';
    const child = spawn(process.execPath, ['-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
    children.push(child);
    const [said] = (await once(child.stdout, 'data')) as [Buffer];
    const port = Number(String(said));
    const place = { namespace: statSync('/proc/self/ns/net').ino, uid: process.getuid!(), isShared: true };
    const table = await ProcessTable.read();
    expect(await (await table.find({ ...place, ports: [port] }))!.pids()).toEqual([child.pid]);
    expect(await (await table.find({ ...place, ports: [1] }))!.pids()).toEqual([]);
  });
});

describe('traps that a workload sets', () => {
  const place = { root: '', cwd: '/', exe: '/usr/bin/node', argv: ['node'] };

  test('a link, a pipe and a folder in place of package.json are not read', async () => {
    for (const [name, make] of [
      ['link', (path: string) => symlinkSync('/etc/passwd', path)],
      ['pipe', (path: string) => execFileSync('mkfifo', [path])],
      ['folder', (path: string) => mkdirSync(path)],
    ] as const) {
      const cwd = join(directory, `trap-${name}`);
      mkdirSync(cwd);
      make(join(cwd, 'package.json'));
      expect(await readPackages({ ...place, root: cwd, cwd: '/' }), name).toEqual([]);
    }
  });

  test('an executable that lies about its sections yields nothing', async () => {
    const bytes = Buffer.alloc(256, 0xff);
    bytes.writeUInt32BE(0x7f454c46, 0);
    bytes[4] = 2;
    bytes[5] = 1;
    bytes.writeUInt16LE(64, 58);
    const file = join(directory, 'liar');
    for (const at of [64n, 2n ** 63n, 10n ** 12n]) {
      bytes.writeBigUInt64LE(at, 40);
      bytes.writeUInt16LE(2, 60);
      bytes.writeUInt16LE(1, 62);
      writeFileSync(file, bytes);
      await using handle = await open(file);
      expect(await readBuildNotes(handle)).toEqual({ modules: [], compilers: [] });
    }
  });
});

const clues = (exe: string, more: Partial<ProcessClues> = {}): ProcessClues => ({
  exe,
  argv: [],
  mapped: [],
  packages: [],
  compilers: [],
  ...more,
});

test.each<[ProcessClues, object | undefined]>([
  [clues('/root/.nvm/versions/node/v22.3.0/bin/node'), { language: 'Node 22', by: 'executable' }],
  [
    clues('/usr/bin/node', { version: '24.1.0', packages: ['express', '@nestjs/core'] }),
    { language: 'Node 24', framework: 'NestJS', by: 'executable' },
  ],
  [
    clues('/usr/bin/dotnet', { mapped: ['/usr/share/dotnet/shared/Microsoft.NETCore.App/8.0.1/libcoreclr.so'] }),
    { language: '.NET 8', by: 'executable' },
  ],
  [clues('/app/shop', { mapped: ['/app/libcoreclr.so'] }), { language: '.NET', by: 'executable' }],
  [
    clues('/usr/bin/ruby3.1', { packages: ['rails', 'puma'] }),
    { language: 'Ruby 3.1', framework: 'Rails', by: 'executable' },
  ],
  [
    clues('/usr/sbin/php-fpm8.2', { packages: ['laravel/framework'] }),
    { language: 'PHP 8.2', framework: 'Laravel', by: 'executable' },
  ],
  [
    clues('/jdk/bin/java', { version: '1.8.0_402', packages: ['spring-boot-3.2.0'] }),
    { language: 'Java 8', framework: 'Spring Boot', by: 'executable' },
  ],
  [clues('/usr/sbin/nginx'), { software: 'nginx', by: 'executable' }],
  [
    clues('/usr/bin/caddy (deleted)', { goVersion: 'go1.22.1' }),
    { language: 'Go 1.22', software: 'Caddy', by: 'build info' },
  ],
  [clues('/usr/bin/sleep', { compilers: ['GCC: (Debian 12) 12.2.0'] }), undefined],
])('%o', (known, expected) => expect(guessRuntime(known)).toEqual(expected));

test.each([
  ['gunicorn', { language: 'Python' }],
  ['Kestrel', { language: '.NET', framework: 'ASP.NET Core' }],
  ['nginx/1.25.3', { software: 'nginx' }],
  ['my-own-thing', undefined],
])('Server: %s is a hint', (header, expected) => {
  if (expected === undefined) expect(guessFromHeader(header)).toBeUndefined();
  else expect(guessFromHeader(header)).toEqual({ ...expected, by: 'Server header' });
});
