import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Proofs and end-to-end tests wait the longest: begun last, they would be waited for alone. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const waits = ({ moduleId }: TestSpecification): boolean => /\/test\/(proofs|e2e)\//.test(moduleId);
    return [...sorted.filter(waits), ...sorted.filter((file) => !waits(file))];
  }
}

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    setupFiles: ['test/support/say-running.ts'],
    sequence: { sequencer: LongestFirst },
    pool: 'forks',
    // Most tests wait for other programs: four on two processors. (More than 100 % is not taken as such.)
    maxWorkers: 2 * availableParallelism(),
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
