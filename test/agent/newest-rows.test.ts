import { expect, test } from 'vitest';
import { newestRows, warmed } from '../../agent/newest-rows.ts';
import { MemoryStore } from '../../agent/store/memory-store.ts';
import { runToEnd } from '../../core/features.ts';
import { INCIDENT_DEFAULTS } from '../../core/incident.ts';
import { trainModel } from '../../core/train.ts';
import { Watcher } from '../../core/watcher.ts';
import { PROVENANCE, SMALL_SCHEMA, smallSeries } from '../support/series.ts';

const COLUMNS = smallSeries(1000, 5);
const WIDTH = SMALL_SCHEMA.length;
const INTERVAL_MS = 5000;

function history(rows: number): { store: MemoryStore; append: () => void } {
  const store = new MemoryStore({ nowMs: () => 0, randomHex: () => '0' });
  let next = 0;
  const append = (): void => {
    const values = Float64Array.from(COLUMNS, (column) => column[next] as number);
    store.appendSample({ timeMs: next++ * INTERVAL_MS, values, score: 0, flags: 0 });
  };
  for (let i = 0; i < rows; i++) append();
  return { store, append };
}

test('the newest rows come oldest first, a few a step', () => {
  const { store } = history(300);
  const reading = newestRows(store, 200);
  let steps = 1;
  let step = reading.next();
  for (; step.done !== true; step = reading.next()) steps++;
  expect(step.value?.map(({ timeMs }) => timeMs / INTERVAL_MS)).toEqual(
    Array.from({ length: 200 }, (_, i) => 100 + i),
  );
  expect(steps).toBeGreaterThan(3);
  expect(runToEnd(newestRows(store, 1000))).toHaveLength(300);
});

test('a watcher that was warmed in steps, while samples came, is as one that watched all along', () => {
  const model = runToEnd(
    trainModel(
      SMALL_SCHEMA,
      COLUMNS.map((column) => column.slice(0, 400)),
      PROVENANCE,
    ),
  );
  const fresh = (): Watcher => new Watcher(model, SMALL_SCHEMA, INCIDENT_DEFAULTS);
  const { store, append } = history(500);
  const warming = warmed(fresh(), store, WIDTH);
  let step = warming.next();
  for (let i = 0; step.done !== true; i++) {
    if (i % 9 === 0) append();
    step = warming.next();
  }
  expect(store.sampleCount()).toBeGreaterThan(505);
  const other = fresh();
  for (const row of store.lastSamples(320 + store.sampleCount() - 500)) other.warm(row);
  expect(step.value.state('x')).toEqual(other.state('x'));

  const none = runToEnd(warmed(fresh(), history(0).store, WIDTH));
  expect(none.state('x')).toEqual(fresh().state('x'));
});
