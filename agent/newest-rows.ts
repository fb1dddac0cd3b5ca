import { SCORED_ROWS_PER_STEP, type Stepwise } from '../core/features.ts';
import type { Watcher } from '../core/watcher.ts';
import type { SampleRow, Store } from './store/store.ts';

/** After so many rows windows and trailing means are what they would be had the model watched all along. */
export const WARM_ROWS = 320;
const READ_ROWS_PER_STEP = 64;

/** The newest `count` rows, oldest first, a few at a time: 30,000 at once would hold a sample up for a tenth of a second. */
export function* newestRows(store: Store, count: number): Stepwise<SampleRow[]> {
  const rows: SampleRow[] = [];
  for (const row of store.samplesBackwards()) {
    if (rows.length >= count) break;
    rows.push(row);
    if (rows.length % READ_ROWS_PER_STEP === 0) yield;
  }
  yield;
  return rows.reverse();
}

/**
 * Shows a watcher the newest rows, so that it begins as if it had watched all along. Rows that come meanwhile are shown
 * in the last step: whoever makes it the one that watches does so before the next sample.
 * @param width values of a row; others are passed over
 */
export function* warmed(watcher: Watcher, store: Store, width: number): Stepwise<Watcher> {
  let lastMs = Number.NEGATIVE_INFINITY;
  let count = 0;
  for (const row of yield* newestRows(store, WARM_ROWS)) {
    if (row.values.length === width) watcher.warm(row);
    lastMs = row.timeMs;
    if (++count % SCORED_ROWS_PER_STEP === 0) yield;
  }
  if (count === 0) return watcher;
  for (const row of store.samples(lastMs + 1, Number.MAX_SAFE_INTEGER)) {
    if (row.values.length === width) watcher.warm(row);
  }
  return watcher;
}
