import fc from 'fast-check';
import { expect, test } from 'vitest';
import { operatorFigures } from '../../../core/evaluation/verdicts.ts';

const NONE = { trueAlerts: 0, falseAlerts: 0, benignAlerts: 0, missed: 0 };

test('benign counts as false in precision, and not at all in recall', () => {
  const counts = { trueAlerts: 6, falseAlerts: 1, benignAlerts: 1, missed: 2 };
  const { precision, recall, f1 } = operatorFigures(counts);
  expect([precision, recall, f1]).toEqual([0.75, 0.75, 0.75]);
  expect(operatorFigures({ ...counts, benignAlerts: 0, falseAlerts: 2 })).toEqual({ precision, recall, f1 });
});

test('null only where there is nothing to divide by', () => {
  expect(operatorFigures(NONE)).toEqual({ precision: null, recall: null, f1: null });
  expect(operatorFigures({ ...NONE, missed: 1 })).toEqual({ precision: null, recall: 0, f1: 0 });
  expect(operatorFigures({ ...NONE, benignAlerts: 1 })).toEqual({ precision: 0, recall: null, f1: 0 });
});

test('F1 is the harmonic mean of the two, wherever both are there', () => {
  const count = fc.nat(1000);
  fc.assert(
    fc.property(count, count, count, count, (trueAlerts, falseAlerts, benignAlerts, missed) => {
      const { precision, recall, f1 } = operatorFigures({ trueAlerts, falseAlerts, benignAlerts, missed });
      for (const share of [precision, recall, f1])
        if (share !== null) expect(share >= 0 && share <= 1).toBe(true);
      if (precision === null || recall === null || trueAlerts === 0) return;
      expect(f1).toBeCloseTo((2 * precision * recall) / (precision + recall), 12);
    }),
  );
});
