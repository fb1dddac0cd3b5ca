import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fitDriftReference, slotSamples } from '../../../core/drift/calibration.ts';
import { cellDistance, stabilityIndex, wasserstein } from '../../../core/drift/distance.ts';
import { ksStatistic } from '../../../core/drift/ks.ts';
import {
  chooseKnots,
  countCells,
  countSorted,
  DAY_MS,
  type DriftReference,
  expectedWeights,
  isProvisional,
  KNOTS,
  knotsOf,
  partWeights,
  quantileCells,
  statisticOf,
  TRIM,
  WEEK_MS,
  weekendShare,
} from '../../../core/drift/reference.ts';
import { runToEnd } from '../../../core/features.ts';
import { quantileSorted } from '../../../core/math.ts';
import { Random } from '../../../core/random.ts';

const MINUTE_MS = 60_000;
const MONDAY_MS = Date.UTC(2026, 0, 5);
const ascending = (values: ArrayLike<number>): Float64Array => Float64Array.from(values).sort();

describe('knots', () => {
  test('D at the knots is below the D of all values by at most the share between two', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e6 }), fc.integer({ min: 300, max: 3000 }), (seed, size) => {
        const random = new Random(seed);
        const round = random.below(2) === 1;
        const draw = (shift: number): number => {
          const x = random.float() + random.float() + shift;
          return round ? Math.round(100 * x) / 100 : x;
        };
        const all = ascending(Array.from({ length: size }, () => draw(0)));
        const live = ascending(Array.from({ length: 200 }, () => draw(0.2)));
        const knots = chooseKnots(all);
        expect(knots.length).toBeLessThanOrEqual(KNOTS);
        expect(countSorted(live, knots)).toEqual(countCells(live, knots));
        const atKnots = cellDistance(countCells(all, knots), countCells(live, knots));
        const { d } = ksStatistic(all, live);
        expect(atKnots).toBeLessThanOrEqual(d + 1e-12);
        expect(d - atKnots).toBeLessThanOrEqual(1 / (KNOTS - 1) + 1 / size);
      }),
      { numRuns: 100 },
    );
  });

  test('few distinct values are all kept, and D is exact', () => {
    const all = ascending([0, 0, 0, 1, 1, 5]);
    expect(Array.from(chooseKnots(all))).toEqual([0, 1, 5]);
    expect(Array.from(countCells([0, 0.5, 5, 9, Number.NaN], chooseKnots(all)))).toEqual([
      0, 1, 1, 0, 0, 1, 1,
    ]);
    expect(Array.from(chooseKnots(new Float64Array()))).toEqual([]);
  });
});

