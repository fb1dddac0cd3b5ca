import type { Database, Statement } from 'better-sqlite3';
import { damaged } from './sqlite-errors.ts';
import type { SampleRow } from './store.ts';

type Columns = [timeMs: number, score: number | null, flags: number, readings: Buffer];

/** Rows fetched at a time: better-sqlite3 refuses every write while an iterator is open, so reading goes in pages. */
const PAGE_ROWS = 64;

/** One row a sample: time (key), score, flags, and the readings as the bytes of a Float64Array. */
export class SampleTable {
  readonly #exists: Statement<[number]>;
  readonly #insert: Statement<[number, number | null, number, Buffer]>;
  readonly #page: Statement<[number, number, number], Columns>;
  readonly #pageBefore: Statement<[number, number], Columns>;
  readonly #newest: Statement<[number], Columns>;
  readonly #flag: Statement<[number, number, number, number]>;
  readonly #count: Statement<[], number>;
  readonly #deleteBefore: Statement<[number, number]>;
  /** Counted when first asked for, then kept: counting reads the whole table. */
  #rows: number | null = null;
  #lastTimeMs: number;

  constructor(db: Database) {
    this.#exists = db.prepare<[number]>('SELECT 1 FROM samples WHERE time_ms = ?');
    this.#insert = db.prepare<[number, number | null, number, Buffer]>(
      'INSERT OR REPLACE INTO samples (time_ms, score, flags, readings) VALUES (?, ?, ?, ?)',
    );
    const columns = 'SELECT time_ms, score, flags, readings FROM samples';
    this.#page = db
      .prepare<[number, number, number], Columns>(
        `${columns} WHERE time_ms >= ? AND time_ms < ? ORDER BY time_ms LIMIT ?`,
      )
      .raw();
    this.#pageBefore = db
      .prepare<[number, number], Columns>(`${columns} WHERE time_ms < ? ORDER BY time_ms DESC LIMIT ?`)
      .raw();
    this.#newest = db.prepare<[number], Columns>(`${columns} ORDER BY time_ms DESC LIMIT ?`).raw();
    this.#flag = db.prepare<[number, number, number, number]>(
      'UPDATE samples SET flags = flags | ? WHERE time_ms >= ? AND time_ms < ? AND flags & ? = 0',
    );
    this.#count = db.prepare<[], number>('SELECT count(*) FROM samples').pluck();
    this.#deleteBefore = db.prepare<[number, number]>(
      'DELETE FROM samples WHERE time_ms IN (SELECT time_ms FROM samples WHERE time_ms < ? ORDER BY time_ms LIMIT ?)',
    );
    this.#lastTimeMs =
      db.prepare<[], number | null>('SELECT max(time_ms) FROM samples').pluck().get() ?? -Infinity;
  }

  append(row: SampleRow): void {
    const timeMs = Math.round(row.timeMs);
    const replaces = timeMs <= this.#lastTimeMs && this.#exists.get(timeMs) !== undefined;
    const { buffer, byteOffset, byteLength } = row.values;
    const readings = Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength);
    // SQLite has no NaN: it is NULL there and back.
    this.#insert.run(timeMs, Number.isNaN(row.score) ? null : row.score, row.flags, readings);
    this.#lastTimeMs = Math.max(this.#lastTimeMs, timeMs);
    if (this.#rows !== null && !replaces) this.#rows++;
  }

  *between(fromMs: number, toMs: number): Generator<SampleRow> {
    for (let nextMs = fromMs; ; ) {
      const page = this.#page.all(nextMs, toMs, PAGE_ROWS);
      for (const columns of page) yield toRow(columns);
      if (page.length < PAGE_ROWS) return;
      nextMs = page.at(-1)![0] + 1;
    }
  }

  *backwards(): Generator<SampleRow> {
    for (let beforeMs = Number.MAX_SAFE_INTEGER; ; ) {
      const page = this.#pageBefore.all(beforeMs, PAGE_ROWS);
      for (const columns of page) yield toRow(columns);
      if (page.length < PAGE_ROWS) return;
      beforeMs = page.at(-1)![0];
    }
  }

  newest(count: number): SampleRow[] {
    return this.#newest.all(count).map(toRow).reverse();
  }

  flag(fromMs: number, toMs: number, flag: number): void {
    this.#flag.run(flag, fromMs, toMs, flag);
  }

  count(): number {
    this.#rows ??= this.#count.get() ?? 0;
    return this.#rows;
  }

  /** After a rollback: what was counted may not have happened. */
  recount(): void {
    this.#rows = null;
  }

  /** Oldest first, at most `limit`. */
  deleteBefore(timeMs: number, limit: number): number {
    const { changes } = this.#deleteBefore.run(timeMs, limit);
    if (this.#rows !== null) this.#rows -= changes;
    return changes;
  }
}

/** Whatever the schema says, a damaged page may give any type. */
function toRow([timeMs, score, flags, readings]: Columns): SampleRow {
  if (!(readings instanceof Uint8Array) || typeof timeMs !== 'number' || typeof flags !== 'number') {
    throw damaged('a sample');
  }
  // Copied as bytes: a Buffer out of SQLite need not lie on a multiple of 8.
  const values = new Float64Array(readings.byteLength >>> 3);
  new Uint8Array(values.buffer).set(readings);
  return { timeMs, values, score: score ?? Number.NaN, flags };
}
