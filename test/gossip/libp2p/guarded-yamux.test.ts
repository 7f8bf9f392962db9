import { multiaddrConnectionPair } from '@libp2p/utils';
import { expect, test } from 'vitest';
import { guardedYamux } from '../../../gossip/libp2p/guarded-yamux.ts';

test('a stream on a connection that closed before it had a muxer throws nothing that nobody can catch', async () => {
  const [local, remote] = multiaddrConnectionPair();
  local.abort(new Error('reset'));
  const muxer = guardedYamux({})().createStreamMuxer(local);
  const opening = Promise.resolve(muxer.createStream());
  // Vitest fails the run on an uncaught exception, which is what plain yamux makes of this.
  await opening.catch(() => undefined);
  const { promise: later, resolve } = Promise.withResolvers<void>();
  setImmediate(resolve);
  await later;
  expect(remote.status).not.toBe('open');
});
