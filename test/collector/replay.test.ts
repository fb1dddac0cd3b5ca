import { writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { type ReplayOptions, ReplaySource } from '../../collector/replay.ts';
import { SourceError } from '../../collector/source.ts';
import { classifyCell, LineSplitter, parseCells, parseTimestamp } from '../../core/csv.ts';
import { FakeClock, FakeRoot } from './support.ts';

const root = new FakeRoot();
afterAll(() => root.destroy());

let files = 0;
const file = (text: string | Buffer, ending = 'csv') => root.write(`${files++}.${ending}`, text);

async function play(paths: string[], options: Partial<ReplayOptions> = {}) {
  const source = new ReplaySource({ files: paths, ...options });
  await source.open();
  const rows: { timeMs: number; values: number[]; label: number | undefined }[] = [];
  for (;;) {
    const sample = await source.read();
    if (!sample) break;
    rows.push({ timeMs: sample.timeMs, values: [...sample.values], label: source.label() });
  }
  await source.close();
  return { rows, faults: source.faults(), schema: source.schema };
}

const refusal = async (path: string): Promise<string> => {
  const error = await new ReplaySource({ files: [path] }).open().then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(SourceError);
  return (error as SourceError).message;
};

const rowsOf = (count: number, row: (i: number) => string = (i) => `${i + 1},${i},2`) =>
  `timestamp,cpu,memory\n${Array.from({ length: count }, (_, i) => row(i)).join('\n')}\n`;

describe('times', () => {
  it.each([
    ['2024-01-02T03:04:05Z', Date.UTC(2024, 0, 2, 3, 4, 5)],
    ['2024-01-02 03:04:05', Date.UTC(2024, 0, 2, 3, 4, 5)],
    ['2024-01-02T03:04:05.678', Date.UTC(2024, 0, 2, 3, 4, 5, 678)],
    ['2024-01-02T03:04+02:00', Date.UTC(2024, 0, 2, 1, 4)],
    ['2024-01-02T03:04:05-0130', Date.UTC(2024, 0, 2, 4, 34, 5)],
    ['2024-01-02', Date.UTC(2024, 0, 2)],
    ['0', 0],
    ['1700000000', 1_700_000_000_000],
    ['1700000000.5', 1_700_000_000_500],
    ['1700000000123', 1_700_000_000_123],
  ])('%s', (text, timeMs) => expect(parseTimestamp(text)).toBe(timeMs));

  it.each([
    '',
    'yesterday',
    '2024-13-01',
    '2023-02-29',
    '2024-01-01T25:00',
    '-5',
    '1e400',
    '1e15',
    '01/02/2024',
  ])('refuses %s', (text) => expect(parseTimestamp(text)).toBeNaN());
});

describe('cells', () => {
  it('splits plain and quoted lines', () => {
    expect(parseCells('a, b ,c')).toEqual(['a', 'b', 'c']);
    expect(parseCells('"a,1","say ""hi""",,x"y')).toEqual(['a,1', 'say "hi"', '', 'x"y']);
  });

  it('knows what stands in a cell', () => {
    expect(['1', '-2.5e3', '.5', '', 'NaN', 'null', '1e400', 'inf', '0x10', '1 2'].map(classifyCell)).toEqual(
      [
        ...['value', 'value', 'value', 'missing', 'missing', 'missing'],
        ...['notFinite', 'notFinite', 'notNumeric', 'notNumeric'],
      ],
    );
  });

  it('gives the same lines however the bytes are cut', () => {
    const lines = fc.array(fc.string({ unit: fc.constantFrom('a', ',', 'é', '"', '1') }), { maxLength: 20 });
    fc.assert(
      fc.property(lines, fc.array(fc.nat(10), { minLength: 1 }), (texts, cuts) => {
        const bytes = Buffer.from(texts.map((text) => `${text}\n`).join(''));
        const splitter = new LineSplitter();
        const seen: string[] = [];
        for (let at = 0, i = 0; at < bytes.length; i++) {
          const size = cuts[i % cuts.length]! + 1;
          splitter.push(bytes.subarray(at, at + size));
          at += size;
          for (let line = splitter.next(); line; line = splitter.next()) seen.push(line.text);
        }
        expect(splitter.end()).toBeNull();
        expect(seen).toEqual(texts);
      }),
    );
  });
});

describe('replay', () => {
  it('reads names, missing values, labels, a BOM, CRLF, and no line feed at the end', async () => {
    const path = file('\uFEFFtimestamp,cpu,weird,label,probation\r\n1,50,,1,x\r\n\r\n2,NaN,7,,\r\n3,1,2,0,1');
    const { rows, faults, schema } = await play([path]);
    expect(schema.map(({ name, unit, scale, label }) => [name, unit, scale, label])).toEqual([
      ['cpu', 'percent', 0, 'CPU'],
      ['weird', 'value', 0, 'weird'],
    ]);
    expect(rows).toEqual([
      { timeMs: 1000, values: [50, Number.NaN], label: 1 },
      { timeMs: 2000, values: [Number.NaN, 7], label: undefined },
      { timeMs: 3000, values: [1, 2], label: 0 },
    ]);
    expect(faults).toEqual({});
  });

  it('plays packed files and several in a row, whatever the order of their columns', async () => {
    const a = file(gzipSync('timestamp,a,b\n1,1,2\n2,3,4\n'), 'csv.gz');
    const b = file('b,timestamp,a\n6,3,5\n');
    const { rows } = await play([a, b]);
    expect(rows.map((row) => row.values)).toEqual([
      [1, 2],
      [3, 4],
      [5, 6],
    ]);
  });

  it('says so when a later file lies wholly before', async () => {
    const { rows, faults } = await play([file(rowsOf(3)), file(rowsOf(2))]);
    expect(rows).toHaveLength(3);
    expect(faults).toEqual({ timestampBackwards: 2, fileWithoutRows: 1 });
  });

  it('stops at maxRows', async () => {
    expect((await play([file(rowsOf(500))], { maxRows: 150 })).rows).toHaveLength(150);
  });

  it('waits by the timestamps in real time, through the clock and sleep it was given', async () => {
    const clock = new FakeClock();
    const waits: number[] = [];
    const sleep = async (ms: number) => {
      waits.push(ms);
      clock.advance(ms);
    };
    await play([file('timestamp,a\n10,1\n15,2\n16,3\n')], { pace: 'realtime', speed: 2, clock, sleep });
    expect(waits).toEqual([2500, 500]);
  });

  it('ends a wait when it is closed', async () => {
    const source = new ReplaySource({ files: [file('timestamp,a\n1,1\n99999,2\n')], pace: 'realtime' });
    await source.open();
    await source.read();
    const pending = source.read();
    await source.close();
    expect(await pending).toBeNull();
  });
});

describe('hostile rows are counted, never a crash', () => {
  it('skips rows and misses values', async () => {
    const rows = [
      ...['1,1,1', '2,x,1', '3,1e400,1', '4,1', '5,1,1,1', 'soon,1,1', '5,9,9', '5,1,1', '4,1,1', '6,inf,2'],
      ...['7,\0,1', `8,${'9'.repeat(70_000)},1`, '9,1,1'],
    ];
    const text = rowsOf(20, (i) => `0.${100 + i},1,1`) + rows.join('\n');
    const { rows: got, faults } = await play([file(text)]);
    expect(faults).toEqual({
      valueNotNumeric: 1,
      valueNotFinite: 2,
      rowColumns: 2,
      timestampInvalid: 1,
      timestampDuplicate: 1,
      timestampBackwards: 1,
      rowBinary: 1,
      rowTooLong: 1,
    });
    expect(got.at(-1)?.timeMs).toBe(9000);
  });

  it('survives one wild timestamp, and believes two', async () => {
    const far = 4e9;
    const one = await play([file(`timestamp,a\n1,1\n${far},1\n2,1\n3,1\n`)]);
    expect(one.rows.map((row) => row.timeMs)).toEqual([1000, 2000, 3000]);
    expect(one.faults).toEqual({ timestampJump: 1 });
    const two = await play([file(`timestamp,a\n1,1\n${far},1\n${far + 1},1\n${far + 2},1\n`)]);
    expect(two.rows).toHaveLength(3);
  });

  it('gives what stands before a cut in a packed file', async () => {
    const packed = gzipSync(rowsOf(20_000, (i) => `${i},${Math.sin(i)},${Math.cos(i)}`));
    const { rows, faults } = await play([file(packed.subarray(0, packed.length / 2), 'csv.gz')]);
    expect(rows.length).toBeGreaterThan(1000);
    expect(faults).toEqual({ fileDamaged: 1 });
  });

  it('holds a line without an end to 64 KiB', async () => {
    const path = file(rowsOf(3));
    writeFileSync(path, Buffer.alloc(8 << 20, 0x61), { flag: 'a' });
    const { rows, faults } = await play([path]);
    expect(rows).toHaveLength(3);
    expect(faults).toEqual({ rowTooLong: 1 });
  });

  it('never throws anything but a SourceError on arbitrary bytes', async () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array)),
      fc
        .string({ unit: fc.constantFrom('1', ',', '\n', 'x', '"', '-', '\r', '\0', 'e9') })
        .map((text) => Buffer.from(`timestamp,a\n${text}`)),
    );
    await fc.assert(
      fc.asyncProperty(bytes, fc.boolean(), async (content, packed) => {
        const path = root.write(packed ? 'any.csv.gz' : 'any.csv', content);
        await play([path]).catch((error: unknown) => expect(error).toBeInstanceOf(SourceError));
      }),
      { numRuns: 200 },
    );
  });
});

