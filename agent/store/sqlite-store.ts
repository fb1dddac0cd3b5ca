import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { Database } from 'better-sqlite3';
import type { Sequence, StoredEvent } from '../../core/protocol/events.ts';
import { type EpochStart, startEpoch } from './epoch.ts';
import { EventLog } from './event-log.ts';
import { IncidentTable } from './incident-table.ts';
import { Outbox } from './outbox.ts';
import { Retention } from './retention.ts';
import { SampleTable } from './sample-table.ts';
import { describe, type MarkOnDisk, readMark, writeMark } from './sequence-mark.ts';
import { isCorruption, sqliteCode, translate } from './sqlite-errors.ts';
import {
  lockDirectory,
  MARK_FILE,
  type OpenDatabase,
  openChecked,
  prepareDirectory,
} from './state-directory.ts';
import {
  type Between,
  DEFAULT_STORE_LIMITS,
  type EpochReason,
  type IncidentRow,
  type OutboxFigures,
  type PoisonedEvent,
  type SampleRow,
  type Store,
  StoreCorruptError,
  StoreFullError,
  type StoreLimits,
} from './store.ts';

export interface SqliteStoreOptions {
  readonly stateDir: string;
  /** In the executable: `openDatabase` of agent/native.ts. */
  readonly openDatabase: OpenDatabase;
  readonly nowMs: () => number;
  /** The file was found to be damaged while open: close, and open anew. */
  readonly onCorrupt?: () => void;
  /** `bytes` random bytes as lower-case hex. */
  readonly randomHex: (bytes: number) => string;
  readonly limits?: StoreLimits;
  /** Whose state this is has changed: numbers given from now on must not meet those given before. */
  readonly changed?: 'renamed' | 'cloned' | null;
}

type Settling = { delivered: Sequence[]; poisoned: { sequence: Sequence; reason: string }[] };

/**
 * Opens, or begins, the store of a state directory.
 * @throws StoreUnusableError where a person has to act; its message says where, what, and how to mend it
 */
export function openSqliteStore(options: SqliteStoreOptions): SqliteStore {
  const { stateDir, openDatabase } = options;
  prepareDirectory(stateDir);
  const lock = lockDirectory(stateDir, openDatabase);
  try {
    const mark = readMark(join(stateDir, MARK_FILE));
    try {
      return openLocked(options, lock, mark);
    } catch (error) {
      // Damage that no check at opening was due to find: now it is known, and the file is set aside.
      if (!(error instanceof StoreCorruptError) || mark.kind !== 'read' || mark.corrupt) throw error;
      return openLocked(options, lock, { ...mark, clean: false, corrupt: true });
    }
  } catch (error) {
    lock.close();
    throw error;
  }
}

function openLocked(options: SqliteStoreOptions, lock: Database, mark: MarkOnDisk): SqliteStore {
  const { stateDir, openDatabase, nowMs } = options;
  const markPath = join(stateDir, MARK_FILE);
  const opened = openChecked(stateDir, openDatabase, mark, nowMs());
  try {
    const start = startEpoch(opened, mark, nowMs(), options.randomHex, options.changed);
    // From here on a crash is told from an orderly end.
    const { current, ended } = start;
    writeMark(markPath, { epoch: current.name, n: current.last_n, clean: false, corrupt: false, ended });
    return new SqliteStore(opened.db, lock, opened.path, markPath, start, options);
  } catch (error) {
    opened.db.close();
    // Our statements are right: what SQLite can't make sense of is the schema on the disk.
    if (sqliteCode(error) === 'SQLITE_ERROR')
      throw new StoreCorruptError(`${opened.path}: ${describe(error)}`);
    throw translate(error, opened.path);
  }
}

/** Store over better-sqlite3 in WAL mode. Made by `openSqliteStore`. */
export class SqliteStore implements Store {
  readonly epoch: string;
  readonly epochReason: EpochReason;
  /** What the agent should log once at start: sentences for a person; empty after an orderly end. */
  readonly findings: readonly string[];
  readonly #db: Database;
  readonly #lock: Database;
  readonly #path: string;
  readonly #markPath: string;
  readonly #nowMs: () => number;
  readonly #onCorrupt: () => void;
  readonly #samples: SampleTable;
  readonly #log: EventLog;
  readonly #outbox: Outbox;
  readonly #incidents: IncidentTable;
  readonly #retention: Retention;
  readonly #sql;
  /** Settled by a sink while the disk was full: not handed out again, and written with the next settlement. */
  readonly #unsettled = new Map<string, Settling>();
  readonly #ended: readonly Sequence[];
  #corrupt = false;

