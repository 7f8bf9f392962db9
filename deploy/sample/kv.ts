/** Stands in for Redis where it is not installed: PING, GET, SET, DEL, HINCRBY, HGETALL, in memory, on HOST and PORT. */
import { createServer } from 'node:net';
import { decode, encodeReply, type Reply } from './resp.ts';

const MAX_KEYS = 100_000;
const store = new Map<string, Map<string, string>>();

/** A plain value is a hash with one unnamed field. */
function run([name = '', key = '', ...rest]: readonly string[]): Reply {
  const hash = store.get(key);
  switch (name.toUpperCase()) {
    case 'PING':
      return 'PONG';
    case 'GET':
      return hash?.get('') ?? null;
    case 'SET':
      return put(key, '', rest[0] ?? '') ?? 'OK';
    case 'DEL':
      return store.delete(key) ? 1 : 0;
    case 'HINCRBY': {
      const count = Number(hash?.get(rest[0] ?? '') ?? 0) + Number(rest[1]);
      return Number.isInteger(count) ? (put(key, rest[0] ?? '', String(count)) ?? count) : new Error('not an integer');
    }
    case 'HGETALL':
      return hash ? [...hash].flat() : [];
    default:
      return new Error(`unknown command '${name}'`);
  }
}

function put(key: string, field: string, value: string): Error | undefined {
  if (!store.has(key) && store.size >= MAX_KEYS) return new Error(`full: ${MAX_KEYS} keys`);
  store.set(key, (store.get(key) ?? new Map<string, string>()).set(field, value));
  return undefined;
}

const server = createServer({ noDelay: true }, (socket) => {
  let pending: Buffer = Buffer.alloc(0);
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk: Buffer) => {
    pending = pending.length > 0 ? Buffer.concat([pending, chunk]) : chunk;
    try {
      for (let item = decode(pending, 0); item; item = decode(pending, 0)) {
        pending = pending.subarray(item.next);
        socket.write(encodeReply(Array.isArray(item.value) ? run(item.value.map(String)) : new Error('send an array')));
      }
    } catch (error) {
      socket.end(encodeReply(error as Error));
    }
  });
});
server.listen(Number(process.env.PORT ?? 6379), process.env.HOST ?? '::', () =>
  console.log(
    JSON.stringify({
      time: new Date().toISOString(),
      service: 'redis',
      message: 'listening',
      address: server.address(),
    }),
  ),
);
process.once('SIGTERM', () => process.exit(0));
