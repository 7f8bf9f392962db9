import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Linux } from '../../../agent/capture/linux.ts';
import { findNamespace, Namespace } from '../../../agent/capture/namespace.ts';
import { Background, ip, OBSTACLE, Pods, path } from './support.ts';

const linux = OBSTACLE === undefined ? Linux.load() : undefined!;
const WAITING = `console.log('ready'); setInterval(() => {}, 1_000);`;

describe.skipIf(OBSTACLE !== undefined)('namespace', () => {
  test('a namespace is the same however it is found', async () => {
    using pods = new Pods();
    await using program = await Background.start(pods.pod, WAITING);
    using byPath = Namespace.open(linux, { kind: 'path', path: path(pods.pod) });
    using byPid = Namespace.open(linux, { kind: 'pid', pid: program.pid });
    using other = Namespace.open(linux, { kind: 'path', path: path(pods.outside) });
    using host = Namespace.open(linux, { kind: 'host' });
    expect(byPid.isSame(byPath.identity)).toBe(true);
    expect(other.isSame(byPath.identity)).toBe(false);
    expect(host.isSame(linux.homeIdentity)).toBe(true);
  });

  test('a pid that was given to another process is not taken for the first', async () => {
    using pods = new Pods();
    await using program = await Background.start(pods.pod, WAITING);
    using namespace = Namespace.open(linux, { kind: 'pid', pid: program.pid });
    using again = Namespace.open(linux, namespace.locator);
    expect(again.isSame(namespace.identity)).toBe(true);
    const reused = { ...namespace.locator, startTicks: 1 };
    expect(() => Namespace.open(linux, reused)).toThrow('its pid was given to another process');
  });

  test('its addresses are those that others can reach', () => {
    using pods = new Pods();
    ip('-n', pods.pod, 'addr', 'add', '169.254.7.7/16', 'dev', 'eth0');
    using namespace = Namespace.open(linux, { kind: 'path', path: path(pods.pod) });
    expect(namespace.addresses(linux)).toEqual([
      { family: 4, address: '10.88.0.1', interface: 'eth0' },
      { family: 6, address: 'fd88::1', interface: 'eth0' },
    ]);
  });

  test.for([
    ['nothing', () => '/run/netns/there-is-no-such', 'WEFT_CAPTURE_NAMESPACE_GONE'],
    ['a namespace of another kind', () => '/proc/self/ns/mnt', 'WEFT_CAPTURE_NAMESPACE_INVALID'],
    ['a file', (pods) => touch(join(pods.directory, 'file')), 'WEFT_CAPTURE_NAMESPACE_INVALID'],
    ['a pipe that would block', (pods) => makePipe(join(pods.directory, 'pipe')), 'WEFT_CAPTURE_NAMESPACE_INVALID'],
  ] as [string, (pods: Pods) => string, string][])('a path to %s is refused with the path named', ([, make, code]) => {
    using pods = new Pods();
    const wrong = make(pods);
    expect(() => Namespace.open(linux, { kind: 'path', path: wrong })).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(wrong) }),
    );
  });

  test('a process that is gone is refused', () => {
    expect(() => Namespace.open(linux, { kind: 'pid', pid: 0x3fffff })).toThrow(
      expect.objectContaining({
        code: 'WEFT_CAPTURE_NAMESPACE_GONE',
        message: expect.stringContaining('process 4194303'),
      }),
    );
  });

  test('a namespace without a name is found among those of processes', async () => {
    using pods = new Pods();
    await using _program = await Background.start(pods.pod, WAITING);
    const { identity } = Namespace.open(linux, { kind: 'path', path: path(pods.pod) });
    using found = findNamespace(linux, identity);
    expect(found?.isSame(identity)).toBe(true);
    expect(findNamespace(linux, { ...identity, inode: 1 })).toBeUndefined();
  });
});

function touch(file: string): string {
  writeFileSync(file, '');
  return file;
}

function makePipe(file: string): string {
  execFileSync('mkfifo', [file]);
  return file;
}
