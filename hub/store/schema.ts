import type { Database } from 'better-sqlite3';
import { HubStoreError } from './hub-store-error.ts';

/** In the executable: `openDatabase` of agent/native.ts, which brings the addon. */
export type OpenDatabase = (path: string, options?: { readonly readonly?: boolean }) => Database;

export const DATABASE_FILE = 'hub.db';
/** "EDGH": tells our database from another application's. */
const APPLICATION_ID = 0x45444748;
const BUSY_MS = 10_000;

/**
 * `MIGRATIONS[i]` leads from version i to i + 1; one that was released is never edited.
 *
 * - hosts.document: HostState (hub/host.ts) as JSON.
 * - events: UNIQUE sees to it that nothing is doubled, whatever is remembered of an epoch.
 * - hub_alerts: the hub's own; n is its sequence number, `published` when the broker had it.
 * - samples: what was asked for; `metrics` names the values of `row` (JSON, null where missing).
 *
 * From version 2: hosts.changed rises with each write that says something new of a host, not that it was heard;
 * reported_changes is the history of `reported` (ReportedState as JSON); samples have ids in the order of receipt, and
 * what is fetched again gets a new one.
 */
const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
  CREATE TABLE hosts (
    id INTEGER PRIMARY KEY, site TEXT NOT NULL, host_id TEXT NOT NULL, document TEXT NOT NULL,
    UNIQUE (site, host_id)
  ) STRICT;
  CREATE TABLE events (
    id INTEGER PRIMARY KEY, host INTEGER NOT NULL REFERENCES hosts (id), epoch TEXT NOT NULL, n INTEGER NOT NULL,
    type TEXT NOT NULL, severity TEXT, time_ms INTEGER NOT NULL, received_ms INTEGER NOT NULL, subject TEXT,
    data TEXT NOT NULL, UNIQUE (host, epoch, n)
  ) STRICT;
  CREATE INDEX events_by_receipt ON events (received_ms);
  CREATE TABLE reported (
    host INTEGER PRIMARY KEY REFERENCES hosts (id), at_ms INTEGER NOT NULL, received_ms INTEGER NOT NULL,
    document TEXT NOT NULL
  ) STRICT;
  CREATE TABLE verdicts (
    host INTEGER NOT NULL REFERENCES hosts (id), incident TEXT NOT NULL, verdict TEXT NOT NULL, note TEXT NOT NULL,
    time_ms INTEGER NOT NULL, PRIMARY KEY (host, incident)
  ) STRICT;
  CREATE TABLE hub_alerts (
    n INTEGER PRIMARY KEY AUTOINCREMENT, type TEXT NOT NULL, site TEXT NOT NULL, severity TEXT NOT NULL,
    time_ms INTEGER NOT NULL, subject TEXT NOT NULL, data TEXT NOT NULL, published INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  CREATE INDEX hub_alerts_unpublished ON hub_alerts (n) WHERE published = 0;
  CREATE TABLE refusals (
    site TEXT NOT NULL, host_id TEXT NOT NULL, reason TEXT NOT NULL, count INTEGER NOT NULL,
    PRIMARY KEY (site, host_id, reason)
  ) STRICT;
  CREATE TABLE metric_sets (id INTEGER PRIMARY KEY, names TEXT NOT NULL UNIQUE) STRICT;
  CREATE TABLE samples (
    host INTEGER NOT NULL REFERENCES hosts (id), time_ms INTEGER NOT NULL,
    metrics INTEGER NOT NULL REFERENCES metric_sets (id), row TEXT NOT NULL,
    PRIMARY KEY (host, time_ms)
  ) STRICT, WITHOUT ROWID;
  `,
  `
  ALTER TABLE hosts ADD COLUMN changed INTEGER NOT NULL DEFAULT 0;
  CREATE INDEX hosts_by_change ON hosts (changed);
  CREATE TABLE reported_changes (
    id INTEGER PRIMARY KEY AUTOINCREMENT, host INTEGER NOT NULL REFERENCES hosts (id), at_ms INTEGER NOT NULL,
    received_ms INTEGER NOT NULL, state TEXT NOT NULL
  ) STRICT;
  CREATE INDEX reported_changes_by_receipt ON reported_changes (received_ms);
  CREATE TABLE samples_by_receipt (
    id INTEGER PRIMARY KEY AUTOINCREMENT, host INTEGER NOT NULL REFERENCES hosts (id), time_ms INTEGER NOT NULL,
    metrics INTEGER NOT NULL REFERENCES metric_sets (id), row TEXT NOT NULL, UNIQUE (host, time_ms)
  ) STRICT;
  INSERT INTO samples_by_receipt (host, time_ms, metrics, row)
    SELECT host, time_ms, metrics, row FROM samples ORDER BY host, time_ms;
  DROP TABLE samples;
  ALTER TABLE samples_by_receipt RENAME TO samples;
  UPDATE meta SET key = 'influx.events' WHERE key = 'influx';
  `,
];

/** Refuses what isn't ours to touch, before anything is changed. @throws HubStoreError */
function checkOwnership(db: Database, path: string): void {
  const applicationId = db.pragma('application_id', { simple: true }) as number;
  const version = db.pragma('user_version', { simple: true }) as number;
  const tables = db.prepare<[], number>('SELECT count(*) FROM sqlite_schema').pluck().get() ?? 0;
  if (applicationId !== APPLICATION_ID && (applicationId !== 0 || tables > 0)) {
    throw new HubStoreError(
      `${path} is another application's database; name another directory with --state-dir.`,
    );
  }
  if (version > MIGRATIONS.length) {
    throw new HubStoreError(
      `${path} has version ${version}; this edgewood knows versions up to ${MIGRATIONS.length}. Run the newer edgewood that wrote it.`,
    );
  }
}

/** For who only reads. @throws HubStoreError */
export function checkReadable(db: Database, path: string): void {
  checkOwnership(db, path);
  const version = db.pragma('user_version', { simple: true }) as number;
  if (version < MIGRATIONS.length)
    throw new HubStoreError(
      `${path} has version ${version}, from an older edgewood. Start the hub of this version, which brings it to ${MIGRATIONS.length}.`,
    );
}

/** @throws HubStoreError, or an error of SQLite */
export function prepare(db: Database, path: string): void {
  db.pragma(`busy_timeout = ${BUSY_MS}`);
  checkOwnership(db, path);
  if (db.pragma('user_version', { simple: true }) === 0) db.pragma('auto_vacuum = INCREMENTAL');
  const mode = db.pragma('journal_mode = WAL', { simple: true });
  if (mode !== 'wal') {
    throw new HubStoreError(
      `${path}: no write-ahead log here (journal mode ${String(mode)}). Use a local disk.`,
    );
  }
  // An acknowledgement promises that a power cut takes nothing back.
  db.pragma('synchronous = FULL');
  db.pragma('foreign_keys = ON');
  db.transaction(() => {
    const found = db.pragma('user_version', { simple: true }) as number;
    for (const sql of MIGRATIONS.slice(found)) db.exec(sql);
    db.pragma(`application_id = ${APPLICATION_ID}`);
    db.pragma(`user_version = ${MIGRATIONS.length}`);
  }).immediate();
}
