import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  addRange,
  addRanges,
  countOf,
  missingRanges,
  type Range,
  type RangeSet,
  rangeOf,
} from '../../core/protocol/ranges.ts';

const range = fc
  .tuple(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 0, max: 8 }))
  .map(([from, length]): Range => [from, from + length]);
const numbers = (set: readonly Range[]): Set<number> =>
  new Set(set.flatMap(([from, to]) => Array.from({ length: to - from + 1 }, (_, i) => from + i)));

test('a set of ranges holds what was put in, sorted, with room between', () => {
  fc.assert(
    fc.property(fc.array(range), (ranges) => {
      const set = ranges.reduce<RangeSet>(addRange, []);
      expect(numbers(set)).toEqual(numbers(ranges));
      expect(countOf(set)).toBe(numbers(ranges).size);
      for (const [i, [from]] of set.slice(1).entries())
        expect(from).toBeGreaterThan((set[i] as Range)[1] + 1);
      const held = numbers(ranges);
      for (let n = 1; n < 70; n++) expect(rangeOf(set, n) !== undefined).toBe(held.has(n));
    }),
  );
});

test('what is missing is all that is in no set, up to the last', () => {
  fc.assert(
    fc.property(fc.array(range), fc.array(range), fc.integer({ min: 0, max: 70 }), (a, b, last) => {
      const missing = missingRanges(last, addRanges([], a), addRanges([], b));
      const held = numbers([...a, ...b]);
      const expected = Array.from({ length: last }, (_, i) => i + 1).filter((n) => !held.has(n));
      expect([...numbers(missing)]).toEqual(expected);
    }),
  );
});
