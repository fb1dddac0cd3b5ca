import { describe, expect, test } from 'vitest';
import { type ShadowComparison, shadowObjections } from '../../core/shadow.ts';

const fine: ShadowComparison = {
  rows: 1000,
  candidate: { flagged: 5, alarms: 1 },
  current: { flagged: 5, alarms: 1 },
  notFinite: 0,
  flat: false,
  allowedAlarms: 2,
};

describe('a model that shall replace another', () => {
  test.each<[string, Partial<ShadowComparison>, string[]]>([
    ['is as good', {}, []],
    ['makes no number of a sample', { notFinite: 2 }, ['no score for 2 of 1000 samples']],
    ['gives one score only', { flat: true }, ['the same score for every sample']],
    ['flags few, though more', { candidate: { flagged: 10, alarms: 1 } }, []],
    [
      'flags many more',
      { candidate: { flagged: 11, alarms: 1 } },
      ['flags 11 of 1000 samples, the current model 5'],
    ],
    [
      'flags many, as the current one does',
      { candidate: { flagged: 40, alarms: 1 }, current: { flagged: 20, alarms: 1 } },
      [],
    ],
    ['alarms beyond the budget', { candidate: { flagged: 5, alarms: 3 } }, ['3 alarms, the budget allows 2']],
    [
      'alarms beyond the budget, as the current one does',
      { candidate: { flagged: 5, alarms: 3 }, current: { flagged: 5, alarms: 3 } },
      [],
    ],
  ])('%s', (_, change, objections) => {
    expect(shadowObjections({ ...fine, ...change })).toEqual(objections);
  });
});
