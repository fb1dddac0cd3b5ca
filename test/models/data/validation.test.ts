import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ColumnProfile, quantile } from '../../../models/data/column-profile.ts';
import { dataSchemaOf, HOST_DATA_SCHEMA } from '../../../models/data/data-schema.ts';
import { type ValidationReport, validateFile } from '../../../models/data/validation.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

const HEADER = 'timestamp,cpu,memory,network\n';
const START_S = 1_700_000_000;

function file(content: string | Buffer, name = 'data.csv'): string {
  const path = join(temporaryDirectory(), name);
  writeFileSync(path, content);
  return path;
}

const validate = (content: string | Buffer, maxViolationRate = 0.05): Promise<ValidationReport> =>
  validateFile(file(content), { schema: HOST_DATA_SCHEMA, maxViolationRate });

/** Good rows, each changed by `change`. */
const rows = (count: number, change: (i: number) => string | null = () => null): string =>
  HEADER +
  Array.from(
    { length: count },
    (_, i) => change(i) ?? `${START_S + 5 * i},${10 + (i % 7)},${40 + (i % 3)},${1000 + i}`,
  ).join('\n');

describe('a file that is fine', () => {
  test('says what is in it', async () => {
    const report = await validate(rows(200));
    expect(report).toMatchObject({
      rows: 200,
      duplicates: 0,
      outOfOrder: 0,
      gaps: 0,
      irregular: 0,
      intervalMs: 5000,
      from: new Date(START_S * 1000).toISOString(),
      to: new Date((START_S + 995) * 1000).toISOString(),
      labelled: null,
      violations: 0,
      verdict: 'pass',
      reasons: [],
      notes: [],
      offences: [],
    });
    expect(report.columns['cpu']).toMatchObject({
      type: 'number',
      missing: 0,
      outOfRange: 0,
      min: 10,
      max: 16,
      outliers: 0,
    });
  });

  test('gzip is known by its bytes, a byte order mark and CRLF are none of its matters', async () => {
    const text = `\ufeff${rows(20).replaceAll('\n', '\r\n')}\r\n`;
    expect(await validate(gzipSync(text))).toMatchObject({ rows: 20, verdict: 'pass' });
  });

  test('labels are counted, further columns may hold any number', async () => {
    const text =
      'timestamp,cpu,memory,network,queue,label\n' +
      Array.from({ length: 10 }, (_, i) => `${START_S + i},1,2,3,${-1e6 * i},${i % 2}`).join('\n');
    expect(await validate(text)).toMatchObject({ verdict: 'pass', labelled: { rows: 10, anomalous: 5 } });
  });
});

