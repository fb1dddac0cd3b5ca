import { expect, onTestFinished, test, vi } from 'vitest';
import { MetricForestsScorer } from '../../core/metric-forests.ts';
import { trainModel } from '../../core/train.ts';
import { PROVENANCE, SMALL_SCHEMA, smallSeries } from '../support/series.ts';

/** More than any loop goes through at once, and enough history for a reference of drift. */
const ROWS = 20_000;
const INTERVAL_MS = 60_000;
const MOST_SCORES = 8;
const MOST_COMPARED = 512;

/** A column that tells of each value that is read out of it. */
function counting(column: Float64Array, read: () => void): Float64Array {
  return new Proxy(column, {
    get: (target, key) => {
      if (key === Symbol.iterator) {
        return function* () {
          for (const x of target) {
            read();
            yield x;
          }
        };
      }
      const value: unknown = Reflect.get(target, key, target);
      if (typeof value === 'function') return value.bind(target) as unknown;
      if (typeof key === 'string' && /^\d/.test(key)) read();
      return value;
    },
  });
}

test('no step of a fit reads more than one column once, scores more than a few rows, or compares many values', () => {
  let reads = 0;
  let scores = 0;
  const compared: number[] = [];
  const { score } = MetricForestsScorer.prototype;
  vi.spyOn(MetricForestsScorer.prototype, 'score').mockImplementation(function (
    this: MetricForestsScorer,
    x,
  ) {
    scores++;
    return score.call(this, x);
  });
  const arrays = Object.getPrototypeOf(Float64Array.prototype) as Float64Array;
  const { sort } = arrays;
  vi.spyOn(arrays, 'sort').mockImplementation(function (this: Float64Array, compare) {
    if (compare !== undefined) compared.push(this.length);
    return sort.call(this, compare) as Float64Array;
  });
  onTestFinished(() => void vi.restoreAllMocks());

  const columns = smallSeries(ROWS, 3).map((column) => counting(column, () => reads++));
  const fit = trainModel(SMALL_SCHEMA, columns, { ...PROVENANCE, intervalMs: INTERVAL_MS });
  let most = { reads: 0, scores: 0 };
  for (;;) {
    reads = scores = 0;
    const step = fit.next();
    most = { reads: Math.max(most.reads, reads), scores: Math.max(most.scores, scores) };
    if (step.done !== true) continue;
    expect(step.value.drift?.spanMs).toBe(ROWS * INTERVAL_MS);
    break;
  }
  expect(most.reads).toBeLessThanOrEqual(ROWS);
  expect(most.scores).toBeLessThanOrEqual(MOST_SCORES);
  expect(compared.length).toBeGreaterThan(0);
  expect(Math.max(...compared)).toBeLessThanOrEqual(MOST_COMPARED);
});
