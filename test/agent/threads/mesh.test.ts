import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { describe, expect, test, vi } from 'vitest';
import { MeshThread } from '../../../agent/threads/mesh.ts';
import { gossipConfig } from '../../../gossip/config.ts';
import { endpoint, Realm, View } from '../../gossip/support/mesh.ts';

class ThreadView extends View {
  readonly failures: Error[] = [];
  readonly failedOnce = Promise.withResolvers<void>();

  failed(err: Error): void {
    this.failures.push(err);
    this.failedOnce.resolve();
  }
}

function start(realm: Realm, name: string, seeds: readonly string[] = [], listen = '127.0.0.1:0') {
  const view = new ThreadView();
  const config = gossipConfig.parse({ listen, seeds, dataDirectory: join(realm.directory, 'data', name) });
  const options = { config, nodeBundleDirectory: realm.bundle(name), logLevel: 'fatal' as const, events: view };
  return { view, started: MeshThread.start(options, new AbortController().signal) };
}

describe('the mesh thread', () => {
  test('publishes and reports members, endpoints and stats across the thread boundary', async () => {
    using realm = new Realm();
    const first = start(realm, 'a');
    await using a = await first.started;
    const second = start(realm, 'b', [a.address]);
    await using b = await second.started;
    a.publish([endpoint('a')]);
    b.publish([endpoint('b')]);
    for (const { view } of [first, second]) {
      await view.untilEndpoints('a/web/http', 'b/web/http');
      await view.until(() => view.members_.every((member) => member.state === 'alive' && member.endpoints === 1));
    }
    expect(a.members().map(({ name }) => name)).toEqual(['a', 'b']);
    expect(await a.stats()).toMatchObject({ links: 1, endpoints: 2, members: { alive: 2 } });
    expect(() => a.publish([endpoint('b')])).toThrow('its id must begin with a/');

    await b.close();
    await first.view.untilEndpoints('a/web/http');
    expect(first.view.state('b')).toBe('left');
    await expect(b.stats()).rejects.toThrow('gossip is closed');
  });

  test('rejects its start with the reason of the thread', async () => {
    using realm = new Realm();
    const first = start(realm, 'a');
    await using a = await first.started;
    await expect(start(realm, 'b', [], a.address).started).rejects.toThrow(`${a.address}: cannot listen`);
    expect(first.view.failures).toEqual([]);
  });

  test('says so once when the thread dies, and answers nothing afterwards', async () => {
    using realm = new Realm();
    const { view, started } = start(realm, 'a');
    await using mesh = await started;
    await threadOf(mesh).terminate();
    await view.failedOnce.promise;
    expect(view.failures.map(({ message }) => message)).toEqual(['mesh thread ended with code 1']);
    await expect(mesh.stats()).rejects.toThrow('gossip is closed');
    await mesh.close();
    expect(view.failures).toHaveLength(1);
  });

  test('gives up its start when it is aborted', async () => {
    using realm = new Realm();
    const config = gossipConfig.parse({ listen: '127.0.0.1:0', dataDirectory: join(realm.directory, 'data') });
    const stop = new AbortController();
    const events = new ThreadView();
    const options = { config, nodeBundleDirectory: realm.bundle('a'), logLevel: 'fatal' as const, events };
    const started = MeshThread.start(options, stop.signal);
    stop.abort(new Error('stop'));
    await expect(started).rejects.toThrow();
    expect(events.failures).toEqual([]);
  });
});

/** The thread behind a handle, by what the handle says to it. */
function threadOf(mesh: MeshThread): Worker {
  const spy = vi.spyOn(Worker.prototype, 'postMessage');
  mesh.publish([]);
  const [worker] = spy.mock.contexts;
  spy.mockRestore();
  return worker as unknown as Worker;
}
