import { existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Database } from 'better-sqlite3';
import { isBusy, RegistryError } from './registry-error.ts';

/** In the executable: `openDatabase` of agent/native.ts, which brings the addon. */
export type OpenDatabase = (path: string) => Database;

/** A database of ours. */
export interface Layout {
  /** Tells it from another application's database. */
  readonly applicationId: number;
  readonly version: number;
  readonly schema: string;
}

export const INDEX_VERSION = 1;
/** A registration encodes a model and syncs it: milliseconds, seconds on a slow disk. */
const BUSY_MS = 10_000;

/**
 * - versions and audit are never changed, which the triggers see to.
 * - alias_history: versions that an alias pointed to before, the oldest at depth 1. A rollback takes the topmost away,
 *   so that the next one goes further back.
 */
const SCHEMA = `
  CREATE TABLE models (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
  CREATE TABLE versions (
    model INTEGER NOT NULL REFERENCES models (id), version INTEGER NOT NULL CHECK (version > 0),
    created_at TEXT NOT NULL, sha256 TEXT NOT NULL, bytes INTEGER NOT NULL, record TEXT NOT NULL,
    PRIMARY KEY (model, version)
  ) STRICT;
  CREATE TABLE aliases (
    model INTEGER NOT NULL, alias TEXT NOT NULL, version INTEGER NOT NULL,
    PRIMARY KEY (model, alias), FOREIGN KEY (model, version) REFERENCES versions (model, version)
  ) STRICT;
  CREATE TABLE alias_history (
    model INTEGER NOT NULL, alias TEXT NOT NULL, depth INTEGER NOT NULL, version INTEGER NOT NULL,
    PRIMARY KEY (model, alias, depth), FOREIGN KEY (model, version) REFERENCES versions (model, version)
  ) STRICT;
  CREATE TABLE audit (
    id INTEGER PRIMARY KEY, time TEXT NOT NULL, actor TEXT NOT NULL, action TEXT NOT NULL,
    model INTEGER NOT NULL REFERENCES models (id), version INTEGER, alias TEXT,
    from_version INTEGER, to_version INTEGER, why TEXT
  ) STRICT;
  CREATE TRIGGER versions_stay BEFORE UPDATE ON versions BEGIN SELECT RAISE(ABORT, 'versions are immutable'); END;
  CREATE TRIGGER versions_last BEFORE DELETE ON versions BEGIN SELECT RAISE(ABORT, 'versions are immutable'); END;
  CREATE TRIGGER audit_stays BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is immutable'); END;
  CREATE TRIGGER audit_lasts BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is immutable'); END;
`;

const INDEX: Layout = { applicationId: 0x4544474d /* EDGM */, version: INDEX_VERSION, schema: SCHEMA };

/** Node's own recursive mkdir never returns below /proc (26.10), where mkdir answers ENOENT for ever. */
export function makeDirectory(directory: string): void {
  if (existsSync(directory)) return;
  const parent = dirname(directory);
  if (parent !== directory) makeDirectory(parent);
  try {
    mkdirSync(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error; // another process was first
  }
}

/** Opens a database, or makes it. @throws RegistryError for a newer one and for another application's database */
export function openIndex(
  path: string,
  openDatabase: OpenDatabase,
  nowMs: () => number,
  layout = INDEX,
): Database {
  // Switching to the write-ahead log does not wait for others as statements do.
  const startMs = nowMs();
  for (;;) {
    const db = openDatabase(path);
    try {
      prepare(db, path, layout);
      return db;
    } catch (error) {
      db.close();
      const elapsedMs = nowMs() - startMs;
      if (!isBusy(error) || elapsedMs < 0 || elapsedMs > BUSY_MS) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
    }
  }
}

function prepare(db: Database, path: string, layout: Layout): void {
  db.pragma(`busy_timeout = ${BUSY_MS}`);
  checkOwnership(db, path, layout);
  if (db.pragma('journal_mode', { simple: true }) !== 'wal') {
    const mode = db.pragma('journal_mode = WAL', { simple: true });
    if (mode !== 'wal') {
      throw new RegistryError(
        'unusable',
        `${path}: no write-ahead log here (journal mode ${String(mode)}). Use a local disk.`,
      );
    }
  }
  db.pragma('synchronous = FULL');
  db.pragma('foreign_keys = ON');
  db.transaction(() => {
    checkOwnership(db, path, layout);
    if (db.pragma('user_version', { simple: true }) === layout.version) return;
    db.exec(layout.schema);
    db.pragma(`application_id = ${layout.applicationId}`);
    db.pragma(`user_version = ${layout.version}`);
  }).immediate();
}

/** Refuses what isn't ours to touch, before anything is changed. */
function checkOwnership(db: Database, path: string, layout: Layout): void {
  const applicationId = db.pragma('application_id', { simple: true }) as number;
  const version = db.pragma('user_version', { simple: true }) as number;
  const tables = db.prepare<[], number>('SELECT count(*) FROM sqlite_schema').pluck().get() ?? 0;
  if (applicationId !== layout.applicationId && (applicationId !== 0 || tables > 0)) {
    throw new RegistryError(
      'unusable',
      `${path} is another application's database. Name another directory with --registry or EDGEWOOD_REGISTRY.`,
    );
  }
  if (version > layout.version) {
    throw new RegistryError(
      'newer',
      `${path} has version ${version}, this edgewood knows versions up to ${layout.version}. Use the newer edgewood that wrote it.`,
    );
  }
}
