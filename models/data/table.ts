import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { pipeline, Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { LINE_BYTES_MAX, type Line, LineSplitter, parseCells } from '../../core/csv.ts';

/** Data that can't be read: which file, where in it, what was expected, how to mend it. */
export class DataError extends Error {
  override readonly name = 'DataError';
}

const COLUMNS_MAX = 1024;
const NAME_LENGTH_MAX = 128;
const CHUNK_BYTES = 1 << 18;
const GZIP_MAGIC = [0x1f, 0x8b];

export const quoted = (text: string): string =>
  JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);

/** A row as it stands in the file; `fault` where it has no cells to speak of. */
export interface RawRow {
  readonly line: number;
  readonly cells: readonly string[];
  readonly fault: 'tooLong' | 'binary' | 'columns' | null;
}

/**
 * A CSV file with a header, streamed: one chunk and one line are in memory, whatever its size. `-` is standard input;
 * gzip is known by its first bytes.
 */
export class Table {
  readonly path: string;
  readonly names: readonly string[];
  readonly #chunks: AsyncIterator<Buffer>;
  readonly #splitter: LineSplitter;
  readonly #destroy: () => void;

  private constructor(
    path: string,
    names: readonly string[],
    chunks: AsyncIterator<Buffer>,
    splitter: LineSplitter,
    destroy: () => void,
  ) {
    this.path = path;
    this.names = names;
    this.#chunks = chunks;
    this.#splitter = splitter;
    this.#destroy = destroy;
  }

  /** @throws DataError for a file that can't be read, and for a header that is none */
  static async open(path: string): Promise<Table> {
    const standardInput = path === '-' || path === '/dev/stdin';
    const shown = standardInput ? 'standard input' : path;
    const raw = standardInput ? process.stdin : await openFile(path);
    const chunks = unpacked(raw);
    const splitter = new LineSplitter();
    try {
      let first = splitter.next();
      while (first === null) {
        const chunk = await nextChunk(chunks, shown, 0);
        if (chunk === null) break;
        splitter.push(chunk);
        first = splitter.next();
      }
      const names = header(shown, first ?? splitter.end());
      return new Table(shown, names, chunks, splitter, () => raw.destroy());
    } catch (error) {
      raw.destroy();
      throw error;
    }
  }

  /**
   * Every row behind the header, in order; empty lines are none.
   * @param plain is offered a line as bytes first (see LineSplitter.takeWhile), and may decline it
   * @param other gets the lines that were declined
   * @throws DataError where the file is cut or damaged
   */
  async scan(
    plain: (chunk: Buffer, at: number, end: number, line: number) => number,
    other: (row: RawRow) => void,
  ): Promise<void> {
    const splitter = this.#splitter;
    try {
      for (;;) {
        for (;;) {
          splitter.takeWhile(plain);
          const line = splitter.next();
          if (line === null) break;
          this.#give(line, other);
        }
        const chunk = await nextChunk(this.#chunks, this.path, splitter.count);
        if (chunk === null) break;
        splitter.push(chunk);
      }
      const last = splitter.end();
      if (last !== null) this.#give(last, other);
    } finally {
      this.#destroy();
    }
  }

  #give(line: Line, other: (row: RawRow) => void): void {
    if (line.text === '' && !line.tooLong) return;
    if (line.tooLong) other({ line: line.number, cells: [], fault: 'tooLong' });
    else if (line.binary) other({ line: line.number, cells: [], fault: 'binary' });
    else {
      const cells = parseCells(line.text);
      other({ line: line.number, cells, fault: cells.length === this.names.length ? null : 'columns' });
    }
  }
}

async function openFile(path: string): Promise<Readable> {
  const about = await stat(path).catch((error: NodeJS.ErrnoException) => {
    const mend = error.code === 'ENOENT' ? 'Check the path.' : 'Check its permissions.';
    throw new DataError(`${path} can't be opened (${error.code}). ${mend}`);
  });
  if (about.isDirectory()) throw new DataError(`${path} is a directory. Name the CSV files in it.`);
  if (!about.isFile() && !about.isFIFO()) throw new DataError(`${path} is no file. Name a CSV file.`);
  return createReadStream(path, { highWaterMark: CHUNK_BYTES });
}

/** null at the end. @param lines that were read whole @throws DataError */
async function nextChunk(chunks: AsyncIterator<Buffer>, path: string, lines: number): Promise<Buffer | null> {
  try {
    const { value, done } = await chunks.next();
    return done === true ? null : value;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'EACCES' || code === 'EPERM')
      throw new DataError(`${path} can't be read (${code}). Check its permissions.`);
    throw new DataError(
      `${path}: after line ${lines}: ${message}. Is it complete, and a whole gzip if it is packed?`,
    );
  }
}

/** The bytes, unpacked where they begin as gzip does. */
async function* unpacked(raw: Readable): AsyncGenerator<Buffer> {
  const chunks = raw[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  const first = await chunks.next();
  if (first.done === true) return;
  const all = prepended(first.value, chunks);
  if (GZIP_MAGIC.some((byte, i) => first.value[i] !== byte)) {
    yield* all;
    return;
  }
  const gunzip = createGunzip({ chunkSize: CHUNK_BYTES });
  // What goes wrong with either is thrown where the bytes are read.
  pipeline(Readable.from(all), gunzip, () => {});
  yield* gunzip as AsyncIterable<Buffer>;
}

async function* prepended(first: Buffer, rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  yield first;
  for (;;) {
    const { value, done } = await rest.next();
    if (done === true) return;
    yield value;
  }
}

function header(path: string, line: Line | null): string[] {
  const expected = 'expected a header such as timestamp,cpu,memory,network';
  if (line === null) throw new DataError(`${path} is empty: ${expected}.`);
  const refuse = (what: string): never => {
    throw new DataError(`${path}, line 1${what}`);
  };
  if (line.tooLong) refuse(` is longer than ${LINE_BYTES_MAX} bytes: ${expected}. Is this a CSV file?`);
  if (line.text.startsWith('SQLite format 3')) {
    throw new DataError(
      `${path} is an SQLite database. An agent's is read by train, evaluate and drift; here a CSV file is expected.`,
    );
  }
  if (line.binary) refuse(`: holds NUL bytes: ${expected}. Is this a text file?`);
  const names = parseCells(line.text);
  if (names.length > COLUMNS_MAX) refuse(`: ${names.length} columns, at most ${COLUMNS_MAX} are read.`);
  if (names.length === 1 && /[;\t|]/.test(line.text)) {
    refuse(
      `: one column, ${quoted(line.text)}: the columns are parted by commas, not by "${/[;\t|]/.exec(line.text)?.[0] === '\t' ? '\\t' : /[;|]/.exec(line.text)?.[0]}".`,
    );
  }
  const seen = new Set<string>();
  for (const [i, name] of names.entries()) {
    const at = `, column ${i + 1}`;
    if (name === '') refuse(`${at}: has no name. Name the column or remove it.`);
    if (name.length > NAME_LENGTH_MAX)
      refuse(`${at}: name of ${name.length} characters, at most ${NAME_LENGTH_MAX}.`);
    if (/[\p{Cc}\p{Cf}]/u.test(name))
      refuse(`${at}: control characters in ${quoted(name)}. Rename the column.`);
    if (seen.has(name)) refuse(`${at}: ${quoted(name)} stands there twice. Rename or remove one.`);
    seen.add(name);
  }
  if (!seen.has('timestamp'))
    refuse(`: no column "timestamp", found ${quoted(names.join(','))}: ${expected}.`);
  return names;
}
