import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CompactForest } from '../../core/compact-forest.ts';
import {
  fitIsolationForest,
  type IsolationForest,
  isolationScore,
  pathLengthSum,
} from '../../core/isolation-forest.ts';
import { Random } from '../../core/random.ts';

interface Shape {
  readonly features: number;
  readonly trees: number;
  readonly rowsPerTree: number;
  readonly seed: number;
  /** Values come again: trees of unequal depth, thresholds that trees share. */
  readonly coarse: boolean;
}

const shapes: fc.Arbitrary<Shape> = fc.record({
  features: fc.integer({ min: 1, max: 9 }),
  trees: fc.integer({ min: 1, max: 11 }),
  rowsPerTree: fc.integer({ min: 2, max: 300 }),
  seed: fc.nat(),
  coarse: fc.boolean(),
});

function forestOf({ features, trees, rowsPerTree, seed, coarse }: Shape): IsolationForest {
  const random = new Random(seed);
  const rows = Float64Array.from({ length: 400 * features }, () =>
    coarse ? random.below(5) : 200 * random.float() - 100,
  );
  return fitIsolationForest(rows, features, random, { trees, rowsPerTree });
}

/** Numbers, thresholds of the forest and what stands beside them, and what is no number. */
function rowsFor(forest: IsolationForest, seed: number, count: number): Float64Array {
  const random = new Random(seed);
  const special = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, -0, 5e-324, 1e300];
  return Float64Array.from({ length: count * forest.features }, () => {
    const kind = random.below(4);
    if (kind === 0) return special[random.below(special.length)] as number;
    if (kind === 1) return 300 * random.float() - 150;
    const { threshold } = forest.trees[random.below(forest.trees.length)] as IsolationForest['trees'][0];
    const cut = threshold[random.below(threshold.length)] as number;
    return kind === 2 ? cut : cut * (1 + (random.below(3) - 1) * 2 ** -52);
  });
}

function expectSameBits(forest: IsolationForest, rows: Float64Array): void {
  const compact = new CompactForest(forest);
  const count = rows.length / forest.features;
  const scores = new Float64Array(count);
  compact.scoreRows(rows, scores);
  for (let i = 0; i < count; i++) {
    const row = rows.subarray(i * forest.features, (i + 1) * forest.features);
    expect(compact.pathLengthSum(row)).toBe(pathLengthSum(forest, row));
    expect(compact.score(row)).toBe(isolationScore(forest, row));
    expect(scores[i]).toBe(isolationScore(forest, row));
  }
}

describe('a compact forest has the bits of the forest it was made of', () => {
  test('whatever its shape, on thresholds and beside them, one by one and in batches', () => {
    fc.assert(
      fc.property(shapes, fc.nat(), fc.integer({ min: 0, max: 30 }), (shape, seed, count) => {
        const forest = forestOf(shape);
        expectSameBits(forest, rowsFor(forest, seed, count));
      }),
      { numRuns: 200 },
    );
  });

  test('over the end of a block, and with thresholds only a float32 apart', () => {
    const forest = forestOf({ features: 3, trees: 100, rowsPerTree: 256, seed: 1, coarse: false });
    expectSameBits(forest, rowsFor(forest, 2, 1027));
    const near = new Random(3);
    const close = Float64Array.from({ length: 1200 }, () => 1 + near.below(1000) * 2 ** -40);
    const fine = fitIsolationForest(close, 3, near, { trees: 20, rowsPerTree: 256 });
    expectSameBits(fine, close);
  });

  test('a forest that fits no word is walked as it is', () => {
    // The ranks of so many features would take more than a megabyte.
    const wide = forestOf({ features: 1, trees: 1, rowsPerTree: 300, seed: 4, coarse: false });
    const features = 1100;
    const forest: IsolationForest = { ...wide, features };
    expectSameBits(forest, rowsFor(forest, 5, 5));
  });

  test('a single leaf', () => {
    const flat = fitIsolationForest(new Float64Array(20).fill(4), 2, new Random(1), {
      trees: 5,
      rowsPerTree: 10,
    });
    expectSameBits(flat, Float64Array.of(4, 4, 9, -9, Number.NaN, 0));
  });
});
