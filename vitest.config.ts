import { defineConfig } from 'vitest/config';

/** One run holds every suite. `test/netns/` builds namespaces of fixed names, so its files run one after another. */
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    pool: 'forks',
    maxWorkers: 2,
  },
});
