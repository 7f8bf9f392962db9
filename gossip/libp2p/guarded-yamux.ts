/**
 * yamux, without a race that ends the process.
 *
 * @libp2p/yamux 8.0.3 announces a new stream in a microtask of its own (muxer.js, `onCreateStream`). When the connection
 * closed in between, that write throws where nobody can catch it: a peer that resets its connection at the right moment
 * would end the agent. A write on a closed connection says "wait until it drains" here instead, and the close that
 * follows ends the wait.
 * @module
 */
import { type StreamMuxerFactory, StreamStateError } from '@libp2p/interface';
import { type YamuxMuxerInit, yamux } from '@libp2p/yamux';

export function guardedYamux(init: YamuxMuxerInit): () => StreamMuxerFactory {
  const factory = yamux(init)();
  return () => ({
    protocol: factory.protocol,
    createStreamMuxer: (connection) => {
      const send = connection.send.bind(connection);
      connection.send = (data) => {
        try {
          return send(data);
        } catch (err) {
          if (err instanceof StreamStateError) return false;
          throw err;
        }
      };
      return factory.createStreamMuxer(connection);
    },
  });
}
