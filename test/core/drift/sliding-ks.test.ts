import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ksStatistic } from '../../../core/drift/ks.ts';
import {
  ABSENT,
  cellOf,
  cellsOfSample,
  LEFT_OUT,
  MISSING,
  SlidingKs,
} from '../../../core/drift/sliding-ks.ts';

const ascending = (values: readonly number[]): Float64Array => Float64Array.from(values).sort();
const value = fc.oneof(fc.integer({ min: -8, max: 8 }), fc.double({ min: -9, max: 9, noNaN: true }));
const streamed = fc.oneof({ weight: 6, arbitrary: value }, { weight: 1, arbitrary: fc.constant(Number.NaN) });

/** Both one-sided distances, by their definition. */
function differences(values: Float64Array, weights: Float64Array, window: readonly number[]): number[] {
  const cells = window.filter(Number.isFinite).map((x) => cellOf(values, x));
  if (cells.length === 0) return [Number.NaN, Number.NaN];
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  let [upTo, live, greater, less] = [0, 0, 0, 0];
  for (const [cell, weight] of weights.entries()) {
    upTo += weight;
    live += cells.filter((own) => own === cell).length;
    const difference = total * live - cells.length * upTo;
    greater = Math.max(greater, difference);
    less = Math.max(less, -difference);
  }
  return [greater / (cells.length * total), less / (cells.length * total)];
}

describe('equal to recomputation', () => {
  test('after every sample, read or not, with missing values and ties', () => {
    fc.assert(
      fc.property(
        fc.array(value, { minLength: 1, maxLength: 40 }),
        fc.array(fc.tuple(streamed, fc.boolean()), { maxLength: 120 }),
        fc.integer({ min: 1, max: 30 }),
        (reference, samples, capacity) => {
          const sorted = ascending(reference);
          const sliding = new SlidingKs(cellsOfSample(sorted), capacity);
          samples.forEach(([x, read], i) => {
            sliding.update(x);
            const window = samples.slice(Math.max(0, i + 1 - capacity), i + 1).map(([y]) => y);
            const finite = window.filter(Number.isFinite);
            expect([sliding.count, sliding.missing]).toEqual([finite.length, window.length - finite.length]);
            if (!read) return;
            if (finite.length === 0) {
              expect(sliding.d).toBeNaN();
              return;
            }
            const fresh = ksStatistic(ascending(finite), sorted);
            expect([sliding.d, sliding.dGreater, sliding.dLess]).toEqual([
              fresh.d,
              fresh.dGreater,
              fresh.dLess,
            ]);
          });
        },
      ),
      { numRuns: 300 },
    );
  });

  test('where any share of the values goes missing, in windows long enough that the tree is kept and built anew', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 60 }), { minLength: 1, maxLength: 200 }),
        fc.array(fc.integer({ min: -1, max: 61 }), { minLength: 200, maxLength: 400 }),
        fc.integer({ min: 40, max: 200 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.boolean(),
        (reference, samples, capacity, share, fractions) => {
          const cells = cellsOfSample(ascending(reference));
          // Fractions that are whole numbers of 2^-20 of the total: kept exactly, in doubles.
          const weights = fractions ? cells.weights.map((weight) => weight / 2 ** 20) : cells.weights;
          weights[0] = (weights[0] as number) + (fractions ? 1 - reference.length / 2 ** 20 : 0);
          const sliding = new SlidingKs({ values: cells.values, weights }, capacity);
          const values = samples.map((x, i) => (((i * 97) % 101) / 101 < share ? Number.NaN : x));
          for (const [i, x] of values.entries()) {
            sliding.update(x);
            if (i % 2 === 1 && x !== 0) continue;
            const window = values.slice(Math.max(0, i + 1 - capacity), i + 1);
            expect([sliding.dGreater, sliding.dLess]).toEqual(differences(cells.values, weights, window));
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  test('other weights over the same values', () => {
    const sliding = new SlidingKs(cellsOfSample([1, 2, 3]), 4);
    for (const x of [1, 2, 2, 3]) sliding.update(x);
    expect(sliding.d).toBeCloseTo(1 / 12, 14);
    sliding.setWeights(Float64Array.of(0, 1, 0, 2, 0, 1, 0));
    expect(sliding.d).toBe(0);
    sliding.setWeights(Float64Array.of(0, 0.5, 0, 0.25, 0, 0.25, 0));
    expect(sliding.d).toBe(0.25);
  });
});

test('what was left out or absent is neither a value nor missing', () => {
  const sliding = new SlidingKs(cellsOfSample([5]), 3);
  for (const slot of [LEFT_OUT, ABSENT, MISSING, cellOf(sliding.values, 5)]) sliding.push(slot);
  expect([sliding.length, sliding.count, sliding.missing, sliding.leftOut, sliding.d]).toEqual([
    3, 1, 1, 0, 0,
  ]);
  sliding.clear();
  expect([sliding.length, sliding.count, sliding.missing]).toEqual([0, 0, 0]);
  expect(sliding.d).toBeNaN();
});

test('cells lie between and on the values', () => {
  const values = [1, 3];
  expect([0, 1, 2, 3, 4, Number.NaN].map((x) => cellOf(values, x))).toEqual([0, 1, 2, 3, 4, MISSING]);
  expect(cellOf([], 7)).toBe(0);
});

test('a reference of more values than a slot can number is refused', () => {
  const many = Float64Array.from({ length: 32_767 }, (_, i) => i);
  expect(() => new SlidingKs(cellsOfSample(many), 10)).toThrow('cells');
});
