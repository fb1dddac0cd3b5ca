import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  mkdirSync,
  renameSync,
  statSync,
  truncateSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { Database } from 'better-sqlite3';
import { checkOwnership, migrate } from './migrations.ts';
import { createFile, describe, isErrno, type MarkOnDisk, SHARED_FILE_MODE } from './sequence-mark.ts';
import { isCorruption, sqliteCode, translate } from './sqlite-errors.ts';
import { StoreUnusableError } from './store.ts';

/** In the executable: agent/native.ts, which brings the addon. */
export type OpenDatabase = (path: string) => Database;

export const DATABASE_FILE = 'edgewood.db';
export const MARK_FILE = 'sequence.json';
export const LOCK_FILE = 'agent.lock';

const DIRECTORY_MODE = 0o750;
/** Whoever may read a lock file may hold a read lock on it, and so keep the agent from starting. */
const LOCK_MODE = 0o600;

/** Node's own recursive mkdir never returns below /proc (26.10), where mkdir answers ENOENT for ever. */
function makeDirectory(directory: string): void {
  const parent = dirname(directory);
  if (parent !== directory && !existsSync(parent)) makeDirectory(parent);
  mkdirSync(directory, { mode: DIRECTORY_MODE });
}

/** Makes the directory where it is missing; leaves the mode of an existing one to its owner. */
export function prepareDirectory(directory: string): void {
  const unusable = (what: string, mend: string): StoreUnusableError =>
    new StoreUnusableError(`state directory ${directory}: ${what}. ${mend}`);
  try {
    if (!existsSync(directory)) {
      makeDirectory(directory);
      chmodSync(directory, DIRECTORY_MODE);
    }
  } catch (error) {
    throw unusable(
      `can't be created (${describe(error)})`,
      'Create it and give it to the agent’s user, or choose another with --state-dir.',
    );
  }
  if (!statSync(directory).isDirectory()) {
    throw unusable('is not a directory', 'Move the file away, or choose another with --state-dir.');
  }
  try {
    accessSync(directory, constants.R_OK | constants.W_OK | constants.X_OK);
    // And by doing it: access(2) asks for the real user, not the effective one.
    createFile(join(directory, LOCK_FILE), LOCK_MODE);
  } catch (error) {
    const readOnly = isErrno(error) && error.code === 'EROFS';
    throw unusable(
      readOnly ? 'is on a read-only file system' : `is not writable (${describe(error)})`,
      readOnly
        ? 'Remount it read-write, or choose another with --state-dir.'
        : `Give it to the agent's user (chown), or choose another with --state-dir.`,
    );
  }
}

/**
 * One agent a state directory. The lock is an exclusive transaction on a database of its own, so that readers of the
 * real one aren't shut out, and the kernel lets go of it however the agent ends.
 */
export function lockDirectory(directory: string, openDatabase: OpenDatabase): Database {
  const path = join(directory, LOCK_FILE);
  for (let attempt = 0; ; attempt++) {
    let lock: Database | undefined;
    try {
      createFile(path, LOCK_MODE);
      lock = openDatabase(path);
      lock.pragma('busy_timeout = 0');
      lock.pragma('cache_size = -16');
      lock.exec('BEGIN EXCLUSIVE');
      return lock;
    } catch (error) {
      lock?.close();
      if (isCorruption(error) && attempt === 0) {
        truncateSync(path); // holds nothing; emptied rather than removed, so that everyone locks the same inode
        continue;
      }
      if (sqliteCode(error)?.startsWith('SQLITE_BUSY') === true) {
        throw new StoreUnusableError(
          `state directory ${directory}: another edgewood agent is using it (${LOCK_FILE} is locked). ` +
            'Stop that one first (systemctl stop edgewood), or choose another with --state-dir.',
        );
      }
      throw translate(error, path);
    }
  }
}

export interface OpenedDatabase {
  readonly db: Database;
  readonly path: string;
  /** Where the damaged database was put; null if there was none. */
  readonly quarantinedTo: string | null;
}

/**
 * Opens, checks and migrates. A damaged database is renamed aside with its companions, never deleted.
 * @throws StoreUnusableError, StoreFullError
 */
export function openChecked(
  directory: string,
  openDatabase: OpenDatabase,
  mark: MarkOnDisk,
  nowMs: number,
): OpenedDatabase {
  const path = join(directory, DATABASE_FILE);
  const lastCloseWasClean = mark.kind === 'read' && mark.clean;
  const condemned = mark.kind === 'read' && mark.corrupt;
  let quarantinedTo: string | null = null;
  try {
    if (!existsSync(path) && existsSync(`${path}-wal`)) quarantine(path, nowMs); // useless alone, SQLite would delete it
    if (condemned && existsSync(path)) quarantinedTo = quarantine(path, nowMs);
    try {
      return { db: openOnce(path, openDatabase, !lastCloseWasClean && !condemned), path, quarantinedTo };
    } catch (error) {
      // SQLITE_ERROR: a header ("unsupported file format") or a schema that SQLite can't make sense of.
      if (!isCorruption(error) && sqliteCode(error) !== 'SQLITE_ERROR') throw error;
      quarantinedTo = quarantine(path, nowMs);
      return { db: openOnce(path, openDatabase, false), path, quarantinedTo };
    }
  } catch (error) {
    throw translate(error, path);
  }
}

function openOnce(path: string, openDatabase: OpenDatabase, check: boolean): Database {
  createFile(path, SHARED_FILE_MODE); // before SQLite would, under the umask; -wal and -shm take their mode from it
  const db = openDatabase(path);
  try {
    db.pragma('busy_timeout = 1000');
    // The agent stays small: no mapping, half a megabyte of cache (the default is 16 MB).
    db.pragma('cache_size = -512');
    db.pragma('mmap_size = 0');
    checkOwnership(db, path);
    db.pragma('auto_vacuum = INCREMENTAL'); // must stand before the first page is written
    const mode = db.pragma('journal_mode = WAL', { simple: true });
    if (mode !== 'wal') {
      throw new StoreUnusableError(
        `${path}: no write-ahead log here (journal mode ${String(mode)}). Use a local disk.`,
      );
    }
    if (check) quickCheck(db);
    db.pragma('synchronous = NORMAL');
    db.pragma('foreign_keys = ON');
    db.pragma('wal_autocheckpoint = 256');
    db.pragma('journal_size_limit = 1048576');
    migrate(db);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

function quickCheck(db: Database): void {
  const verdict = db.pragma('quick_check(1)', { simple: true });
  if (verdict !== 'ok') throw Object.assign(new Error(String(verdict)), { code: 'SQLITE_CORRUPT' });
}

function quarantine(path: string, nowMs: number): string {
  const time = new Date(nowMs).toISOString().replace(/[-:]/g, '').replace(/\.\d+/, '');
  let target = `${path}.corrupt-${time}`;
  for (let i = 2; existsSync(target) || existsSync(`${target}-wal`); i++)
    target = `${path}.corrupt-${time}-${i}`;
  for (const suffix of ['', '-wal', '-shm']) {
    if (existsSync(path + suffix)) renameSync(path + suffix, target + suffix);
  }
  return target;
}
