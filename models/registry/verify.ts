import type { Database } from 'better-sqlite3';
import { decodeModel } from '../artifact.ts';
import type { ModelRecord } from '../record.ts';
import { Objects } from './objects.ts';
import type { Statements, VersionRow } from './statements.ts';

/** Something is wrong with a version, with the index, or with a file. */
export interface Finding {
  /** `name@version`, a file's name, or `index`. */
  readonly where: string;
  /**
   * damage: a version that can't be used. stray: a file that no version names, left by a registration that was cut
   * short; it may be deleted.
   */
  readonly kind: 'damage' | 'stray';
  readonly what: string;
}

/** Every version: file present, digest, decodes, says what the record says. Then files of no version. */
export function verifyRegistry(db: Database, objects: Objects, sql: Statements): Finding[] {
  const findings: Finding[] = [];
  const damage = (where: string, what: string): void => {
    findings.push({ where, kind: 'damage', what });
  };
  for (const row of db.pragma('integrity_check(20)') as { integrity_check: string }[]) {
    if (row.integrity_check !== 'ok') damage('index', row.integrity_check);
  }
  const broken = (db.pragma('foreign_key_check') as { table: string; parent: string }[]).slice(0, 20);
  for (const { table, parent } of broken)
    damage('index', `a row of ${table} names one of ${parent} that is not there`);
  const named = new Set<string>();
  for (const { id, name } of sql.models.all()) {
    for (const [i, row] of sql.versions.all(id).entries()) {
      named.add(row.sha256);
      const where = `${name}@${row.version}`;
      if (row.version !== i + 1) damage(where, `version ${i + 1} expected here`);
      for (const fault of faultsOf(objects, name, row)) damage(where, fault);
    }
  }
  for (const file of objects.names()) {
    const sha256 = Objects.sha256Of(file);
    if (sha256 !== null && named.has(sha256)) continue;
    const what =
      sha256 === null
        ? 'is none of the files kept here'
        : 'belongs to no version: a registration was cut short';
    findings.push({ where: `objects/${file}`, kind: 'stray', what: `${what}; it may be deleted` });
  }
  return findings;
}

function faultsOf(objects: Objects, name: string, row: VersionRow): string[] {
  try {
    const bytes = objects.read(row.sha256, null);
    const model = decodeModel(bytes);
    const record = JSON.parse(row.record) as ModelRecord;
    const said: readonly (readonly [string, unknown, unknown])[] = [
      ['name', record.name, name],
      ['version', record.version, row.version],
      ['createdAt', record.createdAt, row.created_at],
      ['sha256', record.sha256, row.sha256],
      ['bytes', record.bytes, row.bytes],
      ['bytes', row.bytes, bytes.length],
      ['detector', record.detector, model.detector],
      ['features', record.features.join(), model.schema.map((metric) => metric.name).join()],
      ['name in the file', model.provenance.name, name],
      ['version in the file', model.provenance.version, String(row.version)],
    ];
    return said.flatMap(([what, found, expected]) =>
      found === expected ? [] : [`${what} is ${JSON.stringify(found)}, ${JSON.stringify(expected)} expected`],
    );
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)];
  }
}
