/** What the shop sells: GET /items. VERSION=v2 knows ratings, so that one can see which version answered. */
import { serve } from './http.ts';

const version = process.env.VERSION ?? 'v1';

const items = [
  { name: 'coffee', cents: 350, rating: 4.8 },
  { name: 'tea', cents: 300, rating: 4.5 },
  { name: 'cake', cents: 420, rating: 4.9 },
];

serve('catalog', ({ url }) => {
  if (url.pathname !== '/items') return { status: 404, body: { error: `no page ${url.pathname}` } };
  const shown = version === 'v1' ? items.map(({ name, cents }) => ({ name, cents })) : items;
  return { status: 200, body: { version, items: shown } };
});
