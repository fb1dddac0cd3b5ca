export interface WordCounts {
  readonly trueAlerts: number;
  readonly falseAlerts: number;
  /** Right, but nobody needed them: for whoever was called, false alarms. */
  readonly benignAlerts: number;
  /** Times at which something was wrong and no incident stood. */
  readonly missed: number;
}

/**
 * Precision, recall and F1 (van Rijsbergen 1979) of what operators said; null where there is nothing to divide by.
 * Nobody needed what was benign, so nothing was missed by not telling of it: recall leaves it out.
 */
export function operatorFigures({ trueAlerts, falseAlerts, benignAlerts, missed }: WordCounts): {
  readonly precision: number | null;
  readonly recall: number | null;
  readonly f1: number | null;
} {
  const wrong = falseAlerts + benignAlerts;
  return {
    precision: share(trueAlerts, trueAlerts + wrong),
    recall: share(trueAlerts, trueAlerts + missed),
    f1: share(2 * trueAlerts, 2 * trueAlerts + wrong + missed),
  };
}

const share = (part: number, whole: number): number | null => (whole === 0 ? null : part / whole);
