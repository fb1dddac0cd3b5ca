import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  fitIsolationForest,
  type IsolationForest,
  type IsolationTree,
  isolationScore,
  pathLength,
} from '../../core/isolation-forest.ts';
import { averagePathLength } from '../../core/metric-forests.ts';
import { Random } from '../../core/random.ts';
import { TreeShap, treeShap } from '../../core/tree-shap.ts';
import { readOracle } from '../support/oracle.ts';
import { referenceForest } from '../support/reference-forest.ts';

interface ForestOracle {
  readonly psi: number;
  readonly trees: readonly {
    feature: number[];
    left: number[];
    right: number[];
    threshold: number[];
    n: number[];
  }[];
  readonly X: number[][];
  readonly score_samples: number[];
}

describe('isolation-forest', () => {
  test('imported scikit-learn trees score as scikit-learn does, to 1e-12', () => {
    const oracle = readOracle<ForestOracle>('isolation-forest.json.gz');
    const forest: IsolationForest = {
      features: 3,
      rowsPerTree: oracle.psi,
      trees: oracle.trees.map((tree) => ({
        feature: Int32Array.from(tree.feature),
        threshold: Float64Array.from(tree.threshold),
        left: Int32Array.from(tree.left),
        right: Int32Array.from(tree.right),
        samples: Uint32Array.from(tree.n),
      })),
    };
    expect(oracle.X.length).toBe(200);
    oracle.X.forEach((row, i) => {
      expect(Math.abs(-isolationScore(forest, row) - (oracle.score_samples[i] as number))).toBeLessThan(
        1e-12,
      );
    });
  });

  test('c(n) at its fixed points', () => {
    expect([0, 1, 2].map(averagePathLength)).toEqual([0, 0, 1]);
    expect(averagePathLength(256)).toBeCloseTo(10.244770920119917, 12);
  });

  test('an own fit ranks an outlier first, and the same seed gives the same trees', () => {
    const random = new Random(3);
    const rows = Float64Array.from({ length: 3000 }, () => random.float());
    const forest = fitIsolationForest(rows, 3, new Random(9));
    const again = fitIsolationForest(rows, 3, new Random(9));
    expect(again).toEqual(forest);
    const inlier = isolationScore(forest, [0.5, 0.5, 0.5]);
    const outlier = isolationScore(forest, [5, 5, -5]);
    expect(outlier).toBeGreaterThan(0.65);
    expect(inlier).toBeLessThan(0.5);
  });

  test('the fit in place gives the trees of the plain one, and leaves the random numbers where that does', () => {
    const value = fc.oneof(
      fc.double({ min: -1e6, max: 1e6, noNaN: true }),
      fc.constantFrom(0, -0, 1, 5e-324, -5e-324, 1 + 2 ** -52),
    );
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5 }),
        fc.array(value, { minLength: 5, maxLength: 400 }),
        fc.integer({ min: 2, max: 300 }),
        fc.nat(),
        (features, values, rowsPerTree, seed) => {
          const rows = Float64Array.from(values.slice(0, values.length - (values.length % features)));
          const [random, plain] = [new Random(seed), new Random(seed)];
          const options = { trees: 4, rowsPerTree };
          expect(fitIsolationForest(rows, features, random, options)).toEqual(
            referenceForest(rows, features, plain, options),
          );
          expect(random.uint32()).toBe(plain.uint32());
        },
      ),
      { numRuns: 200 },
    );
    const random = new Random(6);
    const rows = Float64Array.from({ length: 60_000 }, () => Math.round(1000 * random.float()) / 10);
    expect(fitIsolationForest(rows, 3, new Random(2))).toEqual(referenceForest(rows, 3, new Random(2)));
  });

  test('all-constant data has one leaf a tree and one score for everything', () => {
    const forest = fitIsolationForest(new Float64Array(600).fill(4), 2, new Random(1), {
      trees: 5,
      rowsPerTree: 64,
    });
    expect(forest.trees.every((tree) => tree.feature.length === 1)).toBe(true);
    expect(isolationScore(forest, [4, 4])).toBe(isolationScore(forest, [9, -9]));
    expect(isolationScore(forest, [4, 4])).toBeCloseTo(0.5, 12);
  });
});

interface ShapOracle {
  readonly cases: readonly {
    readonly d: number;
    readonly max_samples: number;
    readonly X: number[][];
    readonly expected_value: number;
    readonly shap_values: number[][];
    readonly trees: readonly {
      children_left: number[];
      children_right: number[];
      feature: number[];
      threshold: number[];
      n_node_samples: number[];
    }[];
  }[];
}