describe('what is wrong is counted, named by its line, and weighed', () => {
  test.each<[string, string, string | null, string]>([
    ['a percentage above 100', `${START_S + 50},101,40,1`, 'cpu', '101 is above 100'],
    ['a rate below 0', `${START_S + 50},10,40,-1`, 'network', '-1 is below 0'],
    ['a word', `${START_S + 50},high,40,1`, 'cpu', '"high" is no number'],
    ['an infinity', `${START_S + 50},10,inf,1`, 'memory', '"inf" is not finite'],
    ['a number too large', `${START_S + 50},10,40,1e400`, 'network', '"1e400" is not finite'],
    ['a missing value', `${START_S + 50},10,,1`, 'memory', 'is missing'],
    [
      'a date that no calendar has',
      '2024-02-31,10,40,1',
      'timestamp',
      '"2024-02-31" is no time (ISO 8601, epoch seconds or milliseconds)',
    ],
    ['the same row again', `${START_S + 45},12,40,1009`, 'timestamp', 'the row stands there twice'],
    ['the same time again', `${START_S + 45},1,40,1`, 'timestamp', 'the time was there before'],
    ['an earlier time', `${START_S - 7},10,40,1`, 'timestamp', 'is earlier than the row before'],
    ['too few cells', `${START_S + 50},10,40`, null, '3 cells, expected 4'],
    ['NUL bytes', `${START_S + 50},1\0,40,1`, null, 'holds NUL bytes'],
    ['an endless line', 'x'.repeat(70_000), null, 'is longer than 64 kB'],
  ])('%s', async (_name, row, column, reason) => {
    const report = await validate(rows(100, (i) => (i === 10 ? row : null)));
    expect(report.offences).toEqual([{ line: 12, column, reason }]);
    expect(report).toMatchObject({ violations: 1, violationRate: 0.01, verdict: 'pass' });
  });

  test('above the share that may, it fails, and says why', async () => {
    const report = await validate(rows(100, (i) => (i % 10 === 0 ? `${START_S + 5 * i},200,40,1` : null)));
    expect(report).toMatchObject({ violations: 10, verdict: 'fail' });
    expect(report.reasons).toEqual(['10 % of the rows (10 of 100) break a rule; at most 5 % may']);
    expect(report.columns['cpu']).toMatchObject({ outOfRange: 10 });
    const lax = await validate(
      rows(100, (i) => (i % 10 === 0 ? `${START_S + 5 * i},200,40,1` : null)),
      0.1,
    );
    expect(lax.verdict).toBe('pass');
  });

  test('a column that is missing, empty or no numbers fails by itself', async () => {
    const reasons = async (text: string): Promise<readonly string[]> => (await validate(text, 1)).reasons;
    const two = (a: string, b: string): string => `${START_S},${a}\n${START_S + 5},${b}`;
    expect(await reasons(`timestamp,cpu,memory\n${two('1,2', '2,2')}`)).toEqual([
      'the column network is missing',
    ]);
    expect(await reasons(`${HEADER}${two(',2,3', ',3,3')}`)).toEqual(['cpu is empty']);
    expect(await reasons(`${HEADER}${two('a,2,3', 'a,3,3')}`)).toEqual(['cpu holds no number at all']);
    expect(await reasons(`${HEADER}${two('1,2,3', '1,2,3')}`)).toEqual([
      'no column ever changes: nothing can be learned from it',
    ]);
    expect(await reasons(`${HEADER}${START_S},1,2,3`)).toEqual([
      'there is but one row: nothing can be learned from it',
    ]);
    expect(await reasons(HEADER)).toEqual(['there is no row behind the header']);
  });

  test('gaps, irregular intervals and constants are noted', async () => {
    const times = Array.from(
      { length: 300 },
      (_, i) => START_S + 5 * i + (i > 100 ? 3600 : 0) + (i === 200 ? 2 : 0),
    );
    const report = await validate(HEADER + times.map((t, i) => `${t},50,${40 + (i % 3)},1`).join('\n'));
    expect(report).toMatchObject({ gaps: 1, irregular: 3, verdict: 'pass' });
    expect(report.notes).toEqual([
      'cpu never changes: a model learns nothing from it',
      'network never changes: a model learns nothing from it',
      '1 gaps: time in which nothing was recorded',
    ]);
  });
});

