import type { Database } from 'better-sqlite3';
import { StoreUnusableError } from './store.ts';

/** "EDGW": tells our database from another application's (`file` shows it). */
export const APPLICATION_ID = 0x45444757;

/**
 * `migrations[i]` leads from version i to i + 1. Forward only; one that was released is never edited.
 *
 * - samples: the time is the row's key, so that a row costs no index, and the oldest rows lie on neighbouring pages.
 *   A second row of the same millisecond replaces the first.
 * - events.id orders events over all epochs; n is per epoch. epochs.last_n outlives the events themselves.
 * - outbox.own_tombstone: reports a loss of this very sink, so it is never dropped.
 * - debts: losses that no tombstone has reported yet.
 */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE epochs (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, reason TEXT NOT NULL, began_ms INTEGER NOT NULL,
    last_n INTEGER NOT NULL DEFAULT 0, lost_from INTEGER, lost_reason TEXT
  );
  CREATE TABLE samples (
    time_ms INTEGER PRIMARY KEY, score REAL, flags INTEGER NOT NULL, readings BLOB NOT NULL
  );
  CREATE TABLE events (
    id INTEGER PRIMARY KEY, epoch INTEGER NOT NULL REFERENCES epochs (id), n INTEGER NOT NULL,
    type TEXT NOT NULL, severity TEXT, time_ms INTEGER NOT NULL, subject TEXT, data TEXT NOT NULL,
    UNIQUE (epoch, n)
  );
  CREATE INDEX events_by_time ON events (time_ms);
  CREATE TABLE incidents (
    id TEXT PRIMARY KEY, state TEXT NOT NULL, severity TEXT NOT NULL, opened_at_ms INTEGER NOT NULL,
    resolved_at_ms INTEGER, data TEXT NOT NULL
  );
  CREATE INDEX incidents_by_time ON incidents (opened_at_ms);
  CREATE TABLE state (key TEXT PRIMARY KEY, value TEXT NOT NULL);
  CREATE TABLE sinks (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, active INTEGER NOT NULL,
    pending INTEGER NOT NULL DEFAULT 0, bytes INTEGER NOT NULL DEFAULT 0, tombstones INTEGER NOT NULL DEFAULT 0,
    dropped INTEGER NOT NULL DEFAULT 0, poisoned INTEGER NOT NULL DEFAULT 0,
    left_epoch INTEGER REFERENCES epochs (id), left_n INTEGER
  );
  CREATE TABLE outbox (
    event INTEGER NOT NULL REFERENCES events (id), sink INTEGER NOT NULL REFERENCES sinks (id),
    rank INTEGER NOT NULL, own_tombstone INTEGER NOT NULL, bytes INTEGER NOT NULL,
    PRIMARY KEY (event, sink)
  ) WITHOUT ROWID;
  CREATE INDEX outbox_in_order ON outbox (sink, rank, event);
  CREATE TABLE poisoned (
    event INTEGER NOT NULL REFERENCES events (id) ON DELETE CASCADE, sink INTEGER NOT NULL REFERENCES sinks (id),
    reason TEXT NOT NULL, time_ms INTEGER NOT NULL,
    PRIMARY KEY (event, sink)
  ) WITHOUT ROWID;
  CREATE TABLE debts (
    sink INTEGER NOT NULL REFERENCES sinks (id), epoch INTEGER NOT NULL REFERENCES epochs (id),
    reason TEXT NOT NULL, ranges TEXT NOT NULL, count INTEGER NOT NULL,
    PRIMARY KEY (sink, epoch, reason)
  );
  `,
];

/**
 * Refuses what isn't ours to touch, before anything is changed.
 * @throws StoreUnusableError for a newer version or another application's database
 */
export function checkOwnership(db: Database, path: string, migrations: readonly string[] = MIGRATIONS): void {
  const applicationId = db.pragma('application_id', { simple: true }) as number;
  const version = db.pragma('user_version', { simple: true }) as number;
  const tables = db.prepare<[], number>('SELECT count(*) FROM sqlite_schema').pluck().get() ?? 0;
  if (applicationId !== APPLICATION_ID && (applicationId !== 0 || tables > 0)) {
    throw new StoreUnusableError(
      `${path} is another application's database (application_id 0x${(applicationId >>> 0).toString(16)}, ` +
        `expected 0x${APPLICATION_ID.toString(16)}). Move it away, or choose another --state-dir.`,
    );
  }
  if (version > migrations.length) {
    throw new StoreUnusableError(
      `${path} has version ${version}; this edgewood knows versions up to ${migrations.length}. ` +
        'Run the newer edgewood that wrote it, or move the file away to begin afresh.',
    );
  }
}

/** All or nothing. Returns the version it found. */
export function migrate(db: Database, migrations: readonly string[] = MIGRATIONS): number {
  const found = db.pragma('user_version', { simple: true }) as number;
  if (found >= migrations.length) return found;
  const run = db.transaction(() => {
    for (const sql of migrations.slice(found)) db.exec(sql);
    db.pragma(`application_id = ${APPLICATION_ID}`);
    db.pragma(`user_version = ${migrations.length}`);
  });
  run.immediate();
  return found;
}
