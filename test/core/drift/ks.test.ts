import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  kolmogorovQuantile,
  kolmogorovTail,
  studentQuantile,
  studentTail,
} from '../../../core/drift/kolmogorov.ts';
import {
  asymptoticP,
  EXACT_STEPS,
  exactP,
  type KsSide,
  ksPValue,
  ksStatistic,
} from '../../../core/drift/ks.ts';
import { readOracle } from '../../support/oracle.ts';

interface Case extends Readonly<Record<string, unknown>> {
  readonly a: readonly number[];
  readonly b: readonly number[];
  readonly exact_fell_back_to_asymp: readonly string[];
}
type Figure = { readonly statistic: number; readonly pvalue: number };

const SIDES: readonly KsSide[] = ['two-sided', 'less', 'greater'];
const { cases } = readOracle<{ cases: Case[] }>('ks-two-sample.json.gz');
/**
 * Not flagged, but scipy's "exact" value is its asymptotic one to 1e-15 here, too. The exact ones below were counted in
 * whole numbers of lattice paths.
 */
const FELL_BACK_UNSEEN = new Set(['1000 less']);
const COUNTED = { less: 0.2015091813433038, greater: 0.2945151132247048 };

const ascending = (values: readonly number[]): Float64Array => Float64Array.from(values).sort();

describe('against scipy', () => {
  test.each(
    cases.map(
      (each) =>
        [`${each.a.length} x ${each.b.length}${each['ties'] === true ? ' with ties' : ''}`, each] as const,
    ),
  )('%s', (_, each) => {
    const statistic = ksStatistic(ascending(each.a), ascending(each.b));
    for (const side of SIDES) {
      const exact = each[`${side}_exact`] as Figure;
      const asymptotic = each[`${side}_asymp`] as Figure;
      const d = { 'two-sided': statistic.d, less: statistic.dLess, greater: statistic.dGreater }[side];
      expect(d).toBeCloseTo(exact.statistic, 14);
      const unseen = FELL_BACK_UNSEEN.has(`${each.a.length} ${side}`);
      if (!unseen && !each.exact_fell_back_to_asymp.includes(side)) {
        expect(Math.abs(exactP(statistic, side) - exact.pvalue)).toBeLessThan(1e-10);
      }
      // scipy's own two-sided asymptote is the exact one-sample distribution: another approximation than ours.
      const within =
        side === 'two-sided' ? 0.06 / Math.sqrt(Math.min(each.a.length, each.b.length) / 5) : 1e-10;
      expect(Math.abs(asymptoticP(statistic, side) - asymptotic.pvalue)).toBeLessThan(within);
    }
  });

  test('where scipy has no exact value, against a count in whole numbers', () => {
    const each = cases.find(({ a, b }) => a.length === 1000 && b.length === 997) as Case;
    const statistic = ksStatistic(ascending(each.a), ascending(each.b));
    for (const side of ['less', 'greater'] as const) {
      const [exact, asymptotic] = [each[`${side}_exact`] as Figure, each[`${side}_asymp`] as Figure];
      expect(exact.pvalue).toBeCloseTo(asymptotic.pvalue, 13);
      expect(Math.abs(exactP(statistic, side) - COUNTED[side])).toBeLessThan(1e-12);
    }
  });

  test('flagged cases are the only ones left out', () => {
    expect(cases.length).toBe(9);
    expect(cases.flatMap((each) => each.exact_fell_back_to_asymp)).toEqual(['greater']);
  });
});

/** Share of all orders of n + m values whose D is at least the given one. */
function byCounting(n: number, m: number, d: number, side: KsSide): number {
  let [all, reached] = [0, 0];
  const walk = (i: number, j: number, largest: number): void => {
    const difference = i / n - j / m;
    const size = side === 'two-sided' ? Math.abs(difference) : side === 'greater' ? difference : -difference;
    const most = Math.max(largest, size);
    if (i === n && j === m) {
      all++;
      if (most >= d - 1e-12) reached++;
      return;
    }
    if (i < n) walk(i + 1, j, most);
    if (j < m) walk(i, j + 1, most);
  };
  walk(0, 0, 0);
  return reached / all;
}

const values = fc.array(fc.integer({ min: -6, max: 6 }), { minLength: 1, maxLength: 7 });

