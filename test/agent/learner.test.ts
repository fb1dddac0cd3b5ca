import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fitFromStore, LearningSchedule } from '../../agent/learner.ts';
import { MemoryStore } from '../../agent/store/memory-store.ts';
import { runToEnd } from '../../core/features.ts';
import { DEFAULT_BUDGET, type Model } from '../../core/model.ts';
import { encodeModel } from '../../models/artifact.ts';
import { SMALL_SCHEMA, smallSeries } from '../support/series.ts';

const HOUR_MS = 3_600_000;

describe('the schedule', () => {
  test('a warm-up longer than a stage leaves the stage out', () => {
    const schedule = new LearningSchedule(2 * HOUR_MS, 'auto', null);
    schedule.sampled(0);
    schedule.fitted(2 * HOUR_MS);
    expect(schedule.next(true)).toEqual({ kind: 'widening', dueMs: 6 * HOUR_MS });
  });

  test('what was missed while the agent was away is one fit, not one a stage', () => {
    const schedule = new LearningSchedule(900_000, 'auto', { firstSampleMs: 0, fits: 1, lastFitMs: 900_000 });
    expect(schedule.due(50 * HOUR_MS, true)).toBe(true);
    schedule.fitted(50 * HOUR_MS);
    expect(schedule.next(true).kind).toBe('nightly');
  });

  test('a first fit without result is tried again after a minute at the most', () => {
    const schedule = new LearningSchedule(900_000, 'auto', null);
    schedule.sampled(0);
    schedule.fitted(900_000);
    expect(schedule.next(false)).toEqual({ kind: 'first', dueMs: 960_000 });
    const short = new LearningSchedule(10_000, 'auto', null);
    short.sampled(0);
    short.fitted(10_000);
    expect(short.next(false).dueMs).toBe(20_000);
  });

  test('a clock that was set back puts nothing off', () => {
    const schedule = new LearningSchedule(900_000, 'auto', {
      firstSampleMs: 1e12,
      fits: 1,
      lastFitMs: 1e12 + 900_000,
    });
    schedule.sampled(1000);
    expect(schedule.state).toMatchObject({ firstSampleMs: 1000, lastFitMs: 1000 });
    expect(schedule.next(true)).toEqual({ kind: 'widening', dueMs: 1000 + HOUR_MS });
    expect(schedule.next(false).dueMs).toBe(901_000);
  });

  test('whatever the clock does: each stage is fitted at most once, and what is due is what was said', () => {
    const steps = fc.array(fc.integer({ min: 1, max: 4 * HOUR_MS }), { maxLength: 60 });
    fc.assert(
      fc.property(steps, fc.constantFrom<'auto' | 'off'>('auto', 'off'), (all, refit) => {
        const schedule = new LearningSchedule(900_000, refit, null);
        let nowMs = 0;
        let fits = 0;
        for (const step of all) {
          nowMs += step;
          schedule.sampled(nowMs);
          const next = schedule.next(fits > 0);
          const due = schedule.due(nowMs, fits > 0);
          if (next.dueMs !== null) expect(due).toBe(nowMs >= next.dueMs);
          if (!due) continue;
          schedule.fitted(nowMs);
          fits++;
          expect(schedule.due(nowMs, true)).toBe(false);
        }
        expect(fits).toBeLessThanOrEqual(refit === 'off' ? 1 : 4);
        expect(schedule.state.fits).toBe(fits);
      }),
    );
  });
});

describe('a fit from the store', () => {
  const request = {
    schema: SMALL_SCHEMA,
    referenceFromMs: null,
    nowMs: 9e9,
    budget: DEFAULT_BUDGET,
    renotifyMs: HOUR_MS,
    intervalMs: 1000,
    toolVersion: 't',
    seed: 3,
  };
  const columns = smallSeries(300, 2);

  function history(count: number, flags: (t: number) => number = () => 0): MemoryStore {
    const store = new MemoryStore({ nowMs: () => 0, randomHex: () => '0' });
    for (let t = 0; t < count; t++) {
      const values = Float64Array.from(columns, (column) => column[t % 300] as number);
      store.appendSample({ timeMs: t * 5000, values, score: Number.NaN, flags: flags(t) });
    }
    return store;
  }
  const model = (store: MemoryStore): Model =>
    runToEnd(fitFromStore({ ...request, store })) ?? expect.fail('no model');

  test('says what it was made of', () => {
    expect(model(history(300)).provenance).toMatchObject({
      name: 'self',
      version: new Date(9e9).toISOString(),
      seed: 3,
      trainedFromMs: 0,
      trainedToMs: 299 * 5000,
      rows: 300,
      intervalMs: 5000,
      dataSha256: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
      toolVersion: 't',
    });
  });

  test('same history, same seed: same bytes; other history: another hash', () => {
    const bytes = encodeModel(model(history(300)));
    expect(encodeModel(model(history(300))).equals(bytes)).toBe(true);
    expect(model(history(299)).provenance.dataSha256).not.toBe(model(history(300)).provenance.dataSha256);
  });

  test('what is in an incident leaves no trace', () => {
    const store = history(300);
    const wild = history(300);
    for (const [each, cpu] of [
      [store, 20],
      [wild, 5000],
    ] as const) {
      for (let t = 100; t < 120; t++) {
        each.appendSample({ timeMs: t * 5000, values: Float64Array.of(cpu, 1, 2, 3), score: 0, flags: 1 });
      }
    }
    expect(encodeModel(model(wild)).equals(encodeModel(model(store)))).toBe(true);
  });

  test('a quarter of incidents is left out, more is the new normal', () => {
    expect(model(history(400, (t) => (t < 100 ? 1 : 0))).provenance.rows).toBe(300);
    expect(model(history(400, (t) => (t < 101 ? 1 : 0))).provenance.rows).toBe(400);
  });

  test('40 rows are a history, 39 are not, and neither are any of which nothing was measured', () => {
    expect(runToEnd(fitFromStore({ ...request, store: history(39) }))).toBeNull();
    expect(runToEnd(fitFromStore({ ...request, store: history(40) }))).not.toBeNull();
    const empty = new MemoryStore({ nowMs: () => 0, randomHex: () => '0' });
    for (let t = 0; t < 100; t++) {
      empty.appendSample({ timeMs: t, values: new Float64Array(4).fill(Number.NaN), score: 0, flags: 0 });
    }
    expect(runToEnd(fitFromStore({ ...request, store: empty }))).toBeNull();
  });

  test('takes the newest rows only, and lets others in between', () => {
    const store = history(300);
    let slices = 0;
    const fit = fitFromStore({ ...request, store, mostRows: 200 });
    for (;;) {
      const step = fit.next();
      if (step.done === true) {
        expect(step.value?.provenance).toMatchObject({ rows: 200, trainedFromMs: 100 * 5000 });
        break;
      }
      slices++;
    }
    expect(slices).toBeGreaterThan(50);
  });
});
