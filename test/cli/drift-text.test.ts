import { expect, test } from 'vitest';
import { driftDocument } from '../../cli/report/drift-document.ts';
import { windows } from '../../cli/report/drift-plots.ts';
import { driftPage } from '../../cli/report/drift-text.ts';
import { type DriftStream, driftSentence } from '../../core/protocol/drift.ts';
import { Random } from '../../core/random.ts';
import type { Recording } from '../../models/data/recording.ts';
import { compareDrift } from '../../models/drift/comparison.ts';
import { sourceOfRecording } from '../../models/drift/source.ts';

const INTERVAL_MS = 300_000;
const DAY_ROWS = 288;

/** Half of `busy` rests at 0, the other half lies at a level of the day's own: its D is never above a half. */
function recording(fromDay: number, days: number, shift: number): Recording {
  const rows = days * DAY_ROWS;
  const levels = new Random(5);
  const level = Array.from({ length: 40 }, () => 5 + 10 * levels.float() * levels.float());
  const random = new Random(fromDay);
  const rowOf = (i: number): number => fromDay * DAY_ROWS + i;
  const busy = Float64Array.from({ length: rows }, (_, i) =>
    i % 2 === 0 ? 0 : (level[Math.floor(rowOf(i) / DAY_ROWS)] as number) + shift + random.float(),
  );
  const calm = Float64Array.from({ length: rows }, () => random.float());
  return {
    host: 'web-1',
    names: ['busy', 'calm'],
    intervalMs: INTERVAL_MS,
    timesMs: Float64Array.from({ length: rows }, (_, i) => Date.UTC(2026, 0, 5) + rowOf(i) * INTERVAL_MS),
    columns: [busy, calm],
    labels: null,
    breaks: [],
    rowsRead: rows,
    rowsOutOfOrder: 0,
  };
}

test('what only the shift tells of says so: in the table, in JSON, in the plot', () => {
  const live = recording(14, 4, 60);
  const source = sourceOfRecording(recording(0, 14, 0), 4 * DAY_ROWS * INTERVAL_MS);
  const comparison = compareDrift(source, live);
  const report = {
    reference: { kind: 'recording' as const, shown: 'before.csv', sha256: null },
    source,
    live,
    comparison,
    failOn: null,
  };
  const [busy, calm] = comparison.features;
  expect([busy?.verdict, calm?.verdict]).toEqual(['drifting', 'steady']);
  const farthest = busy?.farthest;
  expect(farthest?.d).toBeLessThan(farthest?.threshold as number);
  expect(farthest?.shift).toBeGreaterThan(farthest?.shiftThreshold as number);
  const page = driftPage(report, false);
  expect(page).toMatch(/^ {2}busy +drifting .* shift, \d+\.\d x /m);
  expect(page).toMatch(/^ {2}calm +steady +\d +0 of \d +0\.\d+ +0\.\d+ +– /m);
  const document = JSON.parse(JSON.stringify(driftDocument(report)));
  expect(document.features[0].farthest).toMatchObject({
    d: farthest?.d,
    shift: farthest?.shift,
    shiftThreshold: farthest?.shiftThreshold,
  });
  expect(document.windows.at(-1).features[0].shiftThreshold).toBe(farthest?.shiftThreshold);
  expect(windows(busy as NonNullable<typeof busy>, 0, 0, comparison.decisions)).toMatch(
    /: D 0\.\d+, shift \d+\.\d times its threshold<\/title>/,
  );
});

test('the sentence of an event names the distance that was over', () => {
  const stream: DriftStream = {
    name: 'memory',
    label: 'Memory',
    unit: 'percent',
    d: 0.4,
    threshold: 0.49,
    over: true,
    direction: 'higher',
    shift: 12,
    shiftThreshold: 5,
    effect: 3,
    unjudged: null,
  };
  const sentence = (changes: Partial<DriftStream>): string =>
    driftSentence(
      {
        state: 'warning',
        severity: 6,
        streams: [{ ...stream, ...changes }],
        faults: [],
        provisional: false,
        windowMs: 86_400_000,
      },
      null,
    );
  expect(sentence({})).toMatch(/: Memory higher \(shift 2\.4 times its threshold\)\.$/);
  expect(sentence({ d: 0.6 })).toMatch(/: Memory higher \(D 0\.60, threshold 0\.49\)\.$/);
  // As before there were two: a model that knows D alone.
  expect(sentence({ d: 0.6, shiftThreshold: null })).toMatch(/\(D 0\.60, threshold 0\.49\)\.$/);
});
