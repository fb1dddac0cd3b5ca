import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    // Most tests wait for other programs: three on two processors. (More than 100 % is not taken as such.)
    maxWorkers: Math.ceil(1.5 * availableParallelism()),
    // Only what hangs runs into these: a machine with other load must not turn a test red.
    testTimeout: 180_000,
    hookTimeout: 180_000,
    coverage: {
      provider: 'v8',
      include: ['core/**/*.ts', 'collector/**/*.ts', 'agent/**/*.ts'],
      reporter: ['text-summary'],
      thresholds: { lines: 90 },
    },
  },
});
