import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    // Most tests wait for other programs: two a processor.
    maxWorkers: '200%',
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
