import type { Database, Statement } from 'better-sqlite3';
import { EVENT_COLUMNS, EVENT_TABLES, type toLogged } from './event-log.ts';

export interface SinkRow {
  readonly id: number;
  readonly name: string;
  active: number;
  pending: number;
  bytes: number;
  /** Pending ones about this very sink. */
  tombstones: number;
  dropped: number;
  poisoned: number;
  left_epoch: number | null;
  left_n: number | null;
}

export type OutboxRow = { event: number; bytes: number; own_tombstone: number };
export type Victim = OutboxRow & { epoch: number; n: number };
type EventColumns = Parameters<typeof toLogged>[0];
type PoisonRow = { reason: string; time_ms: number; epoch: string; n: number };

/** The outbox's statements, prepared once. */
export function prepareOutbox(db: Database) {
  const victimColumns = 'o.event, o.bytes, o.own_tombstone, e.epoch, e.n';
  const oldestOf = (rank: number): string =>
    `SELECT min(event) AS event FROM outbox WHERE sink = ? AND rank = ${rank}`;
  const statements = {
    sinks: db.prepare('SELECT * FROM sinks ORDER BY id') as Statement<[], SinkRow>,
    sink: db.prepare('SELECT * FROM sinks WHERE name = ?') as Statement<[string], SinkRow>,
    addSink: db.prepare('INSERT INTO sinks (name, active) VALUES (?, 1)') as Statement<[string]>,
    saveSink: db.prepare(
      `UPDATE sinks SET active = ?, pending = ?, bytes = ?, tombstones = ?, dropped = ?, poisoned = ?,
         left_epoch = ?, left_n = ? WHERE id = ?`,
    ),
    insert: db.prepare('INSERT INTO outbox (event, sink, rank, own_tombstone, bytes) VALUES (?, ?, ?, ?, ?)'),
    record: db.prepare(
      'SELECT event, bytes, own_tombstone FROM outbox WHERE event = ? AND sink = ?',
    ) as Statement<[number, number], OutboxRow>,
    remove: db.prepare('DELETE FROM outbox WHERE event = ? AND sink = ?') as Statement<[number, number]>,
    victims: db.prepare(
      `SELECT ${victimColumns} FROM outbox o JOIN events e ON e.id = o.event
         WHERE o.sink = ? AND o.rank = ? AND o.own_tombstone = 0 ORDER BY o.event LIMIT ?`,
    ) as Statement<[number, number, number], Victim>,
    all: db.prepare(
      `SELECT ${victimColumns}, iif(o.own_tombstone, e.data, '') AS data
         FROM outbox o JOIN events e ON e.id = o.event WHERE o.sink = ? ORDER BY o.event`,
    ) as Statement<[number], Victim & { data: string }>,
    pending: (
      db.prepare(
        `SELECT ${EVENT_COLUMNS} FROM outbox o CROSS JOIN ${EVENT_TABLES}
           WHERE o.sink = ? AND o.rank = ? AND o.event > ? AND o.event <= ? AND e.id = o.event
           ORDER BY o.event LIMIT ?`,
      ) as Statement<[number, number, number, number, number], EventColumns>
    ).raw(),
    oldest: (
      db.prepare(
        `SELECT time_ms FROM events WHERE id = (SELECT min(event) FROM (${[0, 1, 2, 3].map(oldestOf).join(' UNION ALL ')}))`,
      ) as Statement<[number, number, number, number], number>
    ).pluck(),
    poison: db.prepare('INSERT OR REPLACE INTO poisoned (event, sink, reason, time_ms) VALUES (?, ?, ?, ?)'),
    poisoned: db.prepare(
      `SELECT x.reason, x.time_ms, p.name AS epoch, e.n FROM poisoned x
         CROSS JOIN ${EVENT_TABLES} WHERE e.id = x.event AND x.sink = ? ORDER BY x.event DESC LIMIT ?`,
    ) as Statement<[number, number], PoisonRow>,
    epochsFrom: db.prepare('SELECT id, last_n FROM epochs WHERE id >= ? ORDER BY id') as Statement<
      [number],
      { id: number; last_n: number }
    >,
  };
  return statements;
}
