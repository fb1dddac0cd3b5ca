import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseCells } from '../../../core/csv.ts';
import { Random } from '../../../core/random.ts';
import { select } from '../../../models/data/column-profile.ts';
import { dataSchemaOf } from '../../../models/data/data-schema.ts';
import { type ValidationReport, validateFile } from '../../../models/data/validation.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

const schema = dataSchemaOf(
  { columns: { a: { min: 0, max: 100 }, b: { required: false, min: -5 } } },
  'schema.yaml',
);
/** The report, and every row that was handed on. */
async function seen(path: string, text: string): Promise<{ report: ValidationReport; rows: number[][] }> {
  writeFileSync(path, text);
  const rows: number[][] = [];
  const report = await validateFile(path, { schema, maxViolationRate: 0.05 }, ({ timeMs, label, values }) => {
    rows.push([timeMs, label, ...values]);
  });
  return { report, rows };
}

/** Quotes change no cell, and no quoted line is plain. */
const quotedLine = (line: string): string =>
  line.includes('"') || line.trim() === ''
    ? line
    : parseCells(line)
        .map((cell) => `"${cell}"`)
        .join(',');

const START_S = 1_700_000_000;
const time = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 40 }).map((i) => String(START_S + 5 * i)) },
  fc.integer({ min: 0, max: 40 }).map((i) => new Date((START_S + 5 * i) * 1000).toISOString()),
  fc.constantFrom('', 'x', '-5', '2024-02-30 00:00:00'),
);
const value = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: -100, max: 1200 }).map((x) => String(x / 10)) },
  fc.constantFrom('', 'nan', '1e3', '1e400', 'word', '-0', ' 7 ', '0.30000000000000004'),
);
const label = fc.constantFrom('0', '1', '1.0', '', '2', 'yes');
const probation = fc.constantFrom('0', '1', 'x', '');
const row = fc
  .tuple(time, value, value, label, probation)
  .map((cells) => cells.join(','))
  .chain((line) => fc.constantFrom(line, line, line, `${line},9`, line.replace(',', ''), '', `${line}\r`));

describe('the fast path of validation', () => {
  test('gives the report and the rows that the slow path gives', async () => {
    const path = join(temporaryDirectory(), 'data.csv');
    await fc.assert(
      fc.asyncProperty(fc.array(row, { maxLength: 40 }), fc.boolean(), async (lines, ended) => {
        const header = 'timestamp,a,b,label,probation';
        const end = ended ? '\n' : '';
        const plain = await seen(path, [header, ...lines].join('\n') + end);
        const quoted = await seen(path, [header, ...lines.map(quotedLine)].join('\n') + end);
        expect(plain).toEqual(quoted);
      }),
      { numRuns: 400 },
    );
  });

  test('over many chunks, with disorder and repetition near and far', async () => {
    const path = join(temporaryDirectory(), 'data.csv');
    const random = new Random(8);
    const lines = Array.from({ length: 160_000 }, (_, i) => {
      // Far back, near, the same as the row before; and long stretches of order between.
      const disorder = i % 1000 === 7 || (i > 20_000 && i < 22_000 && random.below(5) === 0);
      const back = disorder ? random.below(i < 90_000 ? 80_000 : 300) : 0;
      return `${START_S + Math.max(0, i - back)},${random.below(1010) / 10},${random.below(1000)},,`;
    });
    const header = 'timestamp,a,b,label,probation';
    const plain = await seen(path, [header, ...lines].join('\n'));
    const quoted = await seen(path, [header, ...lines.map(quotedLine)].join('\n'));
    expect(plain.report).toEqual(quoted.report);
    const bytes = (rows: number[][]): Buffer => Buffer.from(Float64Array.from(rows.flat()).buffer);
    expect(bytes(plain.rows).equals(bytes(quoted.rows))).toBe(true);
    expect(plain.report.duplicates).toBeGreaterThan(100);
    expect(plain.report.outOfOrder).toBeGreaterThan(5);
    // By the definition: a time that one of the 65,536 rows before had, or the row before.
    let duplicates = 0;
    const times = plain.rows.map(([timeMs]) => timeMs as number);
    const last = new Map<number, number>();
    times.forEach((timeMs, i) => {
      if (i - (last.get(timeMs) ?? Number.NEGATIVE_INFINITY) <= 65_536) duplicates++;
      last.set(timeMs, i);
    });
    expect(plain.report.duplicates).toBe(duplicates);
  });
});

test('quickselect puts in its place what sorting would', () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.integer({ min: 0, max: 5 }), fc.double({ noNaN: true })), {
        minLength: 1,
        maxLength: 300,
      }),
      fc.nat(),
      (numbers, k) => {
        // +0 and -0 are the same number, and sorting tells them apart.
        const values = Float64Array.from(numbers, (x) => x + 0);
        const sorted = values.slice().sort();
        select(values, 0, k % values.length);
        expect(values[k % values.length]).toBe(sorted[k % values.length]);
        expect(values.slice().sort()).toEqual(sorted);
      },
    ),
    { numRuns: 500 },
  );
  // Orders that quicksort is slow at end in a sort, not in a hang.
  const organ = Float64Array.from({ length: 1 << 18 }, (_, i) => Math.min(i, (1 << 18) - i));
  select(organ, 0, 1 << 17);
  expect(organ[1 << 17]).toBe(1 << 16);
});