describe('what is no table at all', () => {
  test.each<[string, string | Buffer, RegExp]>([
    ['nothing', '', /is empty: expected a header/],
    ['no header', '1,2,3,4\n', /no column "timestamp", found "1,2,3,4"/],
    ['semicolons', 'timestamp;cpu;memory;network\n', /parted by commas, not by ";"/],
    ['tabs', 'timestamp\tcpu\tmemory\tnetwork\n', /parted by commas, not by "\\t"/],
    ['the same name twice', 'timestamp,cpu,cpu\n', /column 3: "cpu" stands there twice/],
    ['a column without a name', 'timestamp,,cpu\n', /column 2: has no name/],
    ['only times', 'timestamp\n1\n', /no column beside "timestamp"/],
    ['a picture', Buffer.from([0x89, 0x50, 0x4e, 0x47, 0, 0, 0, 10]), /holds NUL bytes/],
    [
      'a gzip that was cut',
      gzipSync(rows(5000)).subarray(0, 3000),
      /after line \d+: unexpected end of file\. Is it complete/,
    ],
    ['a gzip that is none', Buffer.from([0x1f, 0x8b, 1, 2, 3]), /Is it complete, and a whole gzip/],
  ])('%s', async (_name, content, message) => {
    await expect(validate(content)).rejects.toThrow(message);
  });

  test('a folder, and nothing', async () => {
    const options = { schema: HOST_DATA_SCHEMA, maxViolationRate: 0.05 };
    await expect(validateFile(temporaryDirectory(), options)).rejects.toThrow(/is a directory/);
    await expect(validateFile('/nowhere/x.csv', options)).rejects.toThrow(/can't be opened \(ENOENT\)/);
  });

  test('whatever the bytes: a report or a word, never a crash', async () => {
    const path = file('');
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), fc.boolean(), async (bytes, headed) => {
        writeFileSync(path, headed ? Buffer.concat([Buffer.from(HEADER), bytes]) : bytes);
        try {
          const report = await validateFile(path, { schema: HOST_DATA_SCHEMA, maxViolationRate: 0.05 });
          expect(report.violations).toBeLessThanOrEqual(report.rows);
        } catch (error) {
          expect((error as Error).name).toBe('DataError');
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('figures of a column', () => {
  const finite = fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { minLength: 2, maxLength: 200 });

  test('are those of the definitions', () => {
    fc.assert(
      fc.property(finite, (values) => {
        const profile = new ColumnProfile();
        for (const value of values) profile.add(value);
        const report = profile.report();
        const mean = values.reduce((a, b) => a + b, 0) / values.length;
        const variance = values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (values.length - 1);
        expect(report.mean).toBeCloseTo(mean, 5);
        expect(report.std).toBeCloseTo(Math.sqrt(variance), 4);
        expect([report.min, report.max]).toEqual([Math.min(...values), Math.max(...values)]);
        expect(report.histogram.reduce((a, b) => a + b, 0)).toBe(values.length);
        const iqr = (report.p75 as number) - (report.p25 as number);
        const outside = values.filter(
          (x) => x < (report.p25 as number) - 1.5 * iqr || x > (report.p75 as number) + 1.5 * iqr,
        );
        expect(report.outliers).toBe(outside.length);
      }),
    );
  });

  test('quantiles as numpy gives them', () => {
    const sorted = Float64Array.from([1, 2, 4, 8]);
    const expected = [1, 1.75, 3, 5, 7.4, 8];
    for (const [i, q] of [0, 0.25, 0.5, 0.75, 0.95, 1].entries()) {
      expect(quantile(sorted, q)).toBeCloseTo(expected[i] as number, 12);
    }
  });

  test('of more values than are kept they are still near', () => {
    const profile = new ColumnProfile();
    const n = 600_000;
    for (let i = 0; i < n; i++) profile.add((i * 7919) % n);
    const { p50, p95, max } = profile.report();
    expect((p50 as number) / n).toBeCloseTo(0.5, 2);
    expect((p95 as number) / n).toBeCloseTo(0.95, 2);
    expect(max).toBe(n - 1);
  });
});

describe('a schema of one’s own', () => {
  test('names columns and ranges', async () => {
    const schema = dataSchemaOf(
      { columns: { queue: { min: 0 }, temperature: { required: false, max: 90 } } },
      's.yaml',
    );
    const report = await validateFile(file('timestamp,queue,temperature\n1,5,91\n2,-1,20\n'), {
      schema,
      maxViolationRate: 1,
    });
    expect(report.offences.map(({ reason }) => reason)).toEqual(['91 is above 90', '-1 is below 0']);
  });

  test.each<[unknown, RegExp]>([
    [null, /expected `columns:`/],
    [{ columns: [] }, /expected `columns:`/],
    [{ columns: {} }, /no column is named/],
    [{ columns: { a: 1 } }, /columns\.a: expected/],
    [{ columns: { a: { maximum: 1 } } }, /unknown "maximum", expected required, min, max/],
    [{ columns: { a: { min: 'x' } } }, /min and max are numbers/],
    [{ columns: { a: { min: 2, max: 1 } } }, /min is above max/],
    [{ columns: { a: { required: 1 } } }, /expected true or false/],
  ])('refuses %j', (document, message) => {
    expect(() => dataSchemaOf(document, 's.yaml')).toThrow(message);
  });
});
