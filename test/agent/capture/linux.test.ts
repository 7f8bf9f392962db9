import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { describe, expect, test } from 'vitest';
import { Linux } from '../../../agent/capture/linux.ts';
import { Namespace } from '../../../agent/capture/namespace.ts';
import { OBSTACLE, Pods, path } from './support.ts';

const linux = OBSTACLE === undefined ? Linux.load() : undefined!;
const SOURCES = new URL('../../../agent/capture/', import.meta.url);

/** Runs code in a worker thread that has `linux` and a `namespace` descriptor; resolves to what it posts, or rejects. */
async function inWorker(code: string, namespace: string): Promise<unknown> {
  const source = `
    import { parentPort } from 'node:worker_threads';
    import fs from 'node:fs';
    const { Linux } = await import('${SOURCES}linux.ts');
    const linux = Linux.load();
    const namespace = fs.openSync('${namespace}', 'r');
    const own = () => fs.readlinkSync('/proc/thread-self/ns/net');
    ${code}`;
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`));
  const message = once(worker, 'message').then(([value]) => value as unknown); // rejects with the worker's error
  try {
    return await message;
  } finally {
    await worker.terminate();
  }
}

/** The network namespaces that threads of this process live in. */
function namespacesOfThreads(): Set<string> {
  return new Set(readdirSync('/proc/self/task').map((task) => readlinkSync(`/proc/self/task/${task}/ns/net`)));
}

describe.skipIf(OBSTACLE !== undefined)('linux', () => {
  test('a thread is home again after the function, also when it throws', () => {
    using pods = new Pods();
    using namespace = Namespace.open(linux, { kind: 'path', path: path(pods.pod) });
    const home = readlinkSync('/proc/thread-self/ns/net');
    const away = linux.inNamespace(namespace.fd, () => readlinkSync('/proc/thread-self/ns/net'));
    expect(away).toBe(`net:[${namespace.identity.inode}]`);
    expect(away).not.toBe(home);
    const fail = (): never => {
      throw new Error('inside');
    };
    expect(() => linux.inNamespace(namespace.fd, fail)).toThrow('inside');
    expect(readlinkSync('/proc/thread-self/ns/net')).toBe(home);
    expect(namespacesOfThreads()).toEqual(new Set([home]));
  });

  test('an asynchronous function, and a move within a move, are refused', () => {
    using pods = new Pods();
    using namespace = Namespace.open(linux, { kind: 'path', path: path(pods.pod) });
    expect(() => linux.inNamespace(namespace.fd, async () => 1)).toThrow('synchronous');
    expect(() => linux.inNamespace(namespace.fd, () => linux.inNamespace(linux.home, () => 1))).toThrow('within');
    expect(linux.inNamespace(namespace.fd, () => 1)).toBe(1);
  });

  test('an error names the call, the errno and the address', () => {
    using pods = new Pods();
    using namespace = Namespace.open(linux, { kind: 'path', path: path(pods.pod) });
    const options = { namespace: namespace.fd, family: 4, address: '127.0.0.1', port: 15_001 } as const;
    const fd = linux.openListener(options);
    expect(() => linux.openListener(options)).toThrow(
      expect.objectContaining({
        code: 'EADDRINUSE',
        syscall: 'bind',
        message: expect.stringContaining('tcp 127.0.0.1 port 15001'),
      }),
    );
    linux.close(fd);
    expect(() => linux.inNamespace(1_000_000, () => 1)).toThrow(
      expect.objectContaining({ code: 'EBADF', syscall: 'setns' }),
    );
  });

  test('sockets do not block and are closed on exec', () => {
    using pods = new Pods();
    using namespace = Namespace.open(linux, { kind: 'path', path: path(pods.pod) });
    const bound = { namespace: namespace.fd, family: 4, address: '127.0.0.1', port: 7_000 } as const;
    const fds = [linux.openMarkedSocket(namespace.fd, 4), linux.openListener(bound), linux.openUdp(bound)];
    for (const fd of fds) {
      expect(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8')).toMatch(/^flags:\s+02004002$/m); // CLOEXEC, NONBLOCK, RDWR
      linux.close(fd);
    }
  });

  test('a socket that can not be bound is closed', () => {
    using pods = new Pods();
    using namespace = Namespace.open(linux, { kind: 'path', path: path(pods.pod) });
    const open = (): number => linux.openUdp({ namespace: namespace.fd, family: 4, address: '192.0.2.1', port: 0 });
    const before = readdirSync('/proc/self/fd').length;
    expect(open).toThrow(expect.objectContaining({ code: 'EADDRNOTAVAIL' }));
    expect(readdirSync('/proc/self/fd').length).toBe(before);
  });

  test('a socket may share its port, and may be bound to a foreign address when transparent', () => {
    using pods = new Pods();
    using namespace = Namespace.open(linux, { kind: 'path', path: path(pods.pod) });
    const shared = { namespace: namespace.fd, family: 6, address: '::1', port: 7_000, reusePort: true } as const;
    const foreign = {
      namespace: namespace.fd,
      family: 4,
      address: '192.0.2.1',
      port: 7_001,
      transparent: true,
    } as const;
    const fds = [linux.openListener(shared), linux.openListener(shared), linux.openListener(foreign)];
    expect(fds.map((fd) => linux.localAddress(fd))).toEqual([
      { address: '::1', port: 7_000 },
      { address: '::1', port: 7_000 },
      { address: '192.0.2.1', port: 7_001 },
    ]);
    for (const fd of fds) linux.close(fd);
  });

  test('a worker thread enters and leaves by itself, without moving others', async () => {
    using pods = new Pods();
    const home = readlinkSync('/proc/thread-self/ns/net');
    const [away, back, port] = (await inWorker(
      `const fd = linux.openListener({ namespace, family: 4, address: '127.0.0.1', port: 7002 });
       parentPort.postMessage([linux.inNamespace(namespace, own), own(), linux.localAddress(fd).port]);`,
      path(pods.pod),
    )) as [string, string, number];
    expect(away).not.toBe(home);
    expect([back, port]).toEqual([home, 7_002]);
    expect(namespacesOfThreads()).toEqual(new Set([home]));
  });

  test('a thread that can not come home does not go on, even if the error is swallowed', async () => {
    using pods = new Pods();
    const stranded = inWorker(
      `fs.closeSync(linux.home); // the way back
       try { linux.inNamespace(namespace, own); } catch {}
       let swallowed = 0;
       try { linux.inNamespace(namespace, own); } catch (err) { swallowed = err.code; }
       if (swallowed !== 'WEFT_CAPTURE_STRANDED') parentPort.postMessage('went on');
       setInterval(() => parentPort.postMessage('went on'), 1_000);`,
      path(pods.pod),
    );
    await expect(stranded).rejects.toMatchObject({ code: 'WEFT_CAPTURE_STRANDED' });
  });
});
