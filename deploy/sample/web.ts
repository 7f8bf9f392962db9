/** The shop's front: GET /?user=NAME looks at the catalog, puts an item into the user's cart and has it paid for. */
import { callJson, serve } from './http.ts';

const catalogUrl = process.env.CATALOG_URL ?? 'http://catalog.shop.weft:8080';
const cartUrl = process.env.CART_URL ?? 'http://cart.shop.weft:8080';
const paymentsUrl = process.env.PAYMENTS_URL ?? 'http://payments.shop.weft:8080';

serve('web', async ({ url }) => {
  if (url.pathname !== '/') return { status: 404, body: { error: `no page ${url.pathname}` } };
  const user = url.searchParams.get('user') ?? 'guest';
  const [catalog, cart, payment] = await Promise.all([
    callJson(`${catalogUrl}/items`),
    callJson(`${cartUrl}/carts/${encodeURIComponent(user)}`, { item: 'coffee' }),
    callJson(`${paymentsUrl}/charges`, { user, cents: 350 }),
  ]);
  return { status: 200, body: { user, catalog, cart, payment } };
});
