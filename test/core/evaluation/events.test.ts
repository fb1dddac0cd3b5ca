import { describe, expect, test } from 'vitest';
import { judgeEvents, judgeRows, middle, notificationsOf } from '../../../core/evaluation/events.ts';

const RULE = { mergeSamples: 2, renotifySamples: 6 };
const row = (text: string): number[] => Array.from(text, (c) => (c === '#' ? 1 : 0));

describe('events', () => {
  test('flags merge over short gaps, and a standing alarm is told again', () => {
    expect(notificationsOf(row('.#.#...#'), RULE)).toEqual([
      { first: 1, last: 3 },
      { first: 7, last: 7 },
    ]);
    expect(notificationsOf(row('########'), RULE)).toEqual([
      { first: 0, last: 5 },
      { first: 6, last: 7 },
    ]);
    expect(notificationsOf([], RULE)).toEqual([]);
  });

  test('recall by segments, precision by notifications, delay from where a segment begins', () => {
    const labels = row('..####....###....##.');
    const flags = row('#....#......#.......');
    const DAY_MS = 86_400_000;
    expect(judgeEvents(flags, labels, DAY_MS / 20, { mergeSamples: 1, renotifySamples: 50 })).toMatchObject({
      days: 1,
      notifications: 3,
      falsePerDay: 1,
      segments: 3,
      found: 2,
      recall: 2 / 3,
      precision: 2 / 3,
      delayMs: (2.5 * DAY_MS) / 20,
      flaggedShare: 3 / 20,
    });
  });

  test('one flag in a segment makes it found, but not its other rows', () => {
    const labels = row('.##########.');
    expect(judgeRows(row('..#.........'), labels)).toEqual({ precision: 1, recall: 0.1, f1: 0.2 / 1.1 });
    expect(judgeRows([1, 1], [2, 1])).toMatchObject({ precision: 1, recall: 1 });
    expect(judgeRows([0, 0], [0, 0])).toEqual({ precision: 0, recall: 0, f1: 0 });
  });

  test('a median', () => {
    expect([middle([]), middle([3, 1]), middle([5, 1, 2])]).toEqual([null, 2, 2]);
  });
});
