import { describe, expect, it } from 'vitest';
import { packageFolder } from '../../build/licences.ts';
import { summarise } from '../../build/test-summary.ts';

const report = { numPassedTests: 7, numFailedTests: 0, numPendingTests: 0, numTodoTests: 0, testResults: [] };

describe('the closing line of npm test', () => {
  it('names the skipped only where there are any', () => {
    expect(summarise([report])).toEqual({ line: '7 passed, 0 failed', failed: 0 });
    expect(summarise([report, { ...report, numPendingTests: 2 }]).line).toBe(
      '14 passed, 0 failed, 2 skipped',
    );
  });

  it('counts a file that never got to its tests', () => {
    const broken = { status: 'failed', assertionResults: [] };
    const failing = { status: 'failed', assertionResults: [{ status: 'failed' }] };
    expect(summarise([{ ...report, numFailedTests: 1, testResults: [broken, failing] }])).toEqual({
      line: '7 passed, 2 failed',
      failed: 2,
    });
  });

  it('counts a run that ended without a report', () => {
    expect(summarise([report, null])).toEqual({ line: '7 passed, 1 failed', failed: 1 });
  });
});

describe('the package of a bundled file', () => {
  it.each([
    ['cli/main.ts', []],
    ['node_modules/mqtt/build/lib/client.js', ['node_modules/mqtt']],
    ['node_modules/@influxdata/influxdb-client/dist/index.js', ['node_modules/@influxdata/influxdb-client']],
    ['node_modules/a/node_modules/b/x.js', ['node_modules/a/node_modules/b']],
  ])('%s', (input, folder) => {
    expect(packageFolder(input)).toEqual(folder);
  });
});
