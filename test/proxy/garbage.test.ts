import fc from 'fast-check';
import { expect, test } from 'vitest';
import { GarbagePace } from '../../proxy/garbage.ts';

test('what passes between two collections is bounded, however it is cut', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 65_536 }), { minLength: 600, maxLength: 2_000 }), (reads) => {
      let since = 0;
      const pace = new GarbagePace(() => {
        since = 0;
      });
      for (const bytes of reads) {
        since += bytes;
        pace.passed(bytes);
        expect(since).toBeLessThan(24 * 1024 * 1024 + 65_536);
      }
    }),
    { numRuns: 20 },
  );
});
