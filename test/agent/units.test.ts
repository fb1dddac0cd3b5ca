import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseBytes, parseDurationMs, parseRatePerDay } from '../../agent/units.ts';

describe('durations', () => {
  test.each([
    ['500ms', 500],
    ['5s', 5000],
    ['5', 5000],
    ['1.5 s', 1500],
    ['15m', 900_000],
    ['15min', 900_000],
    ['6h', 21_600_000],
    [' 14d ', 1_209_600_000],
    ['1w', 604_800_000],
    ['0s', 0],
  ])('%s', (text, ms) => {
    expect(parseDurationMs(text)).toBe(ms);
  });
  test.each(['', 's', '-5s', '5 parsecs', '1e3s', '5s5s', '.5s', '5.s', 'Infinity', 'NaN', '0x10', '5\ns s'])(
    'not %j',
    (text) => {
      expect(parseDurationMs(text)).toBeNull();
    },
  );
});

describe('rates', () => {
  test.each([
    ['1/day', 1],
    ['1 per day', 1],
    ['2/week', 2 / 7],
    ['1/month', 1 / 30.4375],
    ['3/hour', 72],
    ['1/10m', 144],
    ['1 / 12h', 2],
  ])('%s', (text, perDay) => {
    expect(parseRatePerDay(text)).toBeCloseTo(perDay, 9);
  });
  test.each(['', '1', '1/', '/day', '1/0s', '1/fortnight', '1/toString', '1/__proto__', '-1/day', 'one/day'])(
    'not %j',
    (text) => {
      expect(parseRatePerDay(text)).toBeNull();
    },
  );
});

describe('sizes', () => {
  test.each([
    ['512MB', 512e6],
    ['64 KiB', 65_536],
    ['1GB', 1e9],
    ['1gib', 2 ** 30],
    ['100', 100],
    ['100b', 100],
    ['1.5k', 1500],
  ])('%s', (text, bytes) => {
    expect(parseBytes(text)).toBe(bytes);
  });
  test.each(['', 'MB', '-1MB', '1TB', '1 meg', '1e9'])('not %j', (text) => {
    expect(parseBytes(text)).toBeNull();
  });
});

test('any text gives a finite number that is not negative, or null', () => {
  const likely = fc.stringMatching(/^\d{0,4}\.?\d{0,3} ?(\/|per)? ?[a-zA-Z]{0,6}$/);
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary' }), likely), (text) => {
      for (const parse of [parseDurationMs, parseRatePerDay, parseBytes]) {
        const value = parse(text);
        if (value !== null) expect(value >= 0 && Number.isFinite(value)).toBe(true);
      }
    }),
    { numRuns: 1000 },
  );
});
