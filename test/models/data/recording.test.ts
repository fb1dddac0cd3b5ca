import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type Recording,
  RecordingBuilder,
  STRETCH_ROWS,
  slice,
  UNLABELLED,
} from '../../../models/data/recording.ts';

const PLENTY = 1 << 22;

function record(rows: number, valuesMax = PLENTY, timeOf = (i: number): number => 1000 * i): Recording {
  const builder = new RecordingBuilder('host', ['a', 'b'], valuesMax);
  for (let i = 0; i < rows; i++) builder.add(timeOf(i), UNLABELLED, [i, -i]);
  return builder.finish();
}

describe('a recording', () => {
  test('holds every row as it came, where there is room', () => {
    const { timesMs, columns, intervalMs, labels, breaks, rowsRead } = record(3 * STRETCH_ROWS + 5);
    expect(rowsRead).toBe(3 * STRETCH_ROWS + 5);
    expect(timesMs.length).toBe(rowsRead);
    expect(intervalMs).toBe(1000);
    expect(labels).toBeNull();
    expect(breaks).toEqual([]);
    for (let i = 0; i < rowsRead; i += 997) {
      expect(timesMs[i]).toBe(1000 * i);
      expect(columns[0]?.[i]).toBe(i);
      expect(columns[1]?.[i]).toBe(-i);
    }
  });

  test('a row that is not later than the one before is left out, and counted', () => {
    const builder = new RecordingBuilder('host', ['a'], PLENTY);
    for (const timeMs of [1, 2, 2, 1, 3]) builder.add(timeMs, UNLABELLED, [timeMs]);
    expect(builder.finish()).toMatchObject({ rowsRead: 3, rowsOutOfOrder: 2 });
  });

  test('labels are kept; where some rows have none, they say so', () => {
    const builder = new RecordingBuilder('host', ['a'], PLENTY);
    [0, 1, UNLABELLED].forEach((label, i) => {
      builder.add(i, label, [i]);
    });
    expect(Array.from(builder.finish().labels ?? [])).toEqual([0, 1, UNLABELLED]);
  });

  test('a gap is a break, an irregular interval is none', () => {
    const times = [0, 1000, 2000, 4000, 5000, 30_000, 31_000];
    expect(record(times.length, PLENTY, (i) => times[i] as number).breaks).toEqual([5]);
  });

  test('a slice counts its breaks from its own first row', () => {
    const times = [0, 1000, 2000, 20_000, 21_000, 60_000];
    const part = slice(
      record(times.length, PLENTY, (i) => times[i] as number),
      2,
      6,
    );
    expect(part.breaks).toEqual([1, 3]);
    expect(Array.from(part.timesMs)).toEqual(times.slice(2));
  });

  test('however much comes: bounded, whole stretches, from all of the time, in order', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 60 }),
        fc.integer({ min: 0, max: STRETCH_ROWS - 1 }),
        (stretches, more) => {
          const rows = stretches * STRETCH_ROWS + more;
          // Room for the least that a builder keeps: eight stretches.
          const { timesMs, columns, rowsRead } = record(rows, 1);
          expect(rowsRead).toBe(rows);
          expect(timesMs.length).toBeLessThanOrEqual(8 * STRETCH_ROWS);
          const kept: number[] = [];
          for (let row = 0; row < timesMs.length; row += STRETCH_ROWS) {
            const first = (timesMs[row] as number) / 1000;
            expect(first % STRETCH_ROWS).toBe(0);
            kept.push(first / STRETCH_ROWS);
            const last = Math.min(row + STRETCH_ROWS, timesMs.length) - 1;
            expect((timesMs[last] as number) / 1000 - first).toBe(last - row);
            expect(columns[0]?.[last]).toBe((timesMs[last] as number) / 1000);
          }
          const steps = new Set(kept.slice(1).map((index, i) => index - (kept[i] as number)));
          expect(kept[0]).toBe(0);
          expect(steps.size).toBeLessThanOrEqual(1);
          const every = [...steps][0] ?? stretches + 1;
          expect((kept.at(-1) as number) + every).toBeGreaterThan(rows / STRETCH_ROWS - 1);
        },
      ),
      { numRuns: 40 },
    );
  });
});
