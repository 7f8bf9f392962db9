/** Takes the money, or says that it did: POST /charges {user, cents}. */
import { randomUUID } from 'node:crypto';
import { serve } from './http.ts';

serve('payments', ({ method, url, body }) => {
  if (method !== 'POST' || url.pathname !== '/charges') return { status: 404, body: { error: 'POST /charges' } };
  const cents = (body as { cents?: unknown } | undefined)?.cents;
  if (typeof cents !== 'number' || cents <= 0) return { status: 400, body: { error: 'cents: a number above 0' } };
  return { status: 201, body: { id: randomUUID(), cents } };
});
