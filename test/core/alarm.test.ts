import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AlarmChannel } from '../../core/alarm.ts';
import {
  countNotifications,
  Falling,
  positionsOver,
  thresholdForBudget as stepwise,
} from '../../core/calibration.ts';
import { runToEnd } from '../../core/features.ts';
import { ForestRelative } from '../../core/forest-relative.ts';
import { spanOf } from '../../core/level-range.ts';
import { quantileSorted } from '../../core/math.ts';
import { Random } from '../../core/random.ts';
import { STUCK_LEAST_SAMPLES } from '../../core/rules.ts';
import { fitSurprise, SurpriseStream } from '../../core/surprise.ts';
import { trainModel } from '../../core/train.ts';
import { PROVENANCE, SMALL_SCHEMA, smallSeries } from '../support/series.ts';

const thresholdForBudget = (
  values: Float64Array,
  ...rest: Parameters<typeof stepwise> extends [unknown, ...infer R] ? R : never
) => runToEnd(stepwise(new Falling(values), ...rest));
const rule = { mergeSamples: 10, renotifySamples: 60 };

describe('notifications', () => {
  test('flags merge over gaps, and a standing alarm is told again each hour', () => {
    expect(countNotifications([1, 5, 15, 26], 4, rule)).toBe(2);
    const standing = Array.from({ length: 150 }, (_, i) => i);
    expect(countNotifications(standing, 150, rule)).toBe(3);
    expect(countNotifications([], 0, rule)).toBe(0);
  });

  test('the largest values come first, equal ones in order, and what is not finite not at all', () => {
    const random = new Random(3);
    for (const distinct of [1, 2, 40, 1e9]) {
      const values = Float64Array.from({ length: 2500 }, (_, i) =>
        i % 50 === 0 ? [Number.NaN, Number.POSITIVE_INFINITY][(i / 50) % 2]! : random.below(distinct),
      );
      const falling = new Falling(values);
      const order = Array.from({ length: falling.length }, (_, i) => falling.at(i));
      const expected = Array.from(values.keys())
        .filter((i) => Number.isFinite(values[i]))
        .sort((a, b) => (values[b] as number) - (values[a] as number) || a - b);
      expect(order).toEqual(expected);
    }
  });

  test('the threshold keeps the budget, and so does every higher one', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e6 }), fc.integer({ min: 4, max: 20 }), (seed, budget) => {
        const random = new Random(seed);
        const values = Float64Array.from({ length: 3000 }, () => 1 / (0.001 + random.float()));
        const { value, provisional } = thresholdForBudget(values, budget, 1, rule);
        expect(provisional).toBe(false);
        for (const factor of [1, 1.5, 3, 100]) {
          const over = positionsOver(values, value * factor);
          expect(countNotifications(over, over.length, rule)).toBeLessThanOrEqual(budget);
        }
      }),
      { numRuns: 30 },
    );
  });

  test('a short history is extrapolated upwards and says so', () => {
    const random = new Random(1);
    const values = Float64Array.from({ length: 200 }, () => 1 / (0.01 + random.float()));
    const short = thresholdForBudget(values, 0.01, 1, rule);
    expect(short.provisional).toBe(true);
    expect(short.value).toBeGreaterThan(Math.max(...values));
    const rarer = thresholdForBudget(values, 0.01, 1 / 30, rule);
    expect(rarer.value).toBeGreaterThan(short.value);
  });

  test('nothing to learn from gives a threshold that is finite', () => {
    for (const values of [
      new Float64Array(0),
      new Float64Array(100),
      new Float64Array(50).fill(Number.NaN),
    ]) {
      const { value } = thresholdForBudget(values, 1, 1, rule);
      expect(Number.isFinite(value)).toBe(true);
    }
  });

  test('what two triggers flag together is paid for once', () => {
    const values = new Float64Array(1000);
    for (const at of [100, 300, 500, 700, 900]) values[at] = at;
    const alone = thresholdForBudget(values, 5, 1, rule);
    const together = thresholdForBudget(values, 5, 1, rule, [100, 300, 500]);
    expect(together.value).toBe(alone.value);
    const beside = thresholdForBudget(values, 5, 1, rule, [150, 350, 550]);
    expect(beside.value).toBeGreaterThan(alone.value);
  });
});

