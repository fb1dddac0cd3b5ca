import { describe, expect, test } from 'vitest';
import type { AlertData } from '../../../core/protocol/events.ts';
import { judge, notifications, segments } from './events.ts';
import type { Series } from './series.ts';

/** The judge of `prove:alarms`, by hand: rows a minute apart, learning until row 100, labels at 200-209 and 500-519. */

const MINUTE_MS = 60_000;
const labels = new Uint8Array(1000);
labels.fill(1, 200, 210);
labels.fill(1, 500, 520);
const series: Series = {
  set: 'x',
  name: 'x',
  intervalMs: MINUTE_MS,
  columns: [],
  values: [],
  labels,
  testFrom: 100,
  timesMs: Array.from({ length: 1000 }, (_, row) => row * MINUTE_MS),
};
const at = (row: number, state: string, severity = 'info'): AlertData =>
  ({
    state,
    severity,
    trigger: 'surprise',
    sampledAt: new Date(row * MINUTE_MS).toISOString(),
    resolvedAt: state === 'resolved' ? new Date(row * MINUTE_MS).toISOString() : null,
  }) as unknown as AlertData;

describe('events of a series', () => {
  test('segments are the labelled runs', () => {
    expect(segments(series)).toEqual([
      [200, 209],
      [500, 519],
    ]);
  });

  test('an incident lasts to its last flag, eleven rows before it resolved', () => {
    expect(notifications(series, [at(150, 'opened'), at(190, 'resolved')])).toMatchObject([
      { first: 150, last: 179 },
    ]);
  });

  test('a risen severity is no notification, an hour is one', () => {
    const told = notifications(series, [
      at(150, 'opened'),
      at(155, 'updated', 'warning'),
      at(215, 'updated', 'warning'),
      at(240, 'resolved'),
    ]);
    expect(told).toMatchObject([
      { first: 150, last: 214 },
      { first: 215, last: 229 },
    ]);
  });

  test('recall, precision, F1 and delay', () => {
    const figures = judge(series, [
      at(120, 'opened'),
      at(140, 'resolved'),
      at(204, 'opened'),
      at(225, 'resolved'),
    ]);
    expect(figures).toMatchObject({ recall: 0.5, precision: 0.5, f1: 0.5, delayMs: 4 * MINUTE_MS });
    expect(figures.days).toBe(0.625);
    expect(figures.falsePerDay).toBe(1.6);
    expect(figures.incidentsPerDay).toBe(3.2);
  });

  test('nothing told is nothing right', () => {
    expect(judge(series, [])).toMatchObject({ recall: 0, precision: 0, f1: 0, delayMs: null });
  });

  test('an alert at a time that no row has is a fault of the agent', () => {
    expect(() => judge(series, [at(150.5, 'opened')])).toThrow(/where no row is/);
  });
});
