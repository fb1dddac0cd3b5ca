import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { drawBlocks, percentileInterval } from '../../../core/evaluation/bootstrap.ts';
import { normal } from '../../../core/evaluation/disturbances.ts';
import { Random } from '../../../core/random.ts';

describe('block bootstrap', () => {
  test('draws as many rows as there are, in blocks', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 500 }),
        fc.integer({ min: 1, max: 600 }),
        fc.integer(),
        (rows, length, seed) => {
          const weights = new Float64Array(rows);
          drawBlocks(rows, length, new Random(seed), weights);
          expect(weights.reduce((sum, x) => sum + x, 0)).toBe(rows);
          // Weights change only where a block begins or ends.
          const edges = weights.filter((x, row) => x !== weights[(row + rows - 1) % rows]).length;
          expect(edges).toBeLessThanOrEqual(2 * Math.ceil(rows / length));
        },
      ),
    );
  });

  /** Share of the 95 % intervals of an autocorrelated series' mean that hold the true one. */
  const coverage = (block: number): number => {
    const random = new Random(11);
    const rows = 800;
    const repetitions = 100;
    let covered = 0;
    for (let r = 0; r < repetitions; r++) {
      let level = 0;
      const series = Float64Array.from({ length: rows }, () => {
        level = 0.8 * level + normal(random);
        return level;
      });
      const weights = new Float64Array(rows);
      const draws = Float64Array.from({ length: 120 }, () => {
        drawBlocks(rows, block, random, weights);
        return series.reduce((sum, x, row) => sum + x * (weights[row] as number), 0) / rows;
      });
      const interval = percentileInterval(draws, 0.95);
      if (interval !== null && interval.low <= 0 && interval.high >= 0) covered++;
    }
    return covered / repetitions;
  };

  test('intervals hold the truth about as often as they say; single rows would not', () => {
    expect(coverage(60)).toBeGreaterThan(0.85);
    expect(coverage(1)).toBeLessThan(0.65);
  });

  test('an interval of too few draws is none', () => {
    expect(percentileInterval(new Float64Array(100).fill(Number.NaN), 0.95)).toBeNull();
    const upTo100 = Float64Array.from({ length: 101 }, (_, i) => i);
    const interval = percentileInterval(upTo100, 0.9);
    expect([interval?.low, interval?.high].map((x) => Math.round(x as number))).toEqual([5, 95]);
  });
});