test('the running median is the median of the window', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 20, maxLength: 600 }), (scores) => {
      const relative = new ForestRelative();
      scores.forEach((score, i) => {
        const ratio = relative.update(score);
        const before = scores.slice(Math.max(0, i - 240), i).sort((a, b) => a - b);
        expect(ratio).toBe(i < 15 ? 1 : score / quantileSorted(before, 0.5));
      });
    }),
    { numRuns: 30 },
  );
});

describe('surprise', () => {
  const columns = smallSeries(1000, 4);
  const scales = Float64Array.from([100, 100, 1e5, 100]);
  const model = runToEnd(fitSurprise(SMALL_SCHEMA, columns, scales));

  test('contributions add up to s', () => {
    const stream = new SurpriseStream(model);
    for (let t = 0; t < 300; t++) {
      const row = columns.map((column) => column[t] as number);
      if (t === 150) row[0] = 99;
      if (t % 11 === 0) row[2] = Number.NaN;
      const s = stream.update(row);
      expect(stream.contributions.reduce((a, b) => a + b)).toBeCloseTo(s, 9);
      expect(s).toBeGreaterThanOrEqual(0);
    }
  });

  test('a jump surprises, and a state taken up through JSON goes on with the same bits', () => {
    const stream = new SurpriseStream(model);
    const rows = Array.from({ length: 200 }, (_, t) => columns.map((column) => column[t] as number));
    for (const row of rows.slice(0, 100)) stream.update(row);
    const copy = new SurpriseStream(model);
    copy.restore(JSON.parse(JSON.stringify(stream.state())));
    for (const row of rows.slice(100)) expect(copy.update(row)).toBe(stream.update(row));
    const calm = stream.update(rows[199] as number[]);
    expect(stream.update([99, 40, 5e6, 0])).toBeGreaterThan(10 * calm);
  });

  test('a metric that jumps all the time is silenced', () => {
    const stream = new SurpriseStream(model);
    const row = columns.map((column) => column[0] as number);
    let first = 0;
    let last = 0;
    for (let t = 0; t < 400; t++) {
      const s = stream.update([t % 2 === 0 ? 5 : 95, ...row.slice(1)]);
      if (t === 10) first = s;
      last = s;
    }
    expect(last).toBeLessThan(first / 4);
  });
});

