import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createGunzip } from 'node:zlib';
import {
  classifyCell,
  LINE_BYTES_MAX,
  type Line,
  LineSplitter,
  parseCells,
  parseTimestamp,
} from '../core/csv.ts';
import type { Faults } from './faults.ts';
import { SourceError } from './source.ts';

export interface ReplayRow {
  readonly timeMs: number;
  readonly values: Float64Array;
  readonly label: number | undefined;
}

const COLUMNS_MAX = 1024;
const NAME_LENGTH_MAX = 128;
/** So many rows are judged before the first is handed out. */
const PROBE_ROWS = 100;

const quote = (text: string): string => JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);

/** One CSV file, streamed: at most one chunk, one line and the first hundred rows are in memory. */
export class ReplayFile {
  readonly path: string;
  readonly #faults: Faults;
  readonly #lines = new LineSplitter();
  #chunks: AsyncIterator<Buffer> | undefined;
  #destroy: () => void = () => {};
  #ended = false;
  /** One entry a column: a feature's position, or what else it is. */
  #columns: (number | 'timestamp' | 'label' | 'ignored')[] = [];
  #features: readonly string[] = [];
  #probed: ReplayRow[] = [];
  #rows = 0;
  #badRows = 0;
  #firstBad = '';

  constructor(path: string, faults: Faults) {
    this.path = path;
    this.#faults = faults;
  }

  /** Feature columns, in the file's order; after `open`. */
  get features(): readonly string[] {
    return this.#features;
  }

  /** Reads the header and judges the first hundred rows. Throws SourceError. */
  async open(): Promise<void> {
    const about = await stat(this.path).catch((error: unknown) => {
      const code = error instanceof Error && 'code' in error ? error.code : error;
      const mend = code === 'ENOENT' ? 'Check the path.' : 'Check its permissions.';
      throw new SourceError(`${this.path} can't be opened (${code}). ${mend}`);
    });
    if (about.isDirectory())
      throw new SourceError(`${this.path} is a directory. Name a CSV file (.csv or .csv.gz) in it.`);
    const raw = createReadStream(this.path);
    const stream = this.path.endsWith('.gz') ? raw.pipe(createGunzip()) : raw;
    // pipe passes no errors on.
    raw.on('error', (error) => stream.destroy(error));
    this.#destroy = () => {
      raw.destroy();
      stream.destroy();
    };
    this.#chunks = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    try {
      this.#header(await this.#nextLine());
      while (this.#rows < PROBE_ROWS) {
        const row = await this.#parsedRow();
        if (!row) break;
        if (row !== 'bad') this.#probed.push(row);
      }
      this.#judge();
      // Handed out from the end.
      this.#probed.reverse();
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /** Puts the features into another order: that of the schema. */
  order(names: readonly string[]): void {
    const positions = this.#features.map((name) => names.indexOf(name));
    this.#columns = this.#columns.map((column) => (typeof column === 'number' ? positions[column]! : column));
    for (const row of this.#probed) {
      const before = row.values.slice();
      for (let i = 0; i < before.length; i++) row.values[positions[i]!] = before[i]!;
    }
    this.#features = names;
  }

  /** The next row that could be read, or null at the end. */
  async next(): Promise<ReplayRow | null> {
    const probed = this.#probed.pop();
    if (probed) return probed;
    for (;;) {
      const row = await this.#parsedRow();
      if (row !== 'bad') return row;
    }
  }

  async close(): Promise<void> {
    this.#ended = true;
    this.#probed = [];
    this.#destroy();
  }

