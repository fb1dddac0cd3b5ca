import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { exp, ln, medianDeviation, quantileSorted, sortedFinite } from '../../core/math.ts';
import { Random } from '../../core/random.ts';

const relative = (a: number, b: number): number => Math.abs(a - b) / Math.max(Math.abs(b), Number.MIN_VALUE);

describe('ln and exp', () => {
  test('agree with the platform to 4 ulp', () => {
    fc.assert(
      fc.property(fc.double({ min: 1e-300, max: 1e300, noNaN: true }), (x) => {
        expect(Math.abs(ln(x) - Math.log(x))).toBeLessThanOrEqual(1e-15 * Math.max(1, Math.abs(Math.log(x))));
      }),
    );
    fc.assert(
      fc.property(fc.double({ min: -700, max: 700, noNaN: true }), (x) => {
        expect(relative(exp(x), Math.exp(x))).toBeLessThan(1e-15);
      }),
    );
  });

  test('have the right ends', () => {
    expect(ln(0)).toBe(Number.NEGATIVE_INFINITY);
    expect(ln(-1)).toBeNaN();
    expect(ln(Number.NaN)).toBeNaN();
    expect(ln(Number.POSITIVE_INFINITY)).toBe(Number.POSITIVE_INFINITY);
    expect(relative(ln(5e-324), Math.log(5e-324))).toBeLessThan(1e-15);
    expect(exp(1000)).toBe(Number.POSITIVE_INFINITY);
    expect(exp(-1000)).toBe(0);
    expect(exp(Number.NaN)).toBeNaN();
    expect(exp(-744)).toBe(Math.exp(-744));
  });
});

test('quantiles are numpy’s default (type 7)', () => {
  const sorted = sortedFinite([3, 1, Number.NaN, 4, 1, 5]);
  expect([0, 0.25, 0.5, 0.9, 1].map((q) => quantileSorted(sorted, q))).toEqual([1, 1, 3, 4.6, 5]);
});

test('the median deviation is that of the sorted distances', () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { maxLength: 60 }), (values) => {
      const sorted = sortedFinite(values);
      const median = sorted.length === 0 ? 0 : quantileSorted(sorted, 0.5);
      const distances = sorted.map((x) => Math.abs(x - median)).sort();
      expect(medianDeviation(sorted)).toBe(sorted.length === 0 ? 0 : quantileSorted(distances, 0.5));
    }),
  );
});

describe('Random', () => {
  test('gives the same numbers for the same seed on every machine', () => {
    const random = new Random(42);
    expect([random.uint32(), random.uint32(), random.uint32()]).toMatchInlineSnapshot(`
      [
        660444221,
        3652823732,
        77678286,
      ]
    `);
  });

  test('is uniform and stays in range', () => {
    const random = new Random(1);
    const bins = new Array<number>(10).fill(0);
    for (let i = 0; i < 10_000; i++) bins[random.below(10)]! += 1;
    for (const count of bins) expect(Math.abs(count - 1000)).toBeLessThan(150);
    const floats = Array.from({ length: 10_000 }, () => random.float());
    expect(Math.min(...floats)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...floats)).toBeLessThan(1);
    const mean = floats.reduce((a, b) => a + b) / floats.length;
    expect(Math.abs(mean - 0.5)).toBeLessThan(0.02);
  });
});
