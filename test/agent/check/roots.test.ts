/** What `weft check` says of roots. */
import { expect, test } from 'vitest';
import { checkRoots } from '../../../agent/check/roots.ts';
import { makeRoot } from '../../../certs/trust-domain.ts';

const DAY_MS = 86_400_000;
const NOW_MS = Date.UTC(2026, 0, 1);

function root(ttlMs = 100 * DAY_MS) {
  return makeRoot('test.example', { name: 'root', ttlMs, nowMs: NOW_MS }).certificate;
}

const fine = { peersAlive: 2, strangers: 0 };

test('one root with time ahead is fine', () => {
  expect(checkRoots({ ...fine, roots: [root()] }, NOW_MS)).toMatchObject({ status: 'ok' });
});

test('two of them are a rotation that somebody should finish', () => {
  const result = checkRoots({ ...fine, roots: [root(), root()] }, NOW_MS);
  expect(result).toMatchObject({
    status: 'warn',
    detail: expect.stringContaining('a rotation of the root is under way'),
  });
});

test('one with less than a tenth of its life ahead is to be replaced', () => {
  const roots = [root()];
  expect(checkRoots({ ...fine, roots }, NOW_MS + 89 * DAY_MS)).toMatchObject({ status: 'ok' });
  const result = checkRoots({ ...fine, roots }, NOW_MS + 91 * DAY_MS);
  expect(result).toMatchObject({ status: 'warn', fix: expect.stringContaining('rotate-root begin') });
});

test('a node whom all refuse is told what it may have missed, and one that some refuse is not', () => {
  const roots = [root()];
  const alone = checkRoots({ roots, peersAlive: 0, strangers: 3 }, NOW_MS);
  expect(alone).toMatchObject({ status: 'fail', fix: expect.stringContaining('copy rotation.json') });
  expect(checkRoots({ roots, peersAlive: 1, strangers: 3 }, NOW_MS)).toMatchObject({ status: 'ok' });
});
