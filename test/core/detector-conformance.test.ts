import { describe, expect, test } from 'vitest';
import { createDetector } from '../../core/create-detector.ts';
import { runToEnd } from '../../core/features.ts';
import { fitIsolationForest, isolationScore } from '../../core/isolation-forest.ts';
import { IsolationForestDetector } from '../../core/isolation-forest-detector.ts';
import { quantileSorted } from '../../core/math.ts';
import { Random } from '../../core/random.ts';
import { trainModel } from '../../core/train.ts';
import { detectorConformance } from '../conformance/detector.ts';
import { PROVENANCE, SMALL_SCHEMA, smallSeries } from '../support/series.ts';

const columns = smallSeries(1200, 5);
const rows = Array.from({ length: 300 }, (_, t) => columns.map((column) => column[t] as number));

const model = runToEnd(trainModel(SMALL_SCHEMA, columns, PROVENANCE));
detectorConformance('metric-forests', {
  make: () => createDetector(model),
  rows,
  metric: 0,
  extreme: 97,
});

const flat = Float64Array.from({ length: 1200 * 4 }, (_, i) => columns[i % 4]?.[Math.floor(i / 4)] as number);
const forest = fitIsolationForest(flat, 4, new Random(3), { trees: 30, rowsPerTree: 128 });
const fills = Float64Array.from(columns, (column) => quantileSorted(column.slice().sort(), 0.5));
const make = (): IsolationForestDetector =>
  new IsolationForestDetector({ schema: SMALL_SCHEMA, forest, fills });
detectorConformance('isolation-forest', { make, rows, metric: 0, extreme: 97 });

describe('isolation-forest behind the seam', () => {
  test('scores as the bare forest does; what is missing is filled with what was handed in', () => {
    const detector = make();
    for (const row of rows) expect(detector.score(row)).toBe(isolationScore(forest, row));
    detector.score([Number.NaN, 1, 2, Number.NaN]);
    expect(Array.from(detector.inputs())).toEqual([fills[0], 1, 2, fills[3]]);
  });

  test('explains the negated mean path length: 2 to the explained over c(n) is the score', () => {
    const detector = make();
    const score = detector.score(rows[5] as number[]);
    const c = 2 * (Math.log(127) + 0.5772156649015329) - (2 * 127) / 128;
    expect(2 ** (detector.explained() / c)).toBeCloseTo(score, 12);
  });

  test('a model that does not fit together is refused', () => {
    const refused = (more: object) => () =>
      new IsolationForestDetector({ schema: SMALL_SCHEMA, forest, fills, ...more });
    expect(refused({ fills: Float64Array.of(1) })).toThrow(RangeError);
    expect(refused({ fills: Float64Array.of(1, 2, 3, Number.NaN) })).toThrow(RangeError);
    expect(refused({ schema: SMALL_SCHEMA.slice(1) })).toThrow(RangeError);
    expect(refused({ forest: { ...forest, trees: [] } })).toThrow(RangeError);
    expect(refused({ forest: { ...forest, rowsPerTree: 1 } })).toThrow(RangeError);
  });
});
