import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fitDriftReference } from '../../../core/drift/calibration.ts';
import { type DriftDecision, DriftMonitor } from '../../../core/drift/monitor.ts';
import {
  DAY_MS,
  DISTANCES,
  type DriftReference,
  STATISTIC,
  STATISTICS,
} from '../../../core/drift/reference.ts';
import {
  exceedanceOf,
  overByShiftAlone,
  type Significance,
  significanceOf,
} from '../../../core/drift/significance.ts';
import { runToEnd } from '../../../core/features.ts';
import { Random } from '../../../core/random.ts';

const COUNT = 2880;
const LEVEL = 1e-4;

interface Spread {
  readonly meanD: number;
  readonly sdD: number;
  readonly windows: number;
  readonly largestD: number;
  readonly meanShift: number;
  readonly sdShift: number;
  readonly largestShift: number;
}
const KNOWN: Spread = {
  meanD: 0.2,
  sdD: 0.05,
  windows: 14,
  largestD: 0.3,
  meanShift: 4,
  sdShift: 2,
  largestShift: 9,
};

/** A reference of one metric (and a score), of which only the spread of its windows matters here. */
function spreadOf(spread: Spread): DriftReference {
  const statistics = new Float64Array(STATISTICS);
  statistics[STATISTIC.meanD] = spread.meanD;
  statistics[STATISTIC.sdD] = spread.sdD;
  statistics[STATISTIC.windows] = spread.windows;
  const { largestD, meanShift, sdShift, largestShift } = spread;
  return {
    streams: 2,
    statistics,
    distances: Float64Array.of(largestD, meanShift, sdShift, largestShift),
  } as Partial<DriftReference> as DriftReference;
}
const judge = (spread: Spread, d: number, shift: number, p = LEVEL): Significance =>
  significanceOf(spreadOf(spread), 0, { d, shift, count: COUNT }, p, 0.05);

const spreads = fc.record({
  meanD: fc.double({ min: 0, max: 0.9, noNaN: true }),
  sdD: fc.double({ min: 0, max: 0.3, noNaN: true }),
  windows: fc.integer({ min: 3, max: 60 }),
  largestD: fc.double({ min: 0, max: 1, noNaN: true }),
  meanShift: fc.double({ min: 0, max: 100, noNaN: true }),
  sdShift: fc.double({ min: 0, max: 100, noNaN: true }),
  largestShift: fc.double({ min: 0, max: 300, noNaN: true }),
});
const distances = fc.tuple(
  fc.double({ min: 0, max: 1, noNaN: true }),
  fc.double({ min: 0, max: 1000, noNaN: true }),
);

describe('calibrated p', () => {
  test('never rises with D or with the shift', () => {
    fc.assert(
      fc.property(spreads, distances, distances, (spread, [d, shift], [d2, shift2]) => {
        const near = judge(spread, Math.min(d, d2), Math.min(shift, shift2)).p;
        const far = judge(spread, Math.max(d, d2), Math.max(shift, shift2)).p;
        expect(far).toBeLessThanOrEqual(near);
      }),
    );
  });

  test('is below its level beyond either threshold, and not below both', () => {
    fc.assert(
      fc.property(spreads, distances, (spread, [d, shift]) => {
        const { p, threshold, shiftThreshold } = judge(spread, d, shift);
        const over = exceedanceOf({ d, threshold, shift, shiftThreshold });
        if (over > 1 + 1e-9 && d >= 0.05) expect(p).toBeLessThanOrEqual(LEVEL * (1 + 1e-6));
        // The least D that counts lies above what is rare enough, where the host hardly ever moves.
        if (over < 1 - 1e-9 && threshold > 0.05 + 1e-9) expect(p).toBeGreaterThanOrEqual(LEVEL * (1 - 1e-6));
      }),
    );
  });

  test('what lies no farther than a window of the reference is never over', () => {
    fc.assert(
      fc.property(spreads, fc.double({ min: 0, max: 1, noNaN: true }), (spread, share) => {
        const { largestD, largestShift, windows } = spread;
        const { p } = judge(spread, share * largestD, share * largestShift);
        expect(p).toBeGreaterThanOrEqual(1 / (windows + 1));
      }),
    );
  });

  test('is no smaller than that of a normal level: two-sided, from its mean', () => {
    // P(|Z| > z) from tables, for a mean |Z| of sqrt(2 / pi).
    const mean = Math.sqrt(2 / Math.PI);
    const calm = { ...KNOWN, meanShift: mean, sdShift: 1e-9, largestShift: 0 };
    for (const [z, tail] of [
      [1.959964, 0.05],
      [3.290527, 1e-3],
      [4.417173, 1e-5],
    ] as const) {
      const { p } = judge(calm, 0, z);
      expect(p).toBeGreaterThan(2 * tail);
      expect(p).toBeLessThan(2 * 6 * tail);
    }
  });

  test('two distances are two tests; of one alone, D is judged as if there were no other', () => {
    const both = judge(KNOWN, 0.45, 0);
    const alone = { ...KNOWN, largestD: Number.NaN, meanShift: Number.NaN, sdShift: Number.NaN };
    const one = judge(alone, 0.45, 1e6);
    expect(both.p).toBeCloseTo(2 * one.p, 12);
    expect(one.shiftThreshold).toBe(Number.POSITIVE_INFINITY);
    expect(one.threshold).toBe(judge(KNOWN, 0.45, 0, 2 * LEVEL).threshold);
    // The score is the last stream.
    const ofScore = { ...spreadOf(KNOWN), streams: 1 };
    expect(significanceOf(ofScore, 0, { d: 0.45, shift: 1e6, count: COUNT }, LEVEL, 0.05)).toEqual({
      p: one.p,
      threshold: one.threshold,
      shiftThreshold: Number.POSITIVE_INFINITY,
    });
    // Windows that don't differ say nothing of how far is far.
    expect(judge({ ...KNOWN, meanShift: 0, sdShift: 0 }, 0.45, 1e6).shiftThreshold).toBe(
      Number.POSITIVE_INFINITY,
    );
  });
});

