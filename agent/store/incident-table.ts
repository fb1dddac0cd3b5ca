import type { Database, Statement } from 'better-sqlite3';
import type { Severity } from '../../core/protocol/events.ts';
import type { IncidentRow } from './store.ts';

type Columns = [string, string, Severity, number, number | null, string];

/** The latest state of every incident. */
export class IncidentTable {
  readonly #put: Statement<Columns>;
  readonly #newest: Statement<[number], Columns>;
  readonly #byId: Statement<[string], Columns>;
  readonly #byPrefix: Statement<[string, string], Columns>;
  readonly #during: Statement<[number, number], Columns>;
  readonly #deleteResolved: Statement<[number, number, number]>;

  constructor(db: Database) {
    const columns = 'id, state, severity, opened_at_ms, resolved_at_ms, data';
    const select = `SELECT ${columns} FROM incidents`;
    this.#put = db.prepare(`INSERT OR REPLACE INTO incidents (${columns}) VALUES (?, ?, ?, ?, ?, ?)`);
    this.#newest = db
      .prepare<[number], Columns>(`${select} ORDER BY opened_at_ms DESC, id DESC LIMIT ?`)
      .raw();
    this.#byId = db.prepare<[string], Columns>(`${select} WHERE id = ?`).raw();
    this.#byPrefix = db
      .prepare<[string, string], Columns>(`${select} WHERE id >= ? AND id < ? LIMIT 2`)
      .raw();
    this.#during = db
      .prepare<[number, number], Columns>(
        `${select} WHERE opened_at_ms <= ? AND (resolved_at_ms IS NULL OR resolved_at_ms >= ?)
           ORDER BY opened_at_ms DESC, id DESC LIMIT 1`,
      )
      .raw();
    this.#deleteResolved = db.prepare(
      `DELETE FROM incidents WHERE id IN (SELECT id FROM incidents
         WHERE opened_at_ms < ? AND resolved_at_ms < ? ORDER BY opened_at_ms LIMIT ?)`,
    );
  }

  put(row: IncidentRow): void {
    const { id, state, severity, openedAtMs, resolvedAtMs, data } = row;
    this.#put.run(id, state, severity, openedAtMs, resolvedAtMs, data);
  }

  newest(limit: number): IncidentRow[] {
    return this.#newest.all(limit).map(toRow);
  }

  find(idOrPrefix: string): IncidentRow | null {
    const exact = this.#byId.get(idOrPrefix);
    if (exact !== undefined) return toRow(exact);
    if (idOrPrefix === '') return null;
    const [only, second] = this.#byPrefix.all(idOrPrefix, `${idOrPrefix}\u{10ffff}`);
    return only === undefined || second !== undefined ? null : toRow(only);
  }

  during(fromMs: number, toMs: number): IncidentRow | null {
    const found = this.#during.get(toMs, fromMs);
    return found === undefined ? null : toRow(found);
  }

  deleteResolved(beforeMs: number, limit: number): number {
    return this.#deleteResolved.run(beforeMs, beforeMs, limit).changes;
  }
}

function toRow([id, state, severity, openedAtMs, resolvedAtMs, data]: Columns): IncidentRow {
  return { id, state, severity, openedAtMs, resolvedAtMs, data };
}
