/** The part of vitest's JSON report that the closing line is made of. */
export interface VitestReport {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests?: number;
  readonly testResults: readonly {
    readonly status: string;
    readonly assertionResults: readonly { readonly status: string }[];
  }[];
}

/**
 * A file that fails outside its tests (a syntax error, a failing hook) counts as one failure.
 * @param reports one a run; null: it ended without one, which is a failure
 */
export function summarise(reports: readonly (VitestReport | null)[]): { line: string; failed: number } {
  let [passed, failed, skipped] = [0, 0, 0];
  for (const report of reports) {
    passed += report?.numPassedTests ?? 0;
    failed += report === null ? 1 : report.numFailedTests + brokenFiles(report);
    skipped += (report?.numPendingTests ?? 0) + (report?.numTodoTests ?? 0);
  }
  const line = `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
  return { line, failed };
}

function brokenFiles({ testResults }: VitestReport): number {
  return testResults.filter(
    ({ status, assertionResults }) =>
      status === 'failed' && !assertionResults.some((assertion) => assertion.status === 'failed'),
  ).length;
}
