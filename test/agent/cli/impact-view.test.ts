/** What a dry run prints of the requests of the last hour. */
import { expect, test } from 'vitest';
import { impactText } from '../../../agent/cli/impact-view.ts';
import type { AffectedView, ImpactView } from '../../../agent/documents/views.ts';

const all: ImpactView['coverage'] = { asked: 2, answered: 2, missing: [] };
const denied: AffectedView = {
  service: 'shop/web',
  to: 'shop/cart',
  requests: 1_200,
  changed: 1_150,
  unknown: 50,
  how: ['denied, status 403: shop/no-web rule 1', 'it hangs on what was not kept'],
};

test('callers are listed with what would become of their requests, and who did not answer is named', () => {
  const notReplayed = { ...denied, service: 'shop/batch', changed: null, unknown: 30, how: [] };
  const missing = [{ node: 'n3', reason: 'late' as const, lastHeardMs: null, endpoints: 4 }];
  const coverage = { asked: 3, answered: 2, missing };
  expect(impactText({ counted: 2_000, affected: [denied, notReplayed], coverage }).split('\n')).toEqual([
    '  of the last hour (2 of 3 nodes answered, not n3 (late)):',
    '    CALLER      CALLED     REQUESTS  DIFFERENT  NOT KNOWN  HOW',
    `    shop/web    shop/cart  1200      1150       50         ${denied.how.join('; ')}`,
    '    shop/batch  shop/cart  1200      -          30         -',
    '',
  ]);
});

test('none that would end differently is another answer than none that was counted', () => {
  expect(impactText({ counted: 7, affected: [], coverage: all })).toBe(
    '  of 7 requests of the last hour none would end differently (2 of 2 nodes answered)\n',
  );
  expect(impactText({ counted: 0, affected: [], coverage: all })).toBe(
    '  whose requests would end differently is not known: none of the last hour was counted (2 of 2 nodes answered)\n',
  );
});

test('of many callers twenty are listed, and the rest is counted', () => {
  const affected = Array.from({ length: 23 }, (_, i) => ({ ...denied, service: `shop/caller-${i}` }));
  const lines = impactText({ counted: 1, affected, coverage: all }).split('\n');
  expect(lines.filter((line) => line.includes('shop/caller-'))).toHaveLength(20);
  expect(lines.at(-2)).toBe('    and 3 more; -o json has them all');
});