  async #nextLine(): Promise<Line | null> {
    for (;;) {
      const line = this.#lines.next();
      if (line) return line;
      if (this.#ended) return null;
      let result: IteratorResult<Buffer> | undefined;
      try {
        result = await this.#chunks?.next();
      } catch (error) {
        if (this.#ended) return null;
        // A cut or damaged gzip: what was read before it stands, its last line is in doubt.
        this.#ended = true;
        this.#faults.add('fileDamaged');
        const message = error instanceof Error ? error.message : String(error);
        if (this.#columns.length > 0) return null;
        throw new SourceError(
          `${this.path}: ${message} before the header could be read. Is it complete, and gzip if it is named .gz?`,
        );
      }
      if (this.#ended) return null;
      if (!result || result.done) {
        this.#ended = true;
        return this.#lines.end();
      }
      this.#lines.push(result.value);
    }
  }

  #header(line: Line | null): void {
    const refuse = (what: string): never => {
      throw new SourceError(`${this.path}, line 1${what}`);
    };
    const expected = 'a header such as timestamp,cpu,memory,network';
    if (!line) throw new SourceError(`${this.path} is empty: expected ${expected}.`);
    if (line.tooLong)
      refuse(` is longer than ${LINE_BYTES_MAX} bytes: expected ${expected}. Is this a CSV file?`);
    if (line.binary)
      refuse(`: holds NUL bytes: expected ${expected}. Is this a text file (and .gz if packed)?`);
    const names = parseCells(line.text);
    if (names.length > COLUMNS_MAX)
      refuse(`: ${names.length} columns, at most ${COLUMNS_MAX} are read. Leave out what isn't needed.`);
    const seen = new Set<string>();
    const features: string[] = [];
    this.#columns = names.map((name, index) => {
      const at = `, column ${index + 1}`;
      if (name === '') return refuse(`${at}: has no name. Name the column or remove it.`);
      if (name.length > NAME_LENGTH_MAX)
        return refuse(`${at}: name of ${name.length} characters, at most ${NAME_LENGTH_MAX}. Shorten it.`);
      if (/\p{Cc}/u.test(name))
        return refuse(`${at}: control characters in ${quote(name)}. Rename the column.`);
      if (seen.has(name)) return refuse(`${at}: ${quote(name)} stands there twice. Rename or remove one.`);
      seen.add(name);
      if (name === 'timestamp' || name === 'label') return name;
      if (name === 'probation') return 'ignored';
      return features.push(name) - 1;
    });
    if (!seen.has('timestamp'))
      refuse(
        `: no column "timestamp", found ${quote(names.join(','))}: expected ${expected}. Add the header, or rename the column of times.`,
      );
    if (features.length === 0) refuse(`: no feature column next to "timestamp": expected ${expected}.`);
    this.#features = features;
  }

  /** A row, null at the end of the file, or 'bad' (counted). */
  async #parsedRow(): Promise<ReplayRow | 'bad' | null> {
    let line = await this.#nextLine();
    while (line && line.text === '' && !line.tooLong) line = await this.#nextLine();
    if (!line) return null;
    this.#rows++;
    const cells = line.tooLong || line.binary ? [] : parseCells(line.text);
    if (line.tooLong) return this.#bad(line, 'rowTooLong', `longer than ${LINE_BYTES_MAX} bytes`);
    if (line.binary) return this.#bad(line, 'rowBinary', 'holds NUL bytes');
    if (cells.length !== this.#columns.length)
      return this.#bad(line, 'rowColumns', `${cells.length} columns, expected ${this.#columns.length}`);
    return this.#row(line, cells);
  }

  #row(line: Line, cells: readonly string[]): ReplayRow | 'bad' {
    const values = new Float64Array(this.#features.length).fill(Number.NaN);
    let timeMs = Number.NaN;
    let label: number | undefined;
    let broken = 0;
    let reason = '';
    for (let i = 0; i < cells.length; i++) {
      const cell = cells[i]!;
      const column = this.#columns[i]!;
      if (column === 'timestamp') {
        timeMs = parseTimestamp(cell);
        if (Number.isNaN(timeMs))
          return this.#bad(line, 'timestampInvalid', `column ${i + 1}: ${quote(cell)} is no time`);
      } else if (column === 'label') {
        const value = Number(cell);
        if (cell !== '' && (value === 0 || value === 1)) label = value;
        else if (cell !== '') this.#faults.add('labelInvalid');
      } else if (column !== 'ignored') {
        const kind = classifyCell(cell);
        if (kind === 'value') values[column] = Number(cell);
        else if (kind !== 'missing') {
          broken++;
          reason ||= `column ${i + 1}: ${quote(cell)} is no finite number`;
          this.#faults.add(kind === 'notFinite' ? 'valueNotFinite' : 'valueNotNumeric');
        }
      }
    }
    if (broken > 0) this.#note(line, reason);
    return { timeMs, values, label };
  }

  #bad(line: Line, fault: string, reason: string): 'bad' {
    this.#faults.add(fault);
    this.#note(line, reason);
    return 'bad';
  }

  #note(line: Line, reason: string): void {
    this.#badRows++;
    this.#firstBad ||= `line ${line.number}, ${reason}`;
  }

  #judge(): void {
    if (this.#badRows * 2 <= this.#rows) return;
    throw new SourceError(
      `${this.path}: ${this.#badRows} of the first ${this.#rows} rows can't be used; the first: ${this.#firstBad}. Expected times (ISO 8601, epoch seconds or milliseconds) and numbers under the header's names; mend the rows or the header.`,
    );
  }
}
