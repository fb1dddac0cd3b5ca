import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  addNoise,
  cutGaps,
  dropCells,
  dropColumn,
  freezeColumn,
  jumpClock,
  multiplyRows,
  normal,
  shiftAll,
} from '../../../core/evaluation/disturbances.ts';
import { Random } from '../../../core/random.ts';

const value = fc.oneof(fc.double({ min: -1e6, max: 1e6, noNaN: true }), fc.constant(Number.NaN));
const rows = fc.integer({ min: 1, max: 80 }).chain((count) =>
  fc.record({
    timesMs: fc.constant(Float64Array.from({ length: count }, (_, i) => 1000 * i)),
    columns: fc.array(
      fc.array(value, { minLength: count, maxLength: count }).map((x) => Float64Array.from(x)),
      { minLength: 1, maxLength: 4 },
    ),
  }),
);

describe('disturbances', () => {
  test('nothing given is changed, sizes stay, missing stays missing, the same seed gives the same', () => {
    fc.assert(
      fc.property(rows, fc.integer(), (given, seed) => {
        const before = structuredClone(given);
        const deviations = given.columns.map(() => 2);
        const all = () => {
          const random = new Random(seed);
          return [
            addNoise(given, deviations, 0.1, random),
            dropColumn(given, 0),
            dropCells(given, 0.1, random),
            multiplyRows(given, 10, 0.5, random),
            shiftAll(given, deviations, 1),
            freezeColumn(given, 0, given.timesMs.length >> 1),
            jumpClock(given, -5000, 3),
            cutGaps(given, 0.2, 2, random),
          ];
        };
        const first = all();
        expect(all()).toEqual(first);
        expect(given).toEqual(before);
        for (const { timesMs, columns, kept } of first) {
          expect(columns).toHaveLength(given.columns.length);
          expect(timesMs).toHaveLength(kept?.length ?? given.timesMs.length);
          for (const column of columns) expect(column).toHaveLength(timesMs.length);
        }
        for (const at of [0, 3, 4]) {
          first[at]?.columns.forEach((column, i) => {
            column.forEach((x, row) => {
              expect(Number.isNaN(x)).toBe(Number.isNaN(given.columns[i]?.[row]));
            });
          });
        }
      }),
    );
  });

  const ramp = {
    timesMs: Float64Array.from({ length: 20_000 }, (_, i) => i),
    columns: [new Float64Array(20_000).fill(5)],
  };

  test('noise has the size that was asked for', () => {
    const [noisy] = addNoise(ramp, [10], 0.1, new Random(3)).columns;
    const differences = Array.from(noisy as Float64Array, (x) => x - 5);
    const mean = differences.reduce((sum, x) => sum + x, 0) / differences.length;
    const sd = Math.sqrt(differences.reduce((sum, x) => sum + (x - mean) ** 2, 0) / differences.length);
    expect(Math.abs(mean)).toBeLessThan(0.03);
    expect(Math.abs(sd - 1)).toBeLessThan(0.03);
  });

  test('a normal deviate is one: 68 % within one, 95 % within two', () => {
    const random = new Random(9);
    const drawn = Array.from({ length: 20_000 }, () => Math.abs(normal(random)));
    expect(drawn.filter((x) => x < 1).length / 20_000).toBeCloseTo(0.683, 1);
    expect(Math.abs(drawn.filter((x) => x < 1.96).length / 20_000 - 0.95)).toBeLessThan(0.01);
  });

  test('shares are kept', () => {
    const lost = dropCells(ramp, 0.1, new Random(1)).columns[0]?.filter(Number.isNaN).length ?? 0;
    expect(Math.abs(lost / 20_000 - 0.1)).toBeLessThan(0.01);
    const large = multiplyRows(ramp, 5, 0.01, new Random(1)).columns[0]?.filter((x) => x === 25).length ?? 0;
    expect(Math.abs(large / 20_000 - 0.01)).toBeLessThan(0.004);
    const { kept } = cutGaps(ramp, 0.1, 5, new Random(1));
    expect(kept?.length).toBeGreaterThanOrEqual(18_000);
    expect(kept?.length).toBeLessThan(19_700);
  });

  test('by hand', () => {
    const given = { timesMs: Float64Array.of(0, 1, 2, 3), columns: [Float64Array.of(1, Number.NaN, 3, 4)] };
    expect(Array.from(freezeColumn(given, 0, 1).columns[0] as Float64Array)).toEqual([1, 1, 1, 1]);
    expect(Array.from(shiftAll(given, [2], 0.5).columns[0] as Float64Array)).toEqual([2, Number.NaN, 4, 5]);
    expect(Array.from(jumpClock(given, 10, 1, 3).timesMs)).toEqual([0, 11, 12, 3]);
    expect(dropColumn(given, 0).columns[0]?.every(Number.isNaN)).toBe(true);
  });
});
