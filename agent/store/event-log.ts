import type { Database, Statement } from 'better-sqlite3';
import type { EventType, Sequence, Severity, StoredEvent } from '../../core/protocol/events.ts';
import { eventId } from './events-out.ts';
import { damaged } from './sqlite-errors.ts';
import type { NewEvent } from './store.ts';

/** An event with the key of its row, which orders events over all epochs. */
export interface LoggedEvent {
  readonly rowId: number;
  readonly epochRow: number;
  readonly event: StoredEvent;
}

export interface EpochRow {
  readonly id: number;
  readonly name: string;
  readonly reason: string;
  readonly last_n: number;
  /** Numbers from here to last_n may have gone with a lost or older file, and no sink was told yet. */
  readonly lost_from: number | null;
  readonly lost_reason: string | null;
}

type Columns = [
  rowId: number,
  epochRow: number,
  epoch: string,
  n: number,
  type: EventType,
  severity: Severity | null,
  timeMs: number,
  subject: string | null,
  data: string,
];
export const EVENT_COLUMNS = 'e.id, e.epoch, p.name, e.n, e.type, e.severity, e.time_ms, e.subject, e.data';
export const EVENT_TABLES = 'events e JOIN epochs p ON p.id = e.epoch';

export function toLogged(columns: Columns): LoggedEvent {
  const [rowId, epochRow, epoch, n, type, severity, timeMs, subject, data] = columns;
  if (
    typeof data !== 'string' ||
    typeof epoch !== 'string' ||
    typeof n !== 'number' ||
    typeof timeMs !== 'number'
  ) {
    throw damaged('an event');
  }
  const sequence = { epoch, n };
  return {
    rowId,
    epochRow,
    event: { sequence, id: eventId(sequence), type, severity, timeMs, subject, data },
  };
}

/** Events and epochs: who gets which number. */
export class EventLog {
  #current: EpochRow;
  #n: number;
  readonly #insert: Statement<[number, number, string, string | null, number, string | null, string]>;
  readonly #setLast: Statement<[number, number]>;
  readonly #byEpoch: Statement<[string], EpochRow>;
  readonly #find: Statement<[string, number], Columns>;
  readonly #after: Statement<[string, number, number], Columns>;
  readonly #deleteDelivered: Statement<[number, number]>;
  readonly #newest: Statement<[], number | null>;
  readonly #lost: Statement<[], EpochRow>;
  readonly #forgetLost: Statement<[]>;

  constructor(db: Database, current: EpochRow) {
    this.#current = current;
    this.#n = current.last_n;
    this.#insert = db.prepare(
      'INSERT INTO events (epoch, n, type, severity, time_ms, subject, data) VALUES (?, ?, ?, ?, ?, ?, ?)',
    );
    this.#setLast = db.prepare('UPDATE epochs SET last_n = ? WHERE id = ?');
    this.#byEpoch = db.prepare('SELECT * FROM epochs WHERE name = ?');
    const select = `SELECT ${EVENT_COLUMNS} FROM ${EVENT_TABLES} WHERE p.name = ?`;
    this.#find = db.prepare<[string, number], Columns>(`${select} AND e.n = ?`).raw();
    this.#after = db
      .prepare<[string, number, number], Columns>(`${select} AND e.n > ? ORDER BY e.n LIMIT ?`)
      .raw();
    this.#deleteDelivered = db.prepare(
      `DELETE FROM events WHERE id IN (SELECT id FROM events WHERE time_ms < ?
         AND NOT EXISTS (SELECT 1 FROM outbox WHERE event = events.id) ORDER BY time_ms LIMIT ?)`,
    );
    this.#newest = db.prepare<[], number | null>('SELECT max(id) FROM events').pluck();
    this.#lost = db.prepare('SELECT * FROM epochs WHERE lost_from IS NOT NULL ORDER BY id');
    this.#forgetLost = db.prepare(
      'UPDATE epochs SET lost_from = NULL, lost_reason = NULL WHERE lost_from IS NOT NULL',
    );
  }

  /** Number of the newest event of this epoch; 0 before the first. */
  get n(): number {
    return this.#n;
  }

  get epochRow(): number {
    return this.#current.id;
  }

  insert(draft: NewEvent): LoggedEvent {
    const sequence: Sequence = { epoch: this.#current.name, n: this.#n + 1 };
    const { type, severity, subject } = draft;
    const timeMs = Math.round(draft.timeMs);
    const data = draft.data(sequence);
    const { lastInsertRowid } = this.#insert.run(
      this.epochRow,
      sequence.n,
      type,
      severity,
      timeMs,
      subject,
      data,
    );
    this.#n = sequence.n;
    const event = { sequence, id: eventId(sequence), type, severity, timeMs, subject, data };
    return { rowId: Number(lastInsertRowid), epochRow: this.epochRow, event };
  }

  /** Within the transaction that inserted. */
  persist(): void {
    if (this.#n === this.#current.last_n) return;
    this.#setLast.run(this.#n, this.epochRow);
    this.#current = { ...this.#current, last_n: this.#n };
  }

  /** After a rollback. */
  reload(): void {
    this.#current = this.#byEpoch.get(this.#current.name)!;
    this.#n = this.#current.last_n;
  }

  /** Key of the newest row. */
  position(): number {
    return this.#newest.get() ?? 0;
  }

  find({ epoch, n }: Sequence): LoggedEvent | null {
    const columns = this.#find.get(epoch, n);
    return columns === undefined ? null : toLogged(columns);
  }

  after(epoch: string, n: number, limit: number): StoredEvent[] {
    return this.#after.all(epoch, n, limit).map((columns) => toLogged(columns).event);
  }

  /** Oldest first, at most `limit`, never one that a sink still waits for. */
  deleteDelivered(beforeMs: number, limit: number): number {
    return this.#deleteDelivered.run(beforeMs, limit).changes;
  }

  lostEpochs(): EpochRow[] {
    return this.#lost.all();
  }

  forgetLost(): void {
    this.#forgetLost.run();
  }
}
