import { gzipSync } from 'node:zlib';

const START_S = 1_700_000_000;
const HEADER = 'timestamp,cpu,memory,network';
const ROWS = 400;

type Cells = readonly (string | number)[];
const cellsOf = (i: number): Cells => [START_S + 60 * i, 10 + (i % 7), 40 + (i % 3), 1000 + ((i * 37) % 500)];

/** A good file, each row changed. */
const rows = (change: (cells: Cells, i: number) => Cells | string, count = ROWS): string =>
  `${HEADER}\n${Array.from({ length: count }, (_, i) => {
    const row = change(cellsOf(i), i);
    return typeof row === 'string' ? row : row.join(',');
  }).join('\n')}\n`;

export const GOOD = rows((cells) => cells);

/** The time in another form, where every row has it. */
const dated = (form: (date: Date) => string): string =>
  rows(([time, ...rest]) => [form(new Date(Number(time) * 1000)), ...rest]);
const two = (n: number): string => String(n).padStart(2, '0');
const each = (from: number, cell: string): string => rows((cells) => cells.with(from, cell));

const gz = gzipSync(GOOD);
const withHeader = (header: string): string => GOOD.replace(HEADER, header);
const TIMES = 'is no time';

export interface Broken {
  readonly content: string | Buffer;
  /** What stderr, or the reasons on stdout, say. */
  readonly says: RegExp;
}

