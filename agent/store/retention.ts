import type { Database, Statement } from 'better-sqlite3';
import type { EventLog } from './event-log.ts';
import type { IncidentTable } from './incident-table.ts';
import type { SampleTable } from './sample-table.ts';
import type { StoreLimits } from './store.ts';

/** Rows removed in one run, of all kinds: tens of milliseconds. */
export const MAX_ROWS_PER_RUN = 5_000;
const ROWS_PER_STEP = 500;
const PAGES_PER_RUN = 2_000;
/** Free pages up to here wait for new rows: giving them back would only make the file shrink and grow again. */
const SPARE_PAGES = 512;
/** Of the limit, what the write-ahead log and the rows between two runs may take: this, or a quarter where that is less. */
const WAL_RESERVE_BYTES = 8 * 1024 * 1024;

/** By age, then by bytes: oldest samples first, then delivered events, never a pending one. */
export class Retention {
  readonly #db: Database;
  readonly #samples: SampleTable;
  readonly #log: EventLog;
  readonly #incidents: IncidentTable;
  readonly #limits: StoreLimits;
  readonly #walReserveBytes: number;
  readonly #pageCount: Statement<[], number>;
  readonly #freePages: Statement<[], number>;
  readonly #pageBytes: number;

  constructor(
    db: Database,
    samples: SampleTable,
    log: EventLog,
    incidents: IncidentTable,
    limits: StoreLimits,
  ) {
    this.#db = db;
    this.#samples = samples;
    this.#log = log;
    this.#incidents = incidents;
    this.#limits = limits;
    this.#walReserveBytes = Math.min(WAL_RESERVE_BYTES, limits.databaseMaxBytes / 4);
    this.#pageCount = db.prepare<[], number>('PRAGMA page_count').pluck();
    this.#freePages = db.prepare<[], number>('PRAGMA freelist_count').pluck();
    this.#pageBytes = db.pragma('page_size', { simple: true }) as number;
  }

  databaseBytes(): number {
    return (this.#pageCount.get() ?? 0) * this.#pageBytes;
  }

  /** Inside a transaction. */
  run(nowMs: number): { samples: number; events: number } {
    const { sampleRetentionMs, eventRetentionMs } = this.#limits;
    const removed = { samples: 0, events: 0 };
    removed.samples += this.#samples.deleteBefore(nowMs - sampleRetentionMs, MAX_ROWS_PER_RUN);
    const left = (): number => MAX_ROWS_PER_RUN - removed.samples - removed.events;
    removed.events += this.#log.deleteDelivered(nowMs - eventRetentionMs, left());
    this.#incidents.deleteResolved(nowMs - eventRetentionMs, left());
    while (left() > 0 && this.#usedBytes() > this.#maxPagesBytes()) {
      const step = Math.min(ROWS_PER_STEP, left());
      const samples = this.#samples.deleteBefore(Number.MAX_SAFE_INTEGER, step);
      removed.samples += samples;
      if (samples > 0) continue;
      const events = this.#log.deleteDelivered(Number.MAX_SAFE_INTEGER, step);
      removed.events += events;
      if (events === 0) break;
    }
    return removed;
  }

  /** Outside a transaction: gives pages back to the file system. */
  shrink(walBytes: number): void {
    const free = this.#freePages.get() ?? 0;
    const over = this.databaseBytes() > this.#maxPagesBytes();
    if (free > SPARE_PAGES || (over && free > 0)) this.#db.pragma(`incremental_vacuum(${PAGES_PER_RUN})`);
    if (walBytes > this.#walReserveBytes / 2) this.#db.pragma('wal_checkpoint(TRUNCATE)');
  }

  /** What the database file may take, so that it and its log stay within the limit together. */
  #maxPagesBytes(): number {
    return this.#limits.databaseMaxBytes - this.#walReserveBytes;
  }

  #usedBytes(): number {
    return ((this.#pageCount.get() ?? 0) - (this.#freePages.get() ?? 0)) * this.#pageBytes;
  }
}
