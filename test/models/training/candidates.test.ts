import { describe, expect, test } from 'vitest';
import {
  CANDIDATES_MAX,
  candidatesOf,
  candidateWords,
  defaultGrid,
  gridOf,
  trainingOptions,
} from '../../../models/training/candidates.ts';

const both = defaultGrid(['metric-forests', 'isolation-forest'], 1, null);

describe('candidates', () => {
  test('all combinations, the recipe first; windows are none of a standard forest', () => {
    const all = candidatesOf(both);
    expect(all.map(candidateWords)).toEqual([
      'metric-forests, 4 x 256, windows 15/60, 1 a day',
      'metric-forests, 4 x 256, windows 5/20, 1 a day',
      'metric-forests, 16 x 256, windows 15/60, 1 a day',
      'metric-forests, 16 x 256, windows 5/20, 1 a day',
      'isolation-forest, 100 x 256, 1 a day',
    ]);
  });

  test('a contamination stands in place of the budget', () => {
    const [first] = candidatesOf(defaultGrid(['isolation-forest'], 1, 0.01));
    expect(first).toMatchObject({ budgetPerDay: null, contamination: 0.01 });
    expect(trainingOptions(first!)).toMatchObject({ contamination: 0.01, detector: 'isolation-forest' });
  });

  test('another budget keeps the distances of the severities', () => {
    const [half] = candidatesOf(defaultGrid(['metric-forests'], 0.5, null));
    const { budget } = trainingOptions(half!);
    expect(budget.infoPerDay).toBe(0.5);
    expect(budget.infoPerDay / budget.warningPerDay).toBeCloseTo(7, 12);
  });

  test('too many are refused, not tried for a week', () => {
    const trees = Array.from({ length: CANDIDATES_MAX }, (_, i) => i + 1);
    expect(() => candidatesOf({ ...both, trees })).toThrow(/the grid has \d+ candidates, at most 200/);
  });
});

describe('a grid that somebody wrote', () => {
  test('what is named twice is meant once', () => {
    expect(gridOf({ trees: [4, 4], windows: ['15/60', '15/60'] }, 'g.yaml', both)).toMatchObject({
      trees: [4],
      windows: [{ short: 15, long: 60 }],
    });
  });

  test('values and lists; what it does not name stays', () => {
    const grid = gridOf({ trees: [4, 8], windows: '15/60', contamination: 0.05 }, 'g.yaml', both);
    expect(grid).toEqual({
      ...both,
      trees: [4, 8],
      windows: [{ short: 15, long: 60 }],
      contamination: [0.05],
    });
  });

  test.each([
    [null, 'g.yaml: expected a map'],
    [[1], 'g.yaml: expected a map'],
    [
      { tree: 4 },
      'unknown "tree", expected detector, trees, rowsPerTree, windows, budgetPerDay, contamination',
    ],
    [{ budgetPerDay: 1, contamination: 0.01 }, 'budgetPerDay and contamination: either decides'],
    [{ trees: 0 }, 'trees: expected a whole number from 1 to 1000, or a list of such, found 0'],
    [{ trees: [] }, 'trees: expected a whole number'],
    [{ rowsPerTree: 1 }, 'rowsPerTree: expected'],
    [{ windows: '60/15' }, 'windows: expected SHORT/LONG in samples'],
    [{ windows: 15 }, 'windows: expected SHORT/LONG'],
    [{ contamination: 0.6 }, 'contamination: expected a share above 0, up to 0.5'],
    [{ budgetPerDay: -1 }, 'budgetPerDay: expected alarms a day, above 0'],
    [{ detector: 'lof' }, 'detector: expected metric-forests or isolation-forest'],
  ])('%j', (document, message) => {
    expect(() => gridOf(document, 'g.yaml', both)).toThrow(message);
  });
});
