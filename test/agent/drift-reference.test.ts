import { describe, expect, test } from 'vitest';
import { fitFromStore } from '../../agent/learner.ts';
import { MemoryStore } from '../../agent/store/memory-store.ts';
import { SAMPLE_EXCLUDED, SAMPLE_IN_INCIDENT } from '../../agent/store/store.ts';
import { DAY_MS, type DriftReference, knotsOf, statisticOf } from '../../core/drift/reference.ts';
import { runToEnd } from '../../core/features.ts';
import { DEFAULT_BUDGET } from '../../core/model.ts';
import { SMALL_SCHEMA, smallSeries } from '../support/series.ts';

const INTERVAL_MS = 5 * 60_000;
const DAY_ROWS = DAY_MS / INTERVAL_MS;
const ROWS = 16 * DAY_ROWS;
/** What a fit takes; less than what is there. */
const MOST_ROWS = 1000;

type Change = (row: number, values: Float64Array) => number;
function history(change: Change = () => 0): MemoryStore {
  const store = new MemoryStore({ nowMs: () => 0, randomHex: () => '0' });
  const columns = smallSeries(ROWS, 9);
  for (let row = 0; row < ROWS; row++) {
    const values = Float64Array.from(columns, (column) => column[row] as number);
    const flags = change(row, values);
    // Another model's score: it must not come into the reference.
    store.appendSample({ timeMs: row * INTERVAL_MS, values, score: 1e6, flags });
  }
  return store;
}

const NOW_MS = (ROWS - 1) * INTERVAL_MS;
function referenceOf(store: MemoryStore, fromMs: number | null = null): DriftReference {
  const fit = fitFromStore({
    store,
    schema: SMALL_SCHEMA,
    nowMs: NOW_MS,
    budget: DEFAULT_BUDGET,
    renotifyMs: 3_600_000,
    intervalMs: INTERVAL_MS,
    toolVersion: 't',
    seed: 3,
    mostRows: MOST_ROWS,
    referenceFromMs: fromMs,
  });
  return runToEnd(fit)?.drift ?? expect.fail('no reference');
}
const highest = (reference: DriftReference, stream: number): number =>
  knotsOf(reference, stream).at(-1) as number;

describe('the reference of an own model', () => {
  test('is of the last fortnight, though the model learned from less', () => {
    const reference = referenceOf(history());
    expect(reference).toMatchObject({ windowMs: DAY_MS, slotMs: INTERVAL_MS, streams: 5 });
    expect(reference.spanMs / DAY_MS).toBeCloseTo(14, 1);
    expect(highest(reference, 4)).toBeLessThan(1e6);
  });

  test('does not know what is older, or from before the time that it shall be of', () => {
    const old = (row: number, values: Float64Array): number => {
      if (row < ROWS - 14 * DAY_ROWS - 1) values[0] = 99;
      else if (row < ROWS - 8 * DAY_ROWS) values[0] = 77;
      return 0;
    };
    expect(highest(referenceOf(history(old)), 0)).toBe(77);
    const later = referenceOf(history(old), NOW_MS - 7 * DAY_MS);
    expect(highest(later, 0)).toBeLessThan(77);
    expect(later.spanMs / DAY_MS).toBeCloseTo(7, 1);
  });

  test('leaves incidents out, up to a quarter, and maintenance always', () => {
    const during =
      (days: number, flag: number): Change =>
      (row, values) => {
        if (row < ROWS - 10 * DAY_ROWS || row >= ROWS - (10 - days) * DAY_ROWS) return 0;
        values[1] = 88;
        return flag;
      };
    expect(highest(referenceOf(history(during(1, SAMPLE_IN_INCIDENT))), 1)).toBeLessThan(88);
    expect(highest(referenceOf(history(during(5, SAMPLE_IN_INCIDENT))), 1)).toBe(88);
    expect(highest(referenceOf(history(during(5, SAMPLE_EXCLUDED))), 1)).toBeLessThan(88);
  });

  test('of a metric that always stood at one value has not missed any', () => {
    const reference = referenceOf(history());
    expect(statisticOf(reference, 3, 'missing')).toBe(0);
    expect([...knotsOf(reference, 3)]).toEqual([0]);
  });
});
