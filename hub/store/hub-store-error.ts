/** Says what, where, and how to mend it: a person has to act. */
export class HubStoreError extends Error {
  override readonly name = 'HubStoreError';
  readonly exitCode = 2;
}

/** There is no hub here. */
export class HubAbsent extends HubStoreError {}

/** Code of an SQLite error, without importing the addon for an instanceof. */
function sqliteCode(error: unknown): string | null {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return null;
  return error.code.startsWith('SQLITE_') ? error.code : null;
}

/** Nothing was written, and a later try may succeed: nothing is acknowledged meanwhile. */
export const isFull = (error: unknown): boolean =>
  /^SQLITE_(FULL|BUSY|LOCKED|IOERR_WRITE|IOERR_SHMSIZE|IOERR_FSYNC|IOERR_TRUNCATE)/.test(
    sqliteCode(error) ?? '',
  );

/** The store's own error for one of SQLite's; anything else passes unchanged. */
export function translate(error: unknown, path: string): unknown {
  const code = sqliteCode(error);
  if (code === null) return error;
  const message = `${path}: ${(error as Error).message} (${code})`;
  if (/^SQLITE_(CORRUPT|NOTADB|CONSTRAINT)/.test(code)) {
    return new HubStoreError(
      `${message}. Move the file away: the hub begins a new one, and agents that wait for its word (acknowledge: hub) still hold what it had not acknowledged.`,
      { cause: error },
    );
  }
  return new HubStoreError(`${message}. Check that the state directory is there, writable, and has room.`, {
    cause: error,
  });
}
