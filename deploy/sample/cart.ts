/** Who has what in the cart: POST /carts/USER {item} adds one, GET /carts/USER lists. Kept in Redis, over plain TCP. */
import { log, serve } from './http.ts';
import { RedisClient } from './redis-client.ts';

const redis = new RedisClient(new URL(process.env.REDIS_URL ?? 'redis://redis.shop.weft:6379'), (message, facts) =>
  log('cart', message, facts),
);

serve('cart', async ({ method, url, body }) => {
  const user = /^\/carts\/([^/]+)$/.exec(url.pathname)?.[1];
  if (!user) return { status: 404, body: { error: '/carts/USER' } };
  if (method === 'POST') {
    const item = (body as { item?: unknown } | undefined)?.item;
    if (typeof item !== 'string') return { status: 400, body: { error: 'item: a name' } };
    return { status: 200, body: { item, count: await redis.command('HINCRBY', `cart:${user}`, item, '1') } };
  }
  const flat = (await redis.command('HGETALL', `cart:${user}`)) as string[];
  const items = flat.flatMap((item, i) => (i % 2 === 0 ? [{ item, count: Number(flat[i + 1]) }] : []));
  return { status: 200, body: { user, items } };
});
