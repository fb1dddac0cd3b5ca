import type { Database } from 'better-sqlite3';

export type Statements = ReturnType<typeof prepareStatements>;

export interface AlertRow {
  readonly n: number;
  readonly type: string;
  readonly site: string;
  readonly severity: string;
  readonly time_ms: number;
  readonly subject: string;
  readonly data: string;
}

export function prepareStatements(db: Database) {
  return {
    meta: db.prepare<[string], string>('SELECT value FROM meta WHERE key = ?').pluck(),
    setMeta: db.prepare<[string, string]>('INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)'),
    hosts: db.prepare<[], { id: number; document: string }>('SELECT id, document FROM hosts'),
    lastChange: db.prepare<[], number | null>('SELECT max(changed) FROM hosts').pluck(),
    /** A change of 0: only heard of. */
    saveHost: db
      .prepare<[string, string, string, number], number>(
        `INSERT INTO hosts (site, host_id, document, changed) VALUES (?, ?, ?, ?)
         ON CONFLICT (site, host_id) DO UPDATE SET document = excluded.document,
           changed = max(changed, excluded.changed) RETURNING id`,
      )
      .pluck(),
    addEvent: db.prepare<
      [number, string, number, string, string | null, number, number, string | null, string]
    >(
      `INSERT OR IGNORE INTO events (host, epoch, n, type, severity, time_ms, received_ms, subject, data)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    reported: db.prepare<[number], { at_ms: number; document: string }>(
      'SELECT at_ms, document FROM reported WHERE host = ?',
    ),
    saveReported: db.prepare<[number, number, number, string]>(
      'INSERT OR REPLACE INTO reported (host, at_ms, received_ms, document) VALUES (?, ?, ?, ?)',
    ),
    addReportedChange: db.prepare<[number, number, number, string]>(
      'INSERT INTO reported_changes (host, at_ms, received_ms, state) VALUES (?, ?, ?, ?)',
    ),
    saveVerdict: db.prepare<[number, string, string, string, number]>(
      `INSERT INTO verdicts (host, incident, verdict, note, time_ms) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (host, incident) DO UPDATE SET verdict = excluded.verdict, note = excluded.note,
         time_ms = excluded.time_ms WHERE excluded.time_ms >= time_ms`,
    ),
    addAlert: db.prepare<[string, string, string, number, string]>(
      "INSERT INTO hub_alerts (type, site, severity, time_ms, subject, data) VALUES (?, ?, ?, ?, ?, '{}')",
    ),
    setAlertData: db.prepare<[string, number | bigint]>('UPDATE hub_alerts SET data = ? WHERE n = ?'),
    unpublished: db.prepare<[number], AlertRow>(
      'SELECT n, type, site, severity, time_ms, subject, data FROM hub_alerts WHERE published = 0 ORDER BY n LIMIT ?',
    ),
    setPublished: db.prepare<[number]>('UPDATE hub_alerts SET published = 1 WHERE n = ?'),
    addRefusals: db.prepare<[string, string, string, number]>(
      `INSERT INTO refusals (site, host_id, reason, count) VALUES (?, ?, ?, ?)
       ON CONFLICT (site, host_id, reason) DO UPDATE SET count = count + excluded.count`,
    ),
    /** The newest stays: its id would be given again, and whoever is past it would not see the next. */
    deleteEventsBefore: db
      .prepare<[number, number], number>(
        `DELETE FROM events WHERE id IN (SELECT id FROM events WHERE received_ms < ?
           AND id < (SELECT max(id) FROM events) ORDER BY received_ms LIMIT ?) RETURNING id`,
      )
      .pluck(),
    deleteReportedBefore: db
      .prepare<[number, number], number>(
        `DELETE FROM reported_changes WHERE id IN (SELECT id FROM reported_changes WHERE received_ms < ?
           ORDER BY received_ms LIMIT ?) RETURNING id`,
      )
      .pluck(),
    deleteAlertsBefore: db
      .prepare<[number, number], number>(
        `DELETE FROM hub_alerts WHERE n IN (SELECT n FROM hub_alerts WHERE time_ms < ? AND published = 1
           ORDER BY n LIMIT ?) RETURNING n`,
      )
      .pluck(),
    deleteSamples: db
      .prepare<[number], number>(
        'DELETE FROM samples WHERE id IN (SELECT id FROM samples ORDER BY id LIMIT ?) RETURNING id',
      )
      .pluck(),
    pageCount: db.prepare<[], number>('PRAGMA page_count').pluck(),
    freePages: db.prepare<[], number>('PRAGMA freelist_count').pluck(),
  };
}

/** A stored event with the host it is from. */
export interface EventRow {
  readonly id: number;
  readonly epoch: string;
  readonly n: number;
  readonly type: string;
  readonly severity: string | null;
  readonly time_ms: number;
  readonly subject: string | null;
  readonly data: string;
  readonly site: string;
  readonly host_id: string;
}