test('TreeSHAP agrees with shap to 1e-9 and adds up', () => {
  const oracle = readOracle<ShapOracle>('tree-shap.json.gz');
  for (const one of oracle.cases) {
    const forest: IsolationForest = {
      features: one.d,
      rowsPerTree: one.max_samples,
      trees: one.trees.map((tree) => ({
        feature: Int32Array.from(tree.feature),
        threshold: Float64Array.from(tree.threshold),
        left: Int32Array.from(tree.children_left),
        right: Int32Array.from(tree.children_right),
        samples: Uint32Array.from(tree.n_node_samples),
      })),
    };
    one.X.forEach((row, i) => {
      const { values, base } = treeShap(forest, row);
      expect(Math.abs(base - one.expected_value)).toBeLessThan(1e-9);
      (one.shap_values[i] as number[]).forEach((value, j) => {
        expect(Math.abs((values[j] as number) - value)).toBeLessThan(1e-9);
      });
      const mean = forest.trees.reduce((sum, tree) => sum + pathLength(tree, row), 0) / forest.trees.length;
      expect(values.reduce((a, b) => a + b, base)).toBeCloseTo(mean, 9);
    });
  }
});

/** Mean path length where some features are known and the training rows' shares stand for the others. */
function knownPathLength(
  tree: IsolationTree,
  row: ArrayLike<number>,
  known: number,
  node = 0,
  depth = 0,
): number {
  const feature = tree.feature[node] as number;
  const samples = tree.samples[node] as number;
  if (feature < 0) return depth + averagePathLength(samples);
  const [left, right] = [tree.left[node] as number, tree.right[node] as number];
  const below = (child: number): number => knownPathLength(tree, row, known, child, depth + 1);
  if (known & (1 << feature)) {
    return below((row[feature] as number) <= (tree.threshold[node] as number) ? left : right);
  }
  const share = (tree.samples[left] as number) / samples;
  return share * below(left) + (1 - share) * below(right);
}

test('TreeSHAP is the definition: the mean over all orders of what a feature adds when it becomes known', () => {
  const factorial = [1, 1, 2, 6, 24, 120];
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5 }), fc.nat(), (features, seed) => {
      const random = new Random(seed);
      const rows = Float64Array.from({ length: 200 * features }, () => random.below(20));
      const forest = fitIsolationForest(rows, features, random, { trees: 3, rowsPerTree: 64 });
      const row = Array.from({ length: features }, () => 30 * random.float() - 5);
      const worth = Array.from(
        { length: 1 << features },
        (_, known) => forest.trees.reduce((sum, tree) => sum + knownPathLength(tree, row, known), 0) / 3,
      );
      const { values, base } = treeShap(forest, row);
      expect(base).toBeCloseTo(worth[0] as number, 10);
      for (let i = 0; i < features; i++) {
        let expected = 0;
        for (let known = 0; known < worth.length; known++) {
          if (known & (1 << i)) continue;
          const size = Array.from({ length: features }, (_, j) => (known >> j) & 1).reduce(
            (a, b) => a + b,
            0,
          );
          const weight =
            ((factorial[size] as number) * (factorial[features - size - 1] as number)) /
            (factorial[features] as number);
          expected += weight * ((worth[known | (1 << i)] as number) - (worth[known] as number));
        }
        expect(values[i]).toBeCloseTo(expected, 10);
      }
    }),
    { numRuns: 60 },
  );
});

test('TreeSHAP adds up for deep trees of many features, row after row', () => {
  for (const features of [3, 31, 32, 33, 60]) {
    const random = new Random(features);
    const rows = Float64Array.from({ length: 3000 * features }, () => random.float());
    const forest = fitIsolationForest(rows, features, random, { trees: 6, rowsPerTree: 2048 });
    const explainer = new TreeShap(forest);
    const out = new Float64Array(features);
    for (let i = 0; i < 20; i++) {
      const row = Array.from({ length: features }, () => 1.4 * random.float() - 0.2);
      explainer.explain(row, out);
      const mean = forest.trees.reduce((sum, tree) => sum + pathLength(tree, row), 0) / forest.trees.length;
      expect(out.reduce((a, b) => a + b, explainer.base)).toBeCloseTo(mean, 9);
    }
  }
});
