import type { Database } from 'better-sqlite3';
import type { AliasTarget, AuditEntry } from './types.ts';

export interface VersionRow {
  readonly version: number;
  readonly sha256: string;
  readonly bytes: number;
  readonly created_at: string;
  readonly record: string;
}

const AUDIT = `
  SELECT time, actor, action, name, version, alias, from_version AS "from", to_version AS "to", why
  FROM audit JOIN models ON models.id = audit.model`;

export type Statements = ReturnType<typeof prepareStatements>;

export function prepareStatements(db: Database) {
  return {
    models: db.prepare<[], { id: number; name: string }>('SELECT id, name FROM models ORDER BY name'),
    modelId: db.prepare<[string], number>('SELECT id FROM models WHERE name = ?').pluck(),
    addModel: db.prepare<[string]>('INSERT OR IGNORE INTO models (name) VALUES (?)'),
    newest: db.prepare<[number], number | null>('SELECT max(version) FROM versions WHERE model = ?').pluck(),
    version: db.prepare<[number, number], VersionRow>(
      'SELECT * FROM versions WHERE model = ? AND version = ?',
    ),
    versions: db.prepare<[number], VersionRow>('SELECT * FROM versions WHERE model = ? ORDER BY version'),
    addVersion: db.prepare<[number, number, string, string, number, string]>(
      'INSERT INTO versions (model, version, created_at, sha256, bytes, record) VALUES (?, ?, ?, ?, ?, ?)',
    ),
    alias: db
      .prepare<[number, string], number>('SELECT version FROM aliases WHERE model = ? AND alias = ?')
      .pluck(),
    aliases: db.prepare<[number], AliasTarget>('SELECT alias, version FROM aliases WHERE model = ?'),
    setAlias: db.prepare<[number, string, number]>(
      'INSERT OR REPLACE INTO aliases (model, alias, version) VALUES (?, ?, ?)',
    ),
    removeAlias: db.prepare<[number, string]>('DELETE FROM aliases WHERE model = ? AND alias = ?'),
    pushHistory: db.prepare<[{ model: number; alias: string; version: number }]>(
      `INSERT INTO alias_history (model, alias, depth, version)
       SELECT @model, @alias, coalesce(max(depth), 0) + 1, @version
       FROM alias_history WHERE model = @model AND alias = @alias`,
    ),
    topOfHistory: db.prepare<[number, string], { depth: number; version: number }>(
      'SELECT depth, version FROM alias_history WHERE model = ? AND alias = ? ORDER BY depth DESC LIMIT 1',
    ),
    popHistory: db.prepare<[number, string, number]>(
      'DELETE FROM alias_history WHERE model = ? AND alias = ? AND depth = ?',
    ),
    log: db.prepare<
      [
        string,
        string,
        string,
        number,
        number | null,
        string | null,
        number | null,
        number | null,
        string | null,
      ]
    >(
      `INSERT INTO audit (time, actor, action, model, version, alias, from_version, to_version, why)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    audit: db.prepare<[], AuditEntry>(`${AUDIT} ORDER BY audit.id`),
    auditOf: db.prepare<[number], AuditEntry>(`${AUDIT} WHERE audit.model = ? ORDER BY audit.id`),
  };
}
