import type { Database } from 'better-sqlite3';
import type { ArtifactFile, TrackingPlan } from './plan.ts';

/** Bytes of one file that is kept to be sent: a forest has some MB. */
const MOST_FILE_BYTES = 256 * 1024 * 1024;
const MOST_REASON_CHARACTERS = 500;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS training (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    record_id TEXT NOT NULL UNIQUE,
    kept_at TEXT NOT NULL,
    plan TEXT NOT NULL,
    progress TEXT NOT NULL DEFAULT '{}',
    reason TEXT,
    sent_at TEXT
  ) STRICT;
  CREATE TABLE IF NOT EXISTS file (
    record_id TEXT NOT NULL REFERENCES training(record_id) ON DELETE CASCADE,
    path TEXT NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (record_id, path)
  ) STRICT;
  CREATE TABLE IF NOT EXISTS alias (
    server TEXT NOT NULL,
    model TEXT NOT NULL,
    alias TEXT NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (server, model, alias)
  ) STRICT;
`;

/** How far a training has come at one server. What it says was confirmed by the server, but `attempted`. */
export interface Progress {
  readonly server?: string;
  readonly runId?: string;
  readonly artifactUri?: string;
  /** The run was there before: what was logged may be there, too. */
  readonly found?: boolean;
  /** Batches logged. */
  readonly batches?: number;
  /** The batch that was under way: it may be there, or a part of it. */
  readonly attempted?: number;
  readonly files?: readonly string[];
  /** Why artifacts can't be kept there. */
  readonly missing?: string;
  /** MLflow's number of the model version. */
  readonly version?: string;
}

export interface Waiting {
  /** Where it stands in line. */
  readonly position: number;
  readonly plan: TrackingPlan;
  readonly progress: Progress;
  /** ISO 8601. */
  readonly keptAt: string;
  /** Why it could not be sent; null where that was not tried. */
  readonly reason: string | null;
}

interface Row {
  readonly position: number;
  readonly plan: string;
  readonly progress: string;
  readonly kept_at: string;
  readonly reason: string | null;
}

/**
 * Trainings that wait to be sent, with their files, in one SQLite database: what `enqueue` has returned from survives
 * a crash and a power cut. Processes may share it; `lock` (another database) keeps two from sending at once, and falls
 * with the process that holds it. Holds no credentials.
 */
export class TrackingQueue {
  readonly #db: Database;
  readonly #openLock: () => Database;

  /** @param db an open database; `openLock` opens one beside it that holds nothing */
  constructor(db: Database, openLock: () => Database) {
    this.#db = db;
    this.#openLock = openLock;
    db.pragma('busy_timeout = 5000');
    db.pragma('journal_mode = WAL');
    db.pragma('synchronous = FULL');
    db.pragma('foreign_keys = ON');
    db.exec(SCHEMA);
  }

  /** Durable once it returns. A training that is there already, waiting or sent, is left as it is. */
  enqueue(plan: TrackingPlan, files: readonly ArtifactFile[], nowMs: number): void {
    const large = files.find(({ bytes }) => bytes.length > MOST_FILE_BYTES);
    if (large !== undefined) throw new RangeError(`${large.path} has more than ${MOST_FILE_BYTES} bytes`);
    const put = this.#db.transaction(() => {
      const { changes } = this.#db
        .prepare('INSERT OR IGNORE INTO training (record_id, kept_at, plan) VALUES (?, ?, ?)')
        .run(plan.recordId, new Date(nowMs).toISOString(), JSON.stringify(plan));
      if (changes === 0) return;
      const insert = this.#db.prepare(
        'INSERT OR REPLACE INTO file (record_id, path, bytes) VALUES (?, ?, ?)',
      );
      for (const { path, bytes } of files) insert.run(plan.recordId, path, Buffer.from(bytes));
    });
    put.immediate();
  }

  /** First come, first sent. */
  waiting(): Waiting[] {
    const rows = this.#db
      .prepare(
        'SELECT position, plan, progress, kept_at, reason FROM training WHERE sent_at IS NULL ORDER BY position',
      )
      .all() as Row[];
    return rows.map((row) => ({
      position: row.position,
      plan: JSON.parse(row.plan) as TrackingPlan,
      progress: JSON.parse(row.progress) as Progress,
      keptAt: row.kept_at,
      reason: row.reason,
    }));
  }

  paths(recordId: string): string[] {
    return this.#db
      .prepare('SELECT path FROM file WHERE record_id = ? ORDER BY path')
      .pluck()
      .all(recordId) as string[];
  }

  file(recordId: string, path: string): Uint8Array {
    return this.#db
      .prepare('SELECT bytes FROM file WHERE record_id = ? AND path = ?')
      .pluck()
      .get(recordId, path) as Uint8Array;
  }

  /** Durable once it returns. */
  progress(recordId: string, progress: Progress): void {
    this.#db
      .prepare('UPDATE training SET progress = ? WHERE record_id = ?')
      .run(JSON.stringify(progress), recordId);
  }

  failed(recordId: string, reason: string): void {
    this.#db
      .prepare('UPDATE training SET reason = ? WHERE record_id = ?')
      .run(reason.slice(0, MOST_REASON_CHARACTERS), recordId);
  }

  /** All of it is there: its files go, its name stays, so that it is not sent again. */
  sent(recordId: string, nowMs: number): void {
    const settle = this.#db.transaction(() => {
      this.#db.prepare('DELETE FROM file WHERE record_id = ?').run(recordId);
      this.#db
        .prepare('UPDATE training SET sent_at = ?, reason = NULL WHERE record_id = ?')
        .run(new Date(nowMs).toISOString(), recordId);
    });
    settle.immediate();
  }

  /** Of the last training whose alias this was at a server: what waited longer must not take it back. */
  aliasPosition(server: string, model: string, alias: string): number {
    return (
      (this.#db
        .prepare('SELECT position FROM alias WHERE server = ? AND model = ? AND alias = ?')
        .pluck()
        .get(server, model, alias) as number | undefined) ?? 0
    );
  }

  aliased(server: string, model: string, alias: string, position: number): void {
    this.#db
      .prepare('INSERT OR REPLACE INTO alias (server, model, alias, position) VALUES (?, ?, ?, ?)')
      .run(server, model, alias, position);
  }

  /**
   * Keeps others from sending, in this process and any other, until it is released or the process ends.
   * @returns null where another is at it
   */
  lock(): (() => void) | null {
    const lock = this.#openLock();
    lock.pragma('busy_timeout = 0');
    try {
      lock.exec('BEGIN EXCLUSIVE');
    } catch (error) {
      lock.close();
      if ((error as { code?: unknown }).code === 'SQLITE_BUSY') return null;
      throw error;
    }
    return () => lock.close();
  }

  close(): void {
    this.#db.close();
  }
}
