/** Who a program is to the Workload API: real programs in network namespaces and as other users. */

import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import grpc from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Namespace } from '../../../agent/capture/namespace.ts';
import { ip, OBSTACLE, Pods, path } from '../capture/support.ts';
import { World } from './world.ts';

const PROGRAM = join(import.meta.dirname, 'program.ts');
const { PERMISSION_DENIED } = grpc.status;
/** Users that nobody is. */
const [ALICE, BOB] = [61_001, 61_002];

interface Said {
  readonly svids?: readonly { readonly id: string; readonly fingerprint: string }[];
  readonly code?: number;
}

describe.skipIf(OBSTACLE !== undefined)('callers', () => {
  let world: World;
  let running: ChildProcess[];
  beforeEach(async () => {
    running = [];
    world = await new World().start();
    chmodSync(world.directory.path, 0o755); // other users shall reach the socket
  });
  afterEach(async () => {
    for (const child of running) child.kill('SIGKILL');
    await world[Symbol.asyncDispose]();
  });

  /** A program that asks for its SVID, in a namespace or in ours. */
  function ask(options: { namespace?: string; uid?: number } = {}): () => Promise<Said> {
    const { namespace, uid } = options;
    const enter = namespace === undefined ? [] : [`--net=${path(namespace)}`];
    const asUser = uid === undefined ? [] : ['setpriv', '--reuid', String(uid), '--clear-groups'];
    const child = spawn('nsenter', [...enter, ...asUser, process.execPath, PROGRAM, world.socket], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    running.push(child);
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    return async () => JSON.parse((await lines.next()).value as string) as Said;
  }

  async function idsOf(said: Promise<Said>): Promise<readonly string[]> {
    return ((await said).svids ?? []).map(({ id }) => id);
  }

  test('programs in different namespaces get different identities, whatever user they run as', async () => {
    using pods = new Pods();
    using first = Namespace.open(world.linux, { kind: 'path', path: path(pods.pod) });
    using second = Namespace.open(world.linux, { kind: 'path', path: path(pods.outside) });
    const web = world.place('web', { kind: 'netns', path: path(pods.pod) }, first.fd);
    const cart = world.place('cart', { kind: 'netns', path: path(pods.outside) }, second.fd);
    world.place('host', { kind: 'host', uid: ALICE });
    expect(await idsOf(ask({ namespace: pods.pod })())).toEqual([web]);
    expect(await idsOf(ask({ namespace: pods.pod, uid: ALICE })())).toEqual([web]);
    expect(await idsOf(ask({ namespace: pods.outside })())).toEqual([cart]);
    expect(await ask()()).toMatchObject({ code: PERMISSION_DENIED });
  });

  test('programs of the host are told apart by their user', async () => {
    const alice = world.place('alice', { kind: 'host', uid: ALICE });
    const bob = world.place('bob', { kind: 'host', uid: BOB });
    expect(await idsOf(ask({ uid: ALICE })())).toEqual([alice]);
    expect(await idsOf(ask({ uid: BOB })())).toEqual([bob]);
    expect(await ask()()).toMatchObject({ code: PERMISSION_DENIED });
  });

  test('a workload said to have a namespace of its own is nobody when that is the namespace of the agent', async () => {
    using home = Namespace.open(world.linux, { kind: 'host' });
    world.place('web', { kind: 'pid', pid: process.pid }, home.fd);
    expect(await ask()()).toMatchObject({ code: PERMISSION_DENIED });
  });

  test('a namespace made anew under an old name is a stranger until it is brought in', async () => {
    using pods = new Pods();
    const place = () => Namespace.open(world.linux, { kind: 'path', path: path(pods.pod) });
    using old = place();
    const web = world.place('web', { kind: 'netns', path: path(pods.pod) }, old.fd);
    ip('netns', 'del', pods.pod);
    ip('netns', 'add', pods.pod);
    expect(await ask({ namespace: pods.pod })()).toMatchObject({ code: PERMISSION_DENIED });
    world.clear();
    using fresh = place();
    world.place('web', { kind: 'netns', path: path(pods.pod) }, fresh.fd);
    expect(await idsOf(ask({ namespace: pods.pod })())).toEqual([web]);
  });

  test('a namespace that cannot be entered is nobody, and the others are served', async () => {
    world.place('gone', { kind: 'netns', path: '/run/netns/gone' }, 1_000_000); // no such descriptor
    const alice = world.place('alice', { kind: 'host', uid: ALICE });
    expect(await idsOf(ask({ uid: ALICE })())).toEqual([alice]);
  });

  test('a renewed SVID reaches a program in a pod', async () => {
    using pods = new Pods();
    using namespace = Namespace.open(world.linux, { kind: 'path', path: path(pods.pod) });
    const web = world.place('web', { kind: 'netns', path: path(pods.pod) }, namespace.fd);
    const next = ask({ namespace: pods.pod });
    const first = await next();
    world.renew(web);
    const second = await next();
    expect(second.svids![0]!.id).toBe(web);
    expect(second.svids![0]!.fingerprint).not.toBe(first.svids![0]!.fingerprint);
  });
});