describe('rules', () => {
  const model = runToEnd(trainModel(SMALL_SCHEMA, smallSeries(2000, 2), PROVENANCE));
  const row = (t: number): number[] => [15 + (t % 7), 40 + (t % 5) * 0.1, 40_000 + (t % 13) * 100, 0];

  test('a metric that leaves its constant is named after three samples, once a level', () => {
    const channel = new AlarmChannel(model);
    const swap = (value: number, t: number): number =>
      channel.update([...row(t).slice(0, 3), value], 1)[2]?.value ?? 0;
    expect([0, 1, 2].map((t) => swap(0, t))).toEqual([0, 0, 0]);
    expect(swap(8, 3)).toBe(0);
    expect(swap(8, 4)).toBe(0);
    expect(swap(8, 5)).toBeGreaterThan(1);
    expect(channel.readings[2]?.metric).toBe(3);
    channel.acknowledge('constant', [...row(5).slice(0, 3), 8]);
    for (let t = 6; t < 20; t++) expect(swap(8, t)).toBe(0);
    for (let t = 20; t < 23; t++) swap(30, t);
    expect(channel.readings[2]?.value).toBeGreaterThan(1);
  });

  const minutes = { ...PROVENANCE, intervalMs: 60_000 };

  test('after less than a day of history nothing is stuck: a quiet host stands still', () => {
    expect([...model.stillness.longestRuns]).toEqual(SMALL_SCHEMA.map(() => 0));
  });

  test('a sensor that stands still is stuck, and not before it stood longer than ever', () => {
    const model = runToEnd(trainModel(SMALL_SCHEMA, smallSeries(2000, 2), minutes));
    const channel = new AlarmChannel(model);
    for (let t = 0; t < 20; t++) channel.update(row(t), 1);
    const longest = Math.max(4 * (model.stillness.longestRuns[0] as number), STUCK_LEAST_SAMPLES);
    let fired = -1;
    for (let t = 1; t <= 4 * longest && fired < 0; t++) {
      const readings = channel.update([17, ...row(t).slice(1)], 1);
      if ((readings[4]?.value ?? 0) > 1) fired = t;
    }
    expect(fired).toBeGreaterThan(longest - 2);
    expect(channel.readings[4]?.metric).toBe(0);
  });

  test('at rest it is not stuck: at zero, or at an end of its range that it kept coming back to', () => {
    const columns = smallSeries(1440, 4);
    // Never below 3, as a host that always has work: there for a tenth of the time.
    const resting = columns.map((column, i) =>
      i === 0 ? column.map((x, t) => (t % 10 === 0 ? 3 : x + 4)) : column,
    );
    const trained = runToEnd(trainModel(SMALL_SCHEMA, resting, minutes));
    const stuckAt = (x: number): boolean => {
      const channel = new AlarmChannel(trained);
      return Array.from({ length: 500 }, (_, t) => {
        const values = [x, ...resting.slice(1).map((column) => column[t] as number)];
        return channel.update(values, 1)[4]?.value ?? 0;
      }).some((value) => value > 1);
    };
    expect([3, 0, 17].map(stuckAt)).toEqual([false, false, true]);
  });

  describe('a metric that leaves its range', () => {
    const DAY_ROWS = 1440;
    const daily = runToEnd(trainModel(SMALL_SCHEMA, smallSeries(2 * DAY_ROWS, 2), minutes));
    const calm = smallSeries(400, 3);
    const sample = (t: number, more: number): number[] =>
      calm.map((column, i) => (column[t % 400] as number) + (i === 1 ? more : 0));
    const width = (daily.ranges.highs[1] as number) - (daily.ranges.lows[1] as number);

    test('creeping is enough, once for each further quarter of the range', () => {
      const channel = new AlarmChannel(daily);
      const told: number[] = [];
      for (let t = 0; t < 400; t++) {
        const values = sample(t, Math.max(0, t - 100) * 0.03 * width);
        const reading = channel.update(values, 1)[3];
        if ((reading?.value ?? 0) <= 1) continue;
        expect(reading?.metric).toBe(1);
        told.push(t);
        channel.acknowledge('range', values);
      }
      expect(told.length).toBeGreaterThanOrEqual(3);
      // Over ten ranges: each telling widens the range by a quarter at least.
      expect(told.length).toBeLessThanOrEqual(Math.log(10) / Math.log(1.25) + 1);
      expect(told[0]).toBeGreaterThan(110);
    });

    test('nothing of the training is beyond it, nor a single spike', () => {
      const channel = new AlarmChannel(daily);
      const columns = smallSeries(2 * DAY_ROWS, 2);
      for (let t = 0; t < 2 * DAY_ROWS; t++) {
        const values = columns.map((column) => column[t] as number);
        if (t === 500) values[1] = 100 * width;
        expect(channel.update(t === 500 ? sample(t, 0) : values, 1)[3]?.value).toBe(0);
      }
    });

    test('less than a day of history bears no range', () => {
      const short = runToEnd(trainModel(SMALL_SCHEMA, smallSeries(DAY_ROWS - 1, 2), minutes));
      expect(Array.from(short.ranges.lows)).toEqual([Number.NaN, Number.NaN, Number.NaN, Number.NaN]);
      const channel = new AlarmChannel(short);
      for (let t = 0; t < 400; t++) expect(channel.update(sample(t, t * width), 1)[3]?.value).toBe(0);
    });

    test('levels are taken up through JSON with the same bits; after a gap they begin anew', () => {
      const channel = new AlarmChannel(daily);
      for (let t = 0; t < 100; t++) channel.update(sample(t, 0), 1);
      const copy = new AlarmChannel(daily);
      copy.restore(JSON.parse(JSON.stringify(channel.state())));
      for (let t = 100; t < 300; t++) {
        const values = sample(t, (t - 100) * 0.02 * width);
        expect(copy.update(values, 1)[3]?.value).toBe(channel.update(values, 1)[3]?.value);
      }
      expect(channel.readings[3]?.value).toBeGreaterThan(1);
      channel.afterGap();
      for (let t = 0; t < spanOf(60_000) - 1; t++) {
        expect(channel.update(sample(t, 100 * width), 1)[3]?.value).toBe(0);
      }
    });
  });
});