describe('distances', () => {
  const reference = {
    values: Float64Array.of(0, 1, 2, 3),
    weights: Float64Array.of(0, 1, 0, 1, 0, 1, 0, 1, 0),
  };

  test('Wasserstein is the mean way of a value', () => {
    expect(wasserstein(reference, [0, 1, 0, 1, 0, 1, 0, 1, 0])).toBe(0);
    expect(wasserstein(reference, [0, 0, 0, 2, 0, 0, 0, 2, 0])).toBeCloseTo(0.5, 12);
    expect(wasserstein(reference, [0, 0, 0, 0, 0, 0, 0, 4, 0])).toBeCloseTo(1.5, 12);
    // All of them 2 beyond the last knot.
    expect(wasserstein(reference, [0, 0, 0, 0, 0, 0, 0, 0, 4], 2)).toBeCloseTo(3.5, 12);
  });

  /** Mean difference of the sorted values, so many at either end left out. */
  const bySorting = (a: readonly number[], b: readonly number[], leftOut: number): number => {
    const [x, y] = [a, b].map((values) => [...values].sort((p, q) => p - q)) as [number[], number[]];
    const ways = x.map((value, i) => Math.abs(value - (y[i] as number))).slice(leftOut, a.length - leftOut);
    return ways.reduce((sum, way) => sum + way, 0) / ways.length;
  };

  test('Wasserstein is the mean difference of sorted values, trimmed or not', () => {
    const values = fc.array(fc.integer({ min: -30, max: 30 }), { minLength: 40, maxLength: 40 });
    fc.assert(
      fc.property(values, values, (before, live) => {
        // All values are knots, so that the cells know them exactly.
        const knots = chooseKnots(ascending([...before, ...live]));
        const cells = { values: knots, weights: Float64Array.from(countCells(before, knots)) };
        const counts = countCells(live, knots);
        expect(wasserstein(cells, counts)).toBeCloseTo(bySorting(before, live, 0), 9);
        expect(wasserstein(cells, counts, 0, TRIM)).toBeCloseTo(bySorting(before, live, 2), 9);
      }),
    );
  });

  test('trimmed, it is blind to a few spikes, and all beyond the knots count as they are', () => {
    const before = Array.from({ length: 100 }, (_, i) => i % 50);
    const knots = chooseKnots(ascending(before));
    const cells = { values: knots, weights: Float64Array.from(countCells(before, knots)) };
    const way = (live: readonly number[], trim: number): number => {
      const beyond = live.reduce((sum, x) => sum + Math.max(0, -x, x - 49), 0) / live.length;
      return wasserstein(cells, countCells(live, knots), beyond, trim);
    };
    const spikes = before.map((x, i) => (i < 4 ? 1e6 : x));
    expect(way(spikes, 0)).toBeGreaterThan(10_000);
    expect(way(spikes, TRIM)).toBeLessThan(3);
    for (const shift of [80, 1000, -200]) {
      const moved = before.map((x) => x + shift);
      expect(way(moved, 0)).toBeCloseTo(bySorting(before, moved, 0), 9);
      expect(way(moved, TRIM)).toBeCloseTo(bySorting(before, moved, 5), 9);
    }
  });

  test('PSI is 0 for the same shares, and grows with what moved', () => {
    expect(stabilityIndex(reference.weights, [0, 5, 0, 5, 0, 5, 0, 5, 0])).toBe(0);
    const some = stabilityIndex(reference.weights, [0, 4, 0, 5, 0, 5, 0, 6, 0]);
    const more = stabilityIndex(reference.weights, [0, 1, 0, 1, 0, 5, 0, 13, 0]);
    expect(some).toBeCloseTo(-0.05 * Math.log(0.8) + 0.05 * Math.log(1.2), 12);
    expect(more).toBeGreaterThan(0.25);
    expect(stabilityIndex(reference.weights, [0, 0, 0, 0, 0, 0, 0, 0, 4])).toBeLessThan(100);
  });
});

/** Weekdays around 10, two days a week around 4, from a Saturday 07:00 UTC on; the second stream knows no week. */
function weekly(days: number, startMs = MONDAY_MS): DriftReference {
  const random = new Random(3);
  const rows = days * 1440;
  const saturdayMs = MONDAY_MS + 5 * DAY_MS + 6 * 3_600_000;
  const noise = (): number => random.float() + random.float() - 1;
  const columns = [
    Float64Array.from({ length: rows }, (_, row) => {
      const since = startMs + row * MINUTE_MS - saturdayMs;
      return (since - Math.floor(since / WEEK_MS) * WEEK_MS < 2 * DAY_MS ? 4 : 10) + noise();
    }),
    Float64Array.from({ length: rows }, noise),
    Float64Array.from({ length: rows }, () => 7),
    new Float64Array(rows).fill(Number.NaN),
  ];
  const reference = runToEnd(
    fitDriftReference({
      columns,
      timeOf: (row) => startMs + row * MINUTE_MS,
      intervalMs: MINUTE_MS,
      leastEffects: new Float64Array(columns.length),
    }),
  );
  return reference as DriftReference;
}