/** What people and programs make of CSV files, and what they are told. */
export const BROKEN: Readonly<Record<string, Broken>> = {
  empty: { content: '', says: /is empty: expected a header/ },
  'one blank': { content: ' ', says: /line 1, column 1: has no name/ },
  'line feeds alone': { content: '\n\n\n', says: /line 1, column 1: has no name/ },
  'header alone': { content: `${HEADER}\n`, says: /no row behind the header/ },
  'header without line feed': { content: HEADER, says: /no row behind the header/ },
  'no header': { content: GOOD.slice(HEADER.length + 1), says: /line 1.*"timestamp"/ },
  'a header of blanks': { content: withHeader(' , , , '), says: /line 1, column 1: has no name/ },
  'a column without name': {
    content: withHeader('timestamp,cpu,,network'),
    says: /line 1, column 3: has no name/,
  },
  'the same column twice': {
    content: withHeader('timestamp,cpu,cpu,network'),
    says: /line 1, column 3: "cpu" stands there twice/,
  },
  'two timestamps': {
    content: withHeader('timestamp,timestamp,memory,network'),
    says: /column 2: "timestamp" stands there twice/,
  },
  'timestamp in capitals': {
    content: withHeader('Timestamp,cpu,memory,network'),
    says: /line 1: no column "timestamp"/,
  },
  'time instead of timestamp': {
    content: withHeader('time,cpu,memory,network'),
    says: /line 1: no column "timestamp"/,
  },
  'no metric': {
    content: 'timestamp\n1700000000\n1700000060\n',
    says: /line 1: no column beside "timestamp"/,
  },
  'labels alone': {
    content: 'timestamp,label\n1700000000,0\n1700000060,1\n',
    says: /no column beside "timestamp"/,
  },
  'a required column missing': {
    content: withHeader('timestamp,cpu,memory,disk'),
    says: /the column network is missing/,
  },
  'a name too long': {
    content: withHeader(`timestamp,cpu,memory,${'n'.repeat(200)}`),
    says: /line 1, column 4: name of 200 characters/,
  },
  'control characters in a name': {
    content: withHeader('timestamp,cpu\u001b[31m,memory,network'),
    says: /line 1, column 2: control characters/,
  },
  'two thousand columns': {
    content: `timestamp,${Array.from({ length: 2000 }, (_, i) => `c${i}`).join(',')}\n`,
    says: /line 1: 2001 columns, at most 1024/,
  },
  'parted by semicolons': {
    content: GOOD.replaceAll(',', ';'),
    says: /line 1: one column.*parted by commas, not by ";"/,
  },
  'parted by tabs': {
    content: GOOD.replaceAll(',', '\t'),
    says: /line 1: one column.*parted by commas, not by "\\t"/,
  },
  'parted by bars': { content: GOOD.replaceAll(',', '|'), says: /parted by commas, not by "\|"/ },
  'parted by blanks': { content: GOOD.replaceAll(',', ' '), says: /line 1: no column "timestamp"/ },
  'JSON lines': {
    content: '{"timestamp":1700000000,"cpu":1}\n'.repeat(ROWS),
    says: /line 1.*(no column "timestamp"|stands there twice)/,
  },
  'a JSON document': {
    content: JSON.stringify(Array.from({ length: ROWS }, (_, i) => cellsOf(i))),
    says: /line 1/,
  },
  'a page of HTML': {
    content: '<!doctype html>\n<title>404</title>\n',
    says: /line 1: no column "timestamp"/,
  },
  'an executable': {
    content: Buffer.concat([Buffer.from('\u007fELF\u0002\u0001\u0001'), Buffer.alloc(4096)]),
    says: /line 1: holds NUL bytes|line 1 is longer/,
  },
  'random bytes': {
    content: Buffer.from(Array.from({ length: 4096 }, (_, i) => (i * 193 + 7) % 256)),
    says: /line 1/,
  },
  'UTF-16': { content: Buffer.from(`\ufeff${GOOD}`, 'utf16le'), says: /line 1: holds NUL bytes/ },
  'a NUL in each row': {
    content: rows((cells) => [...cells.slice(0, 3), '1\0']),
    says: /line 2: holds NUL bytes/,
  },
  'an endless line': { content: 'timestamp,'.repeat(300_000), says: /line 1 is longer than 65536 bytes/ },
  'an endless row': { content: `${HEADER}\n${'1,'.repeat(300_000)}`, says: /line 2: is longer than 64 kB/ },
  'a cell too few in each row': {
    content: rows((cells) => cells.slice(0, 3)),
    says: /line 2: 3 cells, expected 4/,
  },
  'a cell too many in each row': {
    content: rows((cells) => [...cells, 1]),
    says: /line 2: 5 cells, expected 4/,
  },
  'every third row ragged': {
    content: rows((cells, i) => (i % 3 === 0 ? cells.slice(0, 2) : cells)),
    says: /line 2: 2 cells, expected 4/,
  },
  'a comma for the decimal point': {
    content: rows((cells) => cells.map((cell) => `${cell},5`)),
    says: /line 2: 8 cells, expected 4/,
  },
  'quotes never closed': {
    content: rows((cells) => [`"${cells[0]}`, ...cells.slice(1)]),
    says: /line 2: 1 cells, expected 4/,
  },
  'carriage returns alone': { content: GOOD.replaceAll('\n', '\r'), says: /line 1/ },
  'American dates': {
    content: dated(
      (d) => `${d.getUTCMonth() + 1}/${d.getUTCDate()}/${d.getUTCFullYear()} 10:${two(d.getUTCMinutes())}`,
    ),
    says: /line 2, timestamp: "11\/14\/2023 10:\d\d" is no time/,
  },
  'German dates': {
    content: dated((d) => `${d.getUTCDate()}.${d.getUTCMonth() + 1}.${d.getUTCFullYear()}`),
    says: /line 2, timestamp: "14\.11\.2023" is no time/,
  },
  'dates in words': {
    content: dated((d) => d.toUTCString().replace(',', '')),
    says: /line 2, timestamp: "Tue 14 Nov 2023.*" is no time/,
  },
  'dates of a web server': {
    content: dated((d) => `[${d.getUTCDate()}/Nov/2023:22:13:20 +0000]`),
    says: /line 2, timestamp: .* is no time/,
  },
  'days of weeks': { content: dated(() => '2023-W46-2'), says: /line 2, timestamp: "2023-W46-2" is no time/ },
  'days that no calendar has': {
    content: dated(() => '2023-02-30T10:00:00Z'),
    says: /line 2, timestamp: "2023-02-30T10:00:00Z" is no time/,
  },
  'times of a day': {
    content: dated((d) => `${two(d.getUTCHours())}:${two(d.getUTCMinutes())}`),
    says: new RegExp(`line 2, timestamp: "22:13" ${TIMES}`),
  },
  nanoseconds: {
    content: rows(([time, ...rest]) => [`${time}000000000`, ...rest]),
    says: /line 2, timestamp: "1700000000000000000" is no time/,
  },
  'negative times': {
    content: rows(([, ...rest], i) => [-i - 1, ...rest]),
    says: /line 2, timestamp: "-1" is no time/,
  },
  'no times': { content: each(0, ''), says: /line 2, timestamp: "" is no time/ },
  'the same time everywhere': {
    content: each(0, String(START_S)),
    says: /line 3, timestamp: the time was there before/,
  },
  'every row twice': {
    content: GOOD.replace(/^(\d.*)$/gm, '$1\n$1'),
    says: /line 3, timestamp: the row stands there twice/,
  },
  'newest first': {
    content: rows((_, i) => cellsOf(ROWS - i)),
    says: /line 3, timestamp: is earlier than the row before/,
  },
  'in no order': {
    content: rows((_, i) => cellsOf((i * 173) % ROWS)),
    says: /timestamp: is earlier than the row before/,
  },
  'nothing measured': { content: each(1, ''), says: /cpu is empty/ },
  'NaN everywhere': {
    content: rows(([time]) => [time as number, 'NaN', 'NaN', 'NaN']),
    says: /cpu is empty/,
  },
  'null everywhere': {
    content: rows(([time]) => [time as number, 'null', 'null', 'null']),
    says: /cpu is empty/,
  },
  'words for numbers': { content: each(1, 'high'), says: /line 2, cpu: "high" is no number/ },
  'units behind numbers': {
    content: rows(([time, cpu, ...rest]) => [time as number, `${cpu}%`, ...rest]),
    says: /line 2, cpu: "10%" is no number/,
  },
  'thousands parted': {
    content: rows(([time, cpu, memory]) => [time as number, cpu as number, memory as number, "1'000"]),
    says: /line 2, network: "1'000" is no number/,
  },
  'hexadecimal numbers': { content: each(1, '0x1F'), says: /line 2, cpu: "0x1F" is no number/ },
  'numbers too large to be finite': {
    content: each(3, '1e400'),
    says: /line 2, network: "1e400" is not finite/,
  },
  infinities: { content: each(3, '-inf'), says: /line 2, network: "-inf" is not finite/ },
  'percent above a hundred': { content: each(1, '250'), says: /line 2, cpu: 250 is above 100/ },
  'negative traffic': { content: each(3, '-1'), says: /line 2, network: -1 is below 0/ },
  'labels in words': {
    content: `${HEADER},label\n${Array.from({ length: ROWS }, (_, i) => `${cellsOf(i).join(',')},normal`).join('\n')}\n`,
    says: /line 2, label: "normal" is no label: expected 0, 1 or nothing/,
  },
  'labels of severity': {
    content: `${HEADER},label\n${Array.from({ length: ROWS }, (_, i) => `${cellsOf(i).join(',')},${(i % 2) + 2}`).join('\n')}\n`,
    says: /line 2, label: "2" is no label/,
  },
  'one row': { content: rows((cells) => cells, 1), says: /but one row/ },
  'all constant': { content: rows(([time]) => [time as number, 1, 2, 3]), says: /no column ever changes/ },
  'gzip cut short': {
    content: gz.subarray(0, Math.floor(gz.length / 2)),
    says: /after line \d+: unexpected end of file/,
  },
  'gzip with a bit turned': {
    content: Buffer.concat([gz.subarray(0, 40), Buffer.from([(gz[40] as number) ^ 0xff]), gz.subarray(41)]),
    says: /after line \d+: /,
  },
  'gzip of nothing': { content: gzipSync(''), says: /is empty: expected a header/ },
  'gzip of gzip': { content: gzipSync(gz), says: /line 1/ },
  'another database': {
    content: Buffer.concat([Buffer.from('SQLite format 3\0'), Buffer.alloc(4080)]),
    says: /database|not a database|no samples/,
  },
};