  constructor(
    db: Database,
    lock: Database,
    path: string,
    markPath: string,
    start: EpochStart,
    options: SqliteStoreOptions,
  ) {
    const limits = options.limits ?? DEFAULT_STORE_LIMITS;
    this.epoch = start.current.name;
    this.epochReason = start.reason;
    this.findings = start.findings;
    this.#ended = start.ended;
    this.#db = db;
    this.#lock = lock;
    this.#path = path;
    this.#markPath = markPath;
    this.#nowMs = options.nowMs;
    this.#onCorrupt = options.onCorrupt ?? (() => {});
    this.#samples = new SampleTable(db);
    this.#log = new EventLog(db, start.current);
    this.#outbox = new Outbox(db, this.#log, limits.outboxMaxBytesPerSink);
    this.#incidents = new IncidentTable(db);
    this.#retention = new Retention(db, this.#samples, this.#log, this.#incidents, limits);
    this.#sql = {
      begin: db.prepare('BEGIN IMMEDIATE'),
      commit: db.prepare('COMMIT'),
      rollback: db.prepare('ROLLBACK'),
      getState: db.prepare<[string], string>('SELECT value FROM state WHERE key = ?').pluck(),
      putState: db.prepare<[string, string]>('INSERT OR REPLACE INTO state (key, value) VALUES (?, ?)'),
    };
  }

  appendSample(row: SampleRow): void {
    this.#guard(() => this.#samples.append(row));
  }

  *samples(fromMs: number, toMs: number): Iterable<SampleRow> {
    const rows = this.#samples.between(fromMs, toMs)[Symbol.iterator]();
    for (;;) {
      // A page may be found to be damaged at any row.
      const next = this.#guard(() => rows.next());
      if (next.done === true) return;
      yield next.value;
    }
  }

  sampleCount(): number {
    return this.#guard(() => this.#samples.count());
  }

  lastSamples(count: number): SampleRow[] {
    return this.#guard(() => this.#samples.newest(count));
  }

  flagSamples(fromMs: number, toMs: number, flag: number): void {
    this.#guard(() => this.#samples.flag(fromMs, toMs, flag));
  }

  commitTransition(change: Parameters<Store['commitTransition']>[0]): StoredEvent[] {
    return this.#durably(() => {
      const stored = change.events.map((draft) => {
        const logged = this.#log.insert(draft);
        this.#outbox.add(logged);
        return logged.event;
      });
      this.#outbox.enforceBound();
      for (const incident of change.incidents?.(stored) ?? []) this.#incidents.put(incident);
      for (const [key, value] of Object.entries(change.state ?? {})) this.#sql.putState.run(key, value);
      return stored;
    });
  }

  getState(key: string): string | null {
    return this.#guard(() => this.#sql.getState.get(key) ?? null);
  }

  putState(key: string, value: string): void {
    this.#guard(() => this.#sql.putState.run(key, value));
  }

  registerSinks(names: readonly string[]): void {
    if (!this.#outbox.needsRegistration(names)) return;
    this.#durably(() => {
      this.#outbox.register(names, this.#nowMs());
      this.#outbox.enforceBound();
    });
  }

  pending(sink: string, limit: number, between: Between = {}): StoredEvent[] {
    const waiting = this.#unsettled.get(sink);
    if (waiting !== undefined) this.settle(sink, [], []);
    if (this.#outbox.owesTombstone(sink)) this.#reportLosses(sink);
    const held = this.#unsettled.get(sink);
    if (held === undefined) return this.#guard(() => this.#outbox.pending(sink, limit, between));
    const settled = new Set(
      [...held.delivered, ...held.poisoned.map((p) => p.sequence)].map((s) => `${s.epoch}-${s.n}`),
    );
    const batch = this.#guard(() => this.#outbox.pending(sink, limit + settled.size, between));
    return batch.filter((event) => !settled.has(event.id)).slice(0, limit);
  }

  position(): number {
    return this.#guard(() => this.#log.position());
  }

  settle(
    sink: string,
    delivered: readonly Sequence[],
    poisoned: readonly { sequence: Sequence; reason: string }[],
  ): void {
    const held = this.#unsettled.get(sink);
    const all: Settling = {
      delivered: [...(held?.delivered ?? []), ...delivered],
      poisoned: [...(held?.poisoned ?? []), ...poisoned],
    };
    try {
      this.#write(() => this.#outbox.settle(sink, all.delivered, all.poisoned, this.#nowMs()));
      this.#unsettled.delete(sink);
    } catch (error) {
      if (!(error instanceof StoreFullError)) throw error;
      this.#unsettled.set(sink, all);
    }
  }

  outbox(sink: string): OutboxFigures {
    return this.#guard(() => this.#outbox.figures(sink));
  }

  poisoned(sink: string, limit: number): PoisonedEvent[] {
    return this.#guard(() => this.#outbox.poisoned(sink, limit));
  }

  incidents(limit: number): IncidentRow[] {
    return this.#guard(() => this.#incidents.newest(limit));
  }

  incident(idOrPrefix: string): IncidentRow | null {
    return this.#guard(() => this.#incidents.find(idOrPrefix));
  }

  incidentDuring(fromMs: number, toMs: number): IncidentRow | null {
    return this.#guard(() => this.#incidents.during(fromMs, toMs));
  }

  events(afterN: number, limit: number, epoch = this.epoch): StoredEvent[] {
    return this.#guard(() => this.#log.after(epoch, afterN, limit));
  }

  maintain(nowMs: number): { samples: number; events: number } {
    const removed = this.#write(() => this.#retention.run(nowMs));
    this.#guard(() => this.#retention.shrink(this.#walBytes()));
    return removed;
  }

  bytes(): number {
    return this.#guard(() => this.#retention.databaseBytes()) + this.#walBytes();
  }

  close(): void {
    if (!this.#db.open) return;
    if (!this.#corrupt) for (const sink of this.#unsettled.keys()) this.settle(sink, [], []);
    this.#db.close();
    this.#mark(!this.#corrupt);
    this.#lock.close();
  }

  #walBytes(): number {
    return statSync(`${this.#path}-wal`, { throwIfNoEntry: false })?.size ?? 0;
  }

  #reportLosses(sink: string): void {
    try {
      this.#durably(() => {
        this.#outbox.reportLosses(sink, this.#nowMs());
        this.#outbox.enforceBound();
      });
    } catch (error) {
      if (!(error instanceof StoreFullError)) throw error; // stays owed; what is pending can still be delivered
    }
  }

  /** A transaction on disk before this returns; then, if it gave numbers, so is the mark. */
  #durably<T>(work: () => T): T {
    const before = this.#log.n;
    this.#guard(() => this.#db.exec('PRAGMA synchronous = FULL'));
    let result: T;
    try {
      result = this.#write(work);
    } finally {
      this.#db.exec('PRAGMA synchronous = NORMAL');
    }
    if (this.#log.n !== before) {
      this.#mark(false);
    }
    return result;
  }

  #write<T>(work: () => T): T {
    return this.#guard(() => {
      this.#sql.begin.run();
      try {
        const result = work();
        this.#log.persist();
        this.#outbox.persist();
        this.#sql.commit.run();
        return result;
      } catch (error) {
        if (this.#db.inTransaction) this.#sql.rollback.run(); // SQLITE_FULL may have rolled back by itself
        this.#log.reload();
        this.#outbox.reload();
        this.#samples.recount();
        throw error;
      }
    });
  }

  #guard<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (isCorruption(error) && !this.#corrupt) this.#condemn();
      throw translate(error, this.#path);
    }
  }

  #mark(clean: boolean): void {
    const { epoch } = this;
    writeMark(this.#markPath, { epoch, n: this.#log.n, clean, corrupt: this.#corrupt, ended: this.#ended });
  }

  /** The next open sets the file aside, even if this process is killed before it can close. */
  #condemn(): void {
    this.#corrupt = true;
    this.#mark(false);
    this.#onCorrupt();
  }
}
