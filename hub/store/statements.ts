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
    saveHost: db
      .prepare<[string, string, string], number>(
        `INSERT INTO hosts (site, host_id, document) VALUES (?, ?, ?)
         ON CONFLICT (site, host_id) DO UPDATE SET document = excluded.document RETURNING id`,
      )
      .pluck(),
    addEvent: db.prepare<
      [number, string, number, string, string | null, number, number, string | null, string]
    >(
      `INSERT OR IGNORE INTO events (host, epoch, n, type, severity, time_ms, received_ms, subject, data)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    saveReported: db.prepare<[number, number, number, string]>(
      `INSERT INTO reported (host, at_ms, received_ms, document) VALUES (?, ?, ?, ?)
       ON CONFLICT (host) DO UPDATE SET at_ms = excluded.at_ms, received_ms = excluded.received_ms,
         document = excluded.document WHERE excluded.at_ms >= at_ms`,
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
    eventsAfter: db.prepare<[number, number], EventRow>(
      `SELECT e.id, e.epoch, e.n, e.type, e.severity, e.time_ms, e.subject, e.data, h.site, h.host_id
       FROM events e JOIN hosts h ON h.id = e.host WHERE e.id > ? ORDER BY e.id LIMIT ?`,
    ),
    deleteEventsBefore: db.prepare<[number, number]>(
      'DELETE FROM events WHERE id IN (SELECT id FROM events WHERE received_ms < ? ORDER BY received_ms LIMIT ?)',
    ),
    deleteAlertsBefore: db.prepare<[number]>('DELETE FROM hub_alerts WHERE time_ms < ? AND published = 1'),
    deleteSamples: db.prepare<[number]>(
      'DELETE FROM samples WHERE (host, time_ms) IN (SELECT host, time_ms FROM samples ORDER BY time_ms LIMIT ?)',
    ),
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
