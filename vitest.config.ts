import { defineConfig } from 'vitest/config';

/** One run holds every suite. `test/netns/` builds namespaces of fixed names, so its files run one after another. */
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Against what hangs, not against what is slow: two files share two processors, with agents and browsers of their own.
    testTimeout: 60_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 20_000 } },
    pool: 'forks',
    maxWorkers: 2,
  },
});
