import fc from 'fast-check';
import { expect, test } from 'vitest';
import { binomialAtLeast, poissonInterval, rateRatioP, wilson } from '../../../models/rollout/statistics.ts';

/** scipy 1.10: binom.sf(k - 1, n, p); chi2.ppf(.025, 2k) / 2, chi2.ppf(.975, 2k + 2) / 2. */
test.each([
  [3, 10, 0.5, 0.9453125],
  [25, 25, 0.75, 0.0007525434581650009],
  [7, 1000, 0.002, 0.004485778759591443],
  [600, 1000, 0.55, 0.0007933693696643445],
  [100_000, 300_000, 0.33, 5.27055624336344e-5],
])('P(at least %i of %i, each with chance %d)', (k, n, p, expected) => {
  expect(binomialAtLeast(k, n, p) / expected).toBeCloseTo(1, 7);
});

test.each([
  [0, 0, 3.6888794541139354],
  [1, 0.025317807984289876, 5.571643390938898],
  [5, 1.6234863901184207, 11.66833207932267],
  [100, 81.36399125092314, 121.62679379242638],
  [12_345, 12128.18090789908, 12564.722206913333],
])('the mean behind %i events', (count, low, high) => {
  const interval = poissonInterval(count);
  expect(interval.low).toBeCloseTo(low, 6);
  expect(interval.high).toBeCloseTo(high, 6);
});

test('the share behind counts', () => {
  // Wilson (1927), as in Newcombe (1998), table I: 81 of 263, 0 of 20.
  expect(wilson(81, 263).low).toBeCloseTo(0.2553, 4);
  expect(wilson(81, 263).high).toBeCloseTo(0.3662, 4);
  expect(wilson(0, 20)).toEqual({ low: 0, high: expect.closeTo(0.1611, 4) });
  expect(wilson(0, 0)).toEqual({ low: 0, high: 1 });
});

test('whatever a host claims, a probability comes of it, and soon', () => {
  const count = fc.nat({ max: Number.MAX_SAFE_INTEGER });
  const time = fc.double({ min: 1e-6, max: 1e6, noNaN: true });
  fc.assert(
    fc.property(count, time, count, time, (a, s, b, t) => {
      const p = rateRatioP({ count: a, time: s }, { count: b, time: t }, 3);
      expect(p >= 0 && p <= 1).toBe(true);
      const { low, high } = poissonInterval(a);
      expect(low >= 0 && low <= a && high >= a).toBe(true);
    }),
  );
});
