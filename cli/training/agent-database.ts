import { closeSync, openSync, readSync } from 'node:fs';
import { hostname } from 'node:os';
import { basename } from 'node:path';
import type { Database } from 'better-sqlite3';
import { flagsLeftOut } from '../../agent/left-out.ts';
import { openDatabase } from '../../agent/native.ts';
import { checkOwnership } from '../../agent/store/migrations.ts';
import { SampleTable } from '../../agent/store/sample-table.ts';
import { DATABASE_FILE } from '../../agent/store/state-directory.ts';
import { SAMPLE_IN_INCIDENT } from '../../agent/store/store.ts';
import { hostOf } from '../../models/data/read.ts';
import { type Recording, RecordingBuilder, UNLABELLED } from '../../models/data/recording.ts';
import { DataError } from '../../models/data/table.ts';

const MAGIC = 'SQLite format 3\0';

/** Is it an SQLite file, by its first bytes? */
export function isDatabase(path: string): boolean {
  const head = Buffer.alloc(MAGIC.length);
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch {
    // Whoever reads it as a table says what is wrong with it.
    return false;
  }
  try {
    return readSync(file, head, 0, head.length, 0) === head.length && head.toString('latin1') === MAGIC;
  } catch {
    return false;
  } finally {
    closeSync(file);
  }
}

/**
 * The samples that an agent has kept, its incidents and maintenance left out as its own learning does. Read only: the
 * agent may be running.
 * @param features columns to take; null: all
 * @throws DataError where it is another application's, or holds no samples
 */
export function readAgentDatabase(
  path: string,
  features: readonly string[] | null,
  valuesMax: number,
): Recording {
  const db = open(path);
  try {
    return read(db, path, features, valuesMax);
  } catch (error) {
    if (error instanceof DataError) throw error;
    // Another's, a newer one, or damaged: whatever SQLite finds is the file's fault.
    throw new DataError(`${path}: ${(error as Error).message}`);
  } finally {
    db.close();
  }
}

function read(db: Database, path: string, features: readonly string[] | null, valuesMax: number): Recording {
  checkOwnership(db, path);
  const names = metricNames(db, path);
  const wanted = features ?? names;
  const stray = wanted.find((name) => !names.includes(name));
  if (stray !== undefined)
    throw new DataError(`${path}: no metric "${stray}"; there are ${names.join(', ')}.`);
  const positions = wanted.map((name) => names.indexOf(name));
  const samples = new SampleTable(db);
  const leaveOut = flagsToLeaveOut(db);
  // A copy carries the name of the host it came from; where it lies on its host it doesn't.
  const host = basename(path) === DATABASE_FILE ? hostname() : hostOf(path);
  const builder = new RecordingBuilder(host, wanted, valuesMax);
  const values = new Float64Array(wanted.length);
  for (const row of samples.between(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)) {
    const out = (row.flags & leaveOut) !== 0 || row.values.length !== names.length;
    for (let i = 0; i < values.length; i++) {
      values[i] = out ? Number.NaN : (row.values[positions[i] as number] as number);
    }
    builder.add(row.timeMs, UNLABELLED, values);
  }
  return builder.finish();
}

function open(path: string): Database {
  try {
    return openDatabase(path, { readonly: true, fileMustExist: true, timeout: 10_000 });
  } catch (error) {
    throw new DataError(`${path}: ${(error as Error).message}. Is it readable, with the files beside it?`);
  }
}

function metricNames(db: Database, path: string): string[] {
  try {
    const kept = db.prepare<[], string>("SELECT value FROM state WHERE key = 'schema'").pluck().get();
    const names: unknown = JSON.parse(kept ?? 'null');
    if (Array.isArray(names) && names.every((name) => typeof name === 'string')) return names;
  } catch {
    // Said below.
  }
  throw new DataError(
    `${path} holds no samples of an agent. Its database is edgewood.db in its state directory.`,
  );
}

function flagsToLeaveOut(db: Database): number {
  const { all, inIncident } = db
    .prepare<[number], { all: number; inIncident: number }>(
      'SELECT count(*) AS "all", coalesce(sum(flags & ? <> 0), 0) AS inIncident FROM samples',
    )
    .get(SAMPLE_IN_INCIDENT) ?? { all: 0, inIncident: 0 };
  return flagsLeftOut(all, inIncident);
}