describe('what a user can mend names the file and the place', () => {
  it.each<[string, string]>([
    ['', 'is empty'],
    ['1,2,3\n', 'no column "timestamp"'],
    ['timestamp,label\n1,0\n', 'no feature column'],
    ['timestamp,a,a\n', 'line 1, column 3: "a" stands there twice'],
    ['timestamp,,a\n', 'line 1, column 2: has no name'],
    ['timestamp,a\u001b[2J\n', 'line 1, column 2: control characters'],
    [`timestamp,${'a'.repeat(200)}\n`, 'name of 200 characters'],
    ['timestamp\0,a\n', 'NUL bytes'],
    ['x'.repeat(70_000), 'longer than 65536 bytes'],
    [`timestamp,${Array.from({ length: 2000 }, (_, i) => `c${i}`).join(',')}\n`, '2001 columns'],
    [rowsOf(50, (i) => (i % 3 ? `${i},1` : `${i},1,1`)), '33 of the first 50 rows'],
    [rowsOf(50, (i) => `${i},host-a,1`), 'line 2, column 2: "host-a" is no finite number'],
  ])('header or rows %#', async (text, part) => {
    const path = file(text);
    const message = await refusal(path);
    expect(message).toContain(path);
    expect(message).toContain(part);
  });

  it('refuses what is no file, no gzip, or another schema', async () => {
    expect(await refusal(`${root.path}/none.csv`)).toContain('ENOENT');
    expect(await refusal(root.path)).toContain('is a directory');
    expect(await refusal(file('timestamp,a\n1,2\n', 'csv.gz'))).toContain('gzip');
    const both = [file('timestamp,a,b\n1,2,3\n'), file('timestamp,a,c\n1,2,3\n')];
    await expect(new ReplaySource({ files: both }).open()).rejects.toThrow('missing: b; only here: c');
    await expect(new ReplaySource({ files: [] }).open()).rejects.toThrow(SourceError);
    await expect(new ReplaySource({ files: both, speed: 0 }).open()).rejects.toThrow('speed');
  });
});
