import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { onTestFinished } from 'vitest';
import {
  openSqliteStore,
  type SqliteStore,
  type SqliteStoreOptions,
} from '../../agent/store/sqlite-store.ts';

/** A directory that goes with the test. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'edgewood-store-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Counts instead of drawing: every test runs alike. */
export function counterHex(): (bytes: number) => string {
  let count = 0;
  return (bytes) => (++count).toString(16).padStart(bytes * 2, '0');
}

const sharedHex = counterHex();
let ticks = 1_700_000_000_000;

export function open(stateDir: string, options: Partial<SqliteStoreOptions> = {}): SqliteStore {
  return openSqliteStore({
    stateDir,
    openDatabase: (path) => new Database(path),
    nowMs: () => ticks++,
    randomHex: sharedHex,
    ...options,
  });
}