test('the shift decides alone where D is below its threshold', () => {
  const it = { d: 0.3, threshold: 0.6, shift: 12, shiftThreshold: 4 };
  expect([exceedanceOf(it), overByShiftAlone(it)]).toEqual([3, 3]);
  expect(overByShiftAlone({ ...it, d: 0.7 })).toBeNull();
  expect(overByShiftAlone({ ...it, shift: 3 })).toBeNull();
  expect(exceedanceOf({ ...it, shiftThreshold: Number.POSITIVE_INFINITY })).toBe(0.5);
  expect(exceedanceOf({ d: null, threshold: 0.3, shift: null, shiftThreshold: null })).toBe(0);
});

const INTERVAL_MS = 300_000;
const DAY_ROWS = DAY_MS / INTERVAL_MS;
const START_MS = Date.UTC(2026, 0, 5);

/** Every other value rests at 0, the others lie at a level of the day's own: days far apart, and D never above a half. */
function restless(seed: number, days: number): Float64Array {
  const random = new Random(seed);
  const levels = Array.from({ length: days }, () => 5 + 10 * random.float() * random.float());
  return Float64Array.from({ length: days * DAY_ROWS }, (_, row) =>
    row % 2 === 0 ? 0 : (levels[Math.floor(row / DAY_ROWS)] as number) + random.float(),
  );
}

function referenceOf(columns: readonly Float64Array[]): DriftReference {
  const training = {
    columns,
    timeOf: (row: number) => START_MS + row * INTERVAL_MS,
    intervalMs: INTERVAL_MS,
    leastEffects: new Float64Array(columns.length),
  };
  return runToEnd(fitDriftReference(training)) as DriftReference;
}

function decide(
  reference: DriftReference,
  columns: readonly Float64Array[],
  startMs: number,
): DriftDecision[] {
  const monitor = new DriftMonitor(reference, INTERVAL_MS, 'a');
  return Array.from(columns[0] as Float64Array, (_, row) => {
    const values = Float64Array.from(columns.slice(0, -1), (column) => column[row] as number);
    const score = columns.at(-1)?.[row] as number;
    return monitor.update({ timeMs: startMs + row * INTERVAL_MS, values, score, inIncident: false });
  }).flat();
}

describe('a host whose days are unlike each other', () => {
  test('is silent against itself, whatever its days', () => {
    for (let seed = 1; seed <= 5; seed++) {
      const columns = [seed, 100 + seed, 200 + seed].map((each) => restless(each, 14));
      const decisions = decide(referenceOf(columns), columns, START_MS);
      expect(decisions.filter(({ unjudged }) => unjudged === null).length).toBeGreaterThan(25);
      expect(decisions.flatMap(({ streams }) => streams.filter(({ over }) => over))).toEqual([]);
    }
  });

  test('moves by the shift where D can say nothing, and not without it', () => {
    const all = [1, 2, 3].map((seed) => restless(seed, 18));
    const [before, after] = [0, 14].map((day) =>
      all.map((column) => column.subarray(day * DAY_ROWS, (day + 14) * DAY_ROWS)),
    ) as [Float64Array[], Float64Array[]];
    const moved = after.map((column, m) => (m === 0 ? column.map((x) => (x > 0 ? x + 60 : x)) : column));
    const reference = referenceOf(before);
    const decisions = decide(reference, moved, START_MS + 14 * DAY_MS);
    const last = decisions.at(-1) as DriftDecision;
    expect([last.phase, last.streams.map(({ over }) => over)]).toEqual(['drifting', [true, false, false]]);
    const [first] = last.streams;
    expect(first?.d).toBeLessThan(first?.threshold as number);
    expect(first?.shift).toBeCloseTo(30, -1);
    // The same reference as an older model kept it.
    const older = { ...reference, distances: new Float64Array(3 * DISTANCES).fill(Number.NaN) };
    const none = decide(older, moved, START_MS + 14 * DAY_MS);
    expect(none.some(({ streams }) => streams[0]?.over === true)).toBe(false);
  });
});