test('an exact p is the share of all orders', () => {
  fc.assert(
    fc.property(values, values, fc.constantFrom(...SIDES), (a, b, side) => {
      const statistic = ksStatistic(ascending(a), ascending(b));
      const d = { 'two-sided': statistic.d, less: statistic.dLess, greater: statistic.dGreater }[side];
      expect(exactP(statistic, side)).toBeCloseTo(byCounting(a.length, b.length, d, side), 12);
    }),
    { numRuns: 150 },
  );
});

test('D is that of its definition, ties and all', () => {
  const share = (of: readonly number[], x: number): number => of.filter((y) => y <= x).length / of.length;
  fc.assert(
    fc.property(values, values, (a, b) => {
      const differences = [...a, ...b].map((x) => share(a, x) - share(b, x));
      const statistic = ksStatistic(ascending(a), ascending(b));
      expect(statistic.dGreater).toBeCloseTo(Math.max(0, ...differences), 14);
      expect(statistic.dLess).toBeCloseTo(Math.max(0, ...differences.map((x) => -x)), 14);
      expect(statistic.d).toBe(Math.max(statistic.dGreater, statistic.dLess));
    }),
  );
});

test('the two samples change places', () => {
  fc.assert(
    fc.property(values, values, (a, b) => {
      const [there, back] = [
        ksStatistic(ascending(a), ascending(b)),
        ksStatistic(ascending(b), ascending(a)),
      ];
      expect([back.d, back.dGreater, back.dLess]).toEqual([there.d, there.dLess, there.dGreater]);
      expect(exactP(there, 'greater')).toBeCloseTo(exactP(back, 'less'), 12);
    }),
  );
});

test('exact as far as it is affordable, asymptotic beyond, and both meet there', () => {
  const statistic = (n: number): ReturnType<typeof ksStatistic> => ({
    d: 0.02,
    dGreater: 0.02,
    dLess: 0.01,
    n,
    m: n,
  });
  expect(ksPValue(statistic(5000)).method).toBe('exact');
  expect(5001 * 5001).toBeGreaterThan(EXACT_STEPS);
  expect(ksPValue(statistic(5001)).method).toBe('asymptotic');
  expect(ksPValue(statistic(5001)).p).toBeCloseTo(ksPValue(statistic(5000)).p, 2);
});

test('a small p keeps its digits', () => {
  // Of the C(40, 20) orders, two separate the samples entirely.
  const [low, high] = [
    Array.from({ length: 20 }, (_, i) => i),
    Array.from({ length: 20 }, (_, i) => 100 + i),
  ];
  expect(exactP(ksStatistic(low, high), 'two-sided') / (2 / 137846528820)).toBeCloseTo(1, 10);
});

test('an empty sample has no distribution', () => {
  expect(() => ksStatistic([], [1])).toThrow('empty');
});

test('Kolmogorov and Student have the tails of the tables', () => {
  // Smirnov's table; Student's t for 10 degrees of freedom.
  for (const [x, p] of [
    [1.3581, 0.05],
    [1.6276, 0.01],
    [0.8276, 0.5],
    [1.9495, 0.001],
  ] as const) {
    expect(kolmogorovTail(x)).toBeCloseTo(p, 4);
    expect(kolmogorovQuantile(p)).toBeCloseTo(x, 3);
  }
  // Both series are good where they meet.
  expect(kolmogorovTail(1 - 1e-12)).toBeCloseTo(kolmogorovTail(1), 11);
  expect(kolmogorovTail(0)).toBe(1);
  expect(kolmogorovTail(0.01)).toBe(1);
  for (const [t, p] of [
    [1.8125, 0.05],
    [2.7638, 0.01],
    [4.1437, 0.001],
  ] as const) {
    expect(studentTail(t, 10)).toBeCloseTo(p, 5);
    expect(studentTail(-t, 11)).toBeCloseTo(1 - p, 5);
    expect(studentQuantile(p, 11)).toBeCloseTo(t, 3);
  }
  // So many that they can't be summed over: the normal distribution's.
  for (const degrees of [1e6, 1e300, Number.MAX_VALUE]) {
    expect(studentTail(1.959964, degrees)).toBeCloseTo(0.025, 3);
    expect(Math.abs(studentQuantile(1e-6, degrees) - 4.753424)).toBeLessThan(0.02);
  }
});
