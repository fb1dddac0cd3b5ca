import { describe, expect, test } from 'vitest';
import { fisherLess, judgeConcept, poissonTail } from '../../../core/drift/concept.ts';

const verdicts = (trueAlerts: number, falseAlerts: number) => ({ trueAlerts, falseAlerts });
const quiet = {
  before: verdicts(0, 0),
  recent: verdicts(0, 0),
  recentAlerts: 0,
  budgetedAlerts: 7,
  inputDrift: false,
};

test('tails are those of the tables', () => {
  // Fisher's tea tasting: 3 of 4 right; P(X >= 3) = 17/70, so P(X <= 2) = 53/70.
  expect(fisherLess(verdicts(2, 2), verdicts(2, 2))).toBeCloseTo(53 / 70, 12);
  expect(fisherLess(verdicts(0, 4), verdicts(4, 0))).toBeCloseTo(1 / 70, 12);
  expect(poissonTail(0, 3)).toBe(1);
  expect(poissonTail(1, 2)).toBeCloseTo(1 - Math.exp(-2), 12);
  expect(poissonTail(5, 2)).toBeCloseTo(0.052653017, 8);
  expect(poissonTail(1, 0)).toBe(0);
});

describe('signs', () => {
  test('none without evidence', () => {
    expect(judgeConcept(quiet)).toMatchObject({ signs: [], precisionBefore: null, precisionP: 1 });
    expect(judgeConcept({ ...quiet, recentAlerts: 14 }).signs).toEqual([]);
  });

  test('precision that falls, by enough verdicts', () => {
    expect(judgeConcept({ ...quiet, before: verdicts(18, 2), recent: verdicts(2, 8) })).toMatchObject({
      signs: ['precision'],
      precisionBefore: 0.9,
      precisionRecent: 0.2,
    });
    expect(judgeConcept({ ...quiet, before: verdicts(18, 2), recent: verdicts(0, 4) }).signs).toEqual([]);
    expect(judgeConcept({ ...quiet, before: verdicts(2, 8), recent: verdicts(18, 2) }).signs).toEqual([]);
    // Beyond doubt, but of no matter.
    expect(judgeConcept({ ...quiet, before: verdicts(1990, 10), recent: verdicts(1800, 200) }).signs).toEqual(
      [],
    );
  });

  test('alerts beyond the budget, unless the metrics explain them', () => {
    const many = { ...quiet, recentAlerts: 30 };
    expect(judgeConcept(many).signs).toEqual(['alertRate']);
    expect(judgeConcept({ ...many, inputDrift: true }).signs).toEqual([]);
  });
});