describe('calibration', () => {
  test('the weekend is found where it lies, by the streams that have one', () => {
    const reference = weekly(15);
    expect(reference.weekendMs).toBe((MONDAY_MS + 5 * DAY_MS + 6 * 3_600_000) % WEEK_MS);
    expect([0, 1, 2, 3].map((stream) => statisticOf(reference, stream, 'weekly'))).toEqual([1, 0, 0, 0]);
    // Each kind of day is close to its own.
    expect(statisticOf(reference, 0, 'meanD')).toBeLessThan(0.1);
    const { values, weights } = expectedWeights(reference, 0, 1);
    const low = weights.reduce((sum, weight, cell) => sum + ((values[cell >> 1] ?? 99) < 6 ? weight : 0), 0);
    expect(low / weights.reduce((sum, weight) => sum + weight, 0)).toBeGreaterThan(0.95);
    const mixture = expectedWeights(reference, 0, 0.25).weights;
    expect(mixture.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 12);
    expect(isProvisional(reference)).toBe(false);
  });

  test('constants and metrics never seen have a reference, too', () => {
    const reference = weekly(15);
    expect(Array.from(knotsOf(reference, 2))).toEqual([7]);
    expect([statisticOf(reference, 2, 'meanD'), statisticOf(reference, 2, 'spread')]).toEqual([0, 0]);
    expect(knotsOf(reference, 3)).toHaveLength(0);
    expect(statisticOf(reference, 3, 'missing')).toBe(1);
    expect(partWeights(reference, 3)).toHaveLength(1);
  });

  test('shorter history: shorter windows, and provisional', () => {
    const spans = [14, 6, 3, 1, 0.25].map((days) => weekly(days));
    expect(spans.map(({ windowMs }) => windowMs / 3_600_000)).toEqual([24, 24, 12, 3, 1]);
    expect(spans.map(isProvisional)).toEqual([false, true, true, true, true]);
    expect(weekly(0.2)).toBeNull();
    expect(Number.isNaN((spans[1] as DriftReference).weekendMs)).toBe(true);
  });

  test('the same rows give the same reference', () => {
    expect(weekly(3)).toEqual(weekly(3));
  });

  test('a window holds at most 2,880 values', () => {
    expect([5000, 10_000, 30_000, 7000].map((interval) => slotSamples(DAY_MS, interval))).toEqual([
      6, 3, 1, 5,
    ]);
  });
});

test('the share of the weekend in a time span', () => {
  const weekendMs = (MONDAY_MS + 5 * DAY_MS) % WEEK_MS;
  const share = (fromDay: number, toDay: number): number =>
    weekendShare(weekendMs, MONDAY_MS + fromDay * DAY_MS, MONDAY_MS + toDay * DAY_MS);
  expect([share(0, 1), share(4.5, 5.5), share(5, 7), share(6.75, 7.75), share(0, 14)]).toEqual([
    0,
    0.5,
    1,
    0.25,
    2 / 7,
  ]);
  expect(weekendShare(Number.NaN, 0, DAY_MS)).toBe(0);
});

describe('distance from 33 quantiles', () => {
  /** Two-sample Kolmogorov-Smirnov D by its definition. */
  const exact = (a: readonly number[], b: readonly number[]): number =>
    Math.max(
      ...[...a, ...b].map((x) =>
        Math.abs(a.filter((y) => y <= x).length / a.length - b.filter((y) => y <= x).length / b.length),
      ),
    );

  const distanceFrom = (quantiles: Float64Array, tested: readonly number[]): number => {
    const { values, weights } = quantileCells(quantiles);
    return cellDistance(weights, countCells(tested, values));
  };

  test('is below the D of all rows by at most 1/32 and a row', () => {
    const values = fc.array(fc.integer({ min: 0, max: 40 }), { minLength: 60, maxLength: 120 });
    fc.assert(
      fc.property(values, values, (trained, tested) => {
        const sorted = trained.slice().sort((a, b) => a - b);
        const quantiles = Float64Array.from({ length: 33 }, (_, i) => quantileSorted(sorted, i / 32));
        const d = distanceFrom(quantiles, tested);
        const slack = 1 / 32 + 2 / trained.length;
        expect(Math.abs(d - exact(trained, tested))).toBeLessThanOrEqual(slack);
      }),
    );
  });

  test('what is unknown has none', () => {
    expect(distanceFrom(new Float64Array(33).fill(Number.NaN), [1])).toBeNaN();
    expect(distanceFrom(new Float64Array(33), [])).toBeNaN();
    expect(distanceFrom(new Float64Array(33), [0, 0])).toBe(0);
    expect(distanceFrom(new Float64Array(33), [5, 5])).toBe(1);
  });
});
