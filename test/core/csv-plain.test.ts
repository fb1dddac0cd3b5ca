import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { classifyCell, LineSplitter, parseCells, parseTimestamp } from '../../core/csv.ts';
import { PlainRows } from '../../core/csv-plain.ts';

const digits = (maxLength: number): fc.Arbitrary<string> =>
  fc.array(fc.integer({ min: 0, max: 9 }), { maxLength }).map((all) => all.join(''));
const exponent = fc
  .tuple(fc.constantFrom('e', 'E'), fc.constantFrom('', '+', '-'), fc.nat({ max: 330 }))
  .map((parts) => parts.join(''));
const composed = fc
  .tuple(
    fc.constantFrom('', '', '-', '+'),
    digits(20),
    fc.constantFrom('', '.', '.'),
    digits(20),
    fc.oneof(fc.constant(''), exponent),
  )
  .map((parts) => parts.join(''));
const number = fc.oneof(
  composed,
  fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
  fc.integer({ min: -1000, max: 1000 }).map((x) => String(x / 100)),
);
const odd = fc.constantFrom(
  'nan',
  '1e400',
  'inf',
  'five',
  ' 5',
  '5 ',
  '"5"',
  '0x10',
  '1_000',
  '٣',
  '5\0',
  '1e',
  '.',
  '-',
);
const time = fc.oneof(
  fc.integer({ min: -10, max: 2e9 }).map(String),
  fc.integer({ min: 1e11, max: 2e14 }).map(String),
  fc.double({ min: 0, max: 2e9, noNaN: true }).map(String),
  fc
    .tuple(
      fc.date({ min: new Date('0000-01-01'), max: new Date('9999-12-31'), noInvalidDate: true }),
      fc.constantFrom('T', ' ', 't', '_'),
      fc.constantFrom('', '.5', '.123', '.057', '.123456789', '.1234567890', '.', ',5'),
      fc.constantFrom('', 'Z', 'z', '+02:00', ' Z'),
    )
    .map(([date, between, fraction, zone]) => {
      const text = date.toISOString();
      return text.slice(0, 10) + between + text.slice(11, 19) + fraction + zone;
    }),
  fc.constantFrom(
    '2024-02-31 00:00:00',
    '2024-00-15 00:00:00',
    '2024-13-01T00:00:00Z',
    '2024-01-00 00:00:00',
    '2024-06-31T10:00:00Z',
    '2024-01-01T24:00:00Z',
    '2024-01-01T23:59:60Z',
    '2024-01-01T23:60:00Z',
    '2024-1-01 00:00:00',
    '2024-01-01',
    '2024-01-01T00:00',
    '',
  ),
);
const cell = fc.oneof({ weight: 8, arbitrary: number }, fc.constant(''), { weight: 1, arbitrary: odd });
const line = fc
  .tuple(
    time,
    fc.array(cell, { minLength: 2, maxLength: 4 }),
    fc.constantFrom('\n', '\r\n', '\r\r\n', '\n\n'),
  )
  .map(([at, cells, end]) => [at, ...cells].join(',') + end);

interface Read {
  readonly line: number;
  readonly text: string;
  /** NaN of a time or a value: none. */
  readonly numbers: readonly number[] | null;
}

const COLUMNS = 4;

/** Every line, cut into chunks at `cuts`: by the fast path where it takes them, else the text alone. */
function read(bytes: Buffer, cuts: readonly number[]): Read[] {
  const splitter = new LineSplitter();
  const plain = new PlainRows(COLUMNS, 0);
  const out: Read[] = [];
  const edges = [0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  for (const [k, edge] of edges.slice(1).entries()) {
    splitter.push(bytes.subarray(edges[k], edge));
    for (;;) {
      splitter.takeWhile((chunk, at, end, number) => {
        const next = plain.read(chunk, at, end);
        if (next < 0) return -1;
        const text = chunk.toString('utf8', at, next - 1).replace(/\r$/, '');
        out.push({ line: number, text, numbers: [plain.timeMs, ...plain.values.subarray(1)] });
        return next;
      });
      const next = splitter.next();
      if (next === null) break;
      out.push({ line: next.number, text: next.text, numbers: null });
    }
  }
  const last = splitter.end();
  if (last !== null) out.push({ line: last.number, text: last.text, numbers: null });
  return out;
}

describe('plain lines', () => {
  test('are read as the slow path reads them, wherever the chunks are cut; no line is lost or counted twice', () => {
    fc.assert(
      fc.property(fc.array(line, { maxLength: 12 }), fc.array(fc.nat(), { maxLength: 5 }), (lines, cuts) => {
        const bytes = Buffer.from(`timestamp,a,b,c\n${lines.join('')}`);
        const found = read(bytes, cuts);
        const whole = new LineSplitter();
        whole.push(bytes);
        const expected = [];
        for (let one = whole.next(); one !== null; one = whole.next()) expected.push([one.number, one.text]);
        expect(found.map(({ line: number, text }) => [number, text])).toEqual(expected);
        for (const { text, numbers } of found) {
          if (numbers === null) continue;
          const cells = parseCells(text);
          expect(cells.length).toBe(COLUMNS);
          expect(numbers[0]).toBe(parseTimestamp(cells[0] as string));
          cells.slice(1).forEach((one, i) => {
            const kind = classifyCell(one);
            expect(kind).toBe(one === '' ? 'missing' : 'value');
            expect(numbers[i + 1]).toBe(kind === 'missing' ? Number.NaN : Number(one));
          });
        }
      }),
      { numRuns: 3000 },
    );
  });

  test.each([
    '1700000000,1,-2.5,3e-5',
    '1700000000123,0.1,,12345678901234567890',
    '2024-02-29T23:59:59Z,1.7976931348623157e308,5e-324,+7.',
    '2024-02-29 23:59:59.057,.5,0.30000000000000004,-0',
    '1700000000.25,1,2,3\r',
  ])('take %j', (text) => {
    const [, row] = read(Buffer.from(`timestamp,a,b,c\n${text}\n`), []);
    expect(row?.numbers).not.toBe(null);
    const cells = parseCells(text);
    expect(row?.numbers).toEqual([
      parseTimestamp(cells[0] as string),
      ...cells.slice(1).map((one) => (one === '' ? Number.NaN : Number(one))),
    ]);
  });

  test('all milliseconds are those of the slow path', () => {
    for (let ms = 0; ms < 1000; ms++) {
      const text = `2024-01-01T00:00:00.${String(ms).padStart(3, '0')}Z`;
      const [, row] = read(Buffer.from(`timestamp,a,b,c\n${text},1,2,3\n`), []);
      expect(row?.numbers?.[0]).toBe(parseTimestamp(text));
    }
  });

  test('a month 0 is in no calendar', () => {
    expect(parseTimestamp('2024-00-15')).toBeNaN();
  });
});
