import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { Random } from '../../core/random.ts';
import { decodeModel } from '../../models/artifact.ts';
import { inject } from './alarms/inject.ts';
import { parseTable, type Series, toSeries } from './alarms/series.ts';
import { atOneAWeek, BUDGETS, type Judged, judgeDetector, trainArtifact } from './detection/judge.ts';
import { seriesResult, setResult } from './detection/summary.ts';

/** `npm run prove:detection`, scaled down to the one real series that stands in the project. */

const file = join(import.meta.dirname, '..', 'oracle', 'nab-ec2-cpu-5f5533.csv.gz');
const series: Series = toSeries('NAB', 'ec2_cpu_utilization_5f5533', 300_000, [
  parseTable(gunzipSync(readFileSync(file)).toString('utf8')),
]);

describe('detection on a real server', () => {
  test('labelled events are told at one alarm a day, and at one a week, and little else', () => {
    const { events, guarded } = judgeDetector(series, 'metric-forests', 1, null);
    expect(guarded.day.days).toBeCloseTo(11.9, 1);
    for (const figures of [events.day, guarded.day, events.week, guarded.week]) {
      expect(figures.recall).toBe(1);
      expect(figures.f1).toBeGreaterThanOrEqual(0.65);
      expect(figures.falsePerDay).toBeLessThanOrEqual(0.4);
      expect(figures.flaggedShare).toBeLessThan(0.01);
    }
    expect(guarded.week.notificationsPerDay).toBeLessThanOrEqual(guarded.day.notificationsPerDay);
  });

  test('spikes put into it are ranked above all else, by both detectors', () => {
    const { series: spoiled, faults } = inject(series, 'spike', new Random(1));
    const labels = new Uint8Array(series.labels.length);
    for (const { first, last } of faults) labels.fill(1, first, last + 1);
    for (const detector of ['metric-forests', 'isolation-forest'] as const) {
      const judged = judgeDetector({ ...spoiled, labels }, detector, 1, null);
      expect(judged.prevalence).toBeLessThan(0.03);
      expect(judged.averagePrecision).toBeGreaterThanOrEqual(0.93);
      expect(judged.vusPr).toBeGreaterThanOrEqual(0.93);
      expect(judged.rocAuc).toBeGreaterThanOrEqual(0.99);
    }
  });

  test('one a week is what a model trained at that budget would give', () => {
    const daily = atOneAWeek(decodeModel(trainArtifact(series, 'metric-forests', 1, null)));
    const weekly = decodeModel(trainArtifact(series, 'metric-forests', 1, null, BUDGETS.week));
    expect(daily.budget.infoPerDay).toBe(weekly.budget.infoPerDay);
    for (const trigger of ['surprise', 'forest', 'score'] as const) {
      expect(daily.thresholds[trigger].info).toBe(weekly.thresholds[trigger].info);
    }
  });

  test('same seed, same figures; more trees, a larger model', () => {
    const once = judgeDetector(series, 'metric-forests', 2, null);
    expect(judgeDetector(series, 'metric-forests', 2, null)).toEqual(once);
    const more = judgeDetector(series, 'metric-forests', 2, 16);
    expect(more.modelBytes).toBeGreaterThan(2 * once.modelBytes);
  });
});

describe('means and floors of a set', () => {
  const figures = {
    days: 10,
    notificationsPerDay: 0.5,
    recall: 1,
    precision: 0.5,
    delayMs: 60_000,
    flaggedShare: 0.01,
  };
  const run = (averagePrecision: number, f1: number, delayMs: number | null): Judged => {
    const events = { ...figures, falsePerDay: 0.25, f1, delayMs };
    const both = { day: events, week: events };
    return {
      averagePrecision,
      vusPr: 0.5,
      rocAuc: 0.9,
      prevalence: 0.1,
      modelBytes: 100,
      events: both,
      guarded: both,
    };
  };
  const row = (name: string, runs: readonly Judged[]) => ({
    set: 'SMD 3',
    series: name,
    detector: 'metric-forests' as const,
    runs,
    reference: { recall: 1, falsePerDay: 0, precision: 1, f1: 0.4 },
  });
  const rows = [
    row('1-2', [run(0.2, 0.4, 60_000), run(0.4, 0.6, null)]),
    row('1-5', [run(0.6, 0.8, 120_000), run(0.8, 1, 0)]),
  ];

  test('a series: the mean over seeds, and how far they lie apart; a delay only where something was found', () => {
    const result = seriesResult(rows[0] as (typeof rows)[number]);
    expect(result.averagePrecision).toBeCloseTo(0.3, 12);
    expect(result.averagePrecisionSpread).toBeCloseTo(0.1, 12);
    expect(result.guarded.day.delayMs).toBe(60_000);
    expect(result.reference.averagePrecision).toBe(0.153);
  });

  test('a set: the mean over its series, and what missed its floor', () => {
    const reached = { averagePrecision: 0.5, vusPr: 0.5, f1: 0.7, mostFalsePerDay: 0.25 };
    const result = setResult(rows, reached);
    expect(result.means.averagePrecision).toBeCloseTo(0.5, 12);
    expect(result.reference.averagePrecision).toBeCloseTo((0.153 + 0.511) / 2, 12);
    expect(result.missed).toEqual([]);
    const above = { averagePrecision: 0.51, vusPr: 0.51, f1: 0.71, mostFalsePerDay: 0.24 };
    expect(setResult(rows, above).missed).toHaveLength(4);
  });
});
