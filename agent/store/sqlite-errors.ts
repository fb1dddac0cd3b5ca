import { describe } from './sequence-mark.ts';
import { StoreCorruptError, StoreFullError, StoreUnusableError } from './store.ts';

/** Code of a better-sqlite3 error, without importing the addon for an instanceof. */
export function sqliteCode(error: unknown): string | null {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return null;
  return error.code.startsWith('SQLITE_') ? error.code : null;
}

/** A row that SQLite gave and that can't be one of ours: a flipped bit that no page structure shows. */
export const damaged = (what: string): Error =>
  Object.assign(new Error(`${what} is damaged`), { code: 'SQLITE_CORRUPT' });

/** A broken constraint is damage, too: our statements keep them all, so what is on the disk isn't what we wrote. */
export function isCorruption(error: unknown): boolean {
  const code = sqliteCode(error);
  return (
    code !== null && (/^SQLITE_(CORRUPT|NOTADB|CONSTRAINT)/.test(code) || code === 'SQLITE_IOERR_CORRUPTFS')
  );
}

/** Nothing was written, and a later try may succeed: disk or quota full, or another program holds the write lock. */
function isFull(code: string): boolean {
  return /^SQLITE_(FULL|BUSY|LOCKED|IOERR_WRITE|IOERR_SHMSIZE|IOERR_FSYNC|IOERR_TRUNCATE)/.test(code);
}

/** The store's own errors for SQLite's; anything else passes unchanged. */
export function translate(error: unknown, path: string): unknown {
  const code = sqliteCode(error);
  if (code === null) return error;
  const cause = { cause: error };
  const message = `${path}: ${describe(error)} (${code})`;
  if (isFull(code)) return new StoreFullError(`${message}. Nothing was written.`, cause);
  if (isCorruption(error)) {
    return new StoreCorruptError(
      `${message}. The next start sets the file aside and begins a new one.`,
      cause,
    );
  }
  if (/^SQLITE_(READONLY|CANTOPEN|PERM|AUTH|IOERR)/.test(code)) {
    return new StoreUnusableError(
      `${message}. Check that the state directory is mounted, writable, and belongs to the agent's user.`,
      cause,
    );
  }
  return error;
}
