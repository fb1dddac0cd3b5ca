import { dirname } from 'node:path';

export type RegistryFault =
  /** No registry, model, version or alias of that name. */
  | 'absent'
  | 'badName'
  /** An alias points elsewhere than its changer believed, or can't be rolled back any further. */
  | 'conflict'
  | 'damaged'
  /** Another process writes, and did not end in time. */
  | 'busy'
  | 'newer'
  /** The directory or disk: a person has to act. */
  | 'unusable';

/** Says what, where, and how to mend it. A conflict is a check that says no; all else is bad input. */
export class RegistryError extends Error {
  override readonly name = 'RegistryError';
  readonly fault: RegistryFault;
  readonly exitCode: number;

  constructor(fault: RegistryFault, message: string, options?: ErrorOptions) {
    super(message, options);
    this.fault = fault;
    this.exitCode = fault === 'conflict' ? 1 : 2;
  }
}

/** Code of an SQLite error, without importing the addon for an instanceof. */
export function sqliteCode(error: unknown): string | null {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return null;
  return error.code.startsWith('SQLITE_') ? error.code : null;
}

export const isBusy = (error: unknown): boolean => /^SQLITE_(BUSY|LOCKED)/.test(sqliteCode(error) ?? '');

/** The registry's own errors for those of SQLite and of the file system; anything else passes unchanged. */
export function translate(error: unknown, path: string): unknown {
  if (error instanceof RegistryError || !(error instanceof Error)) return error;
  const cause = { cause: error };
  const code = sqliteCode(error);
  if (code === null) {
    const { code: errno, path: where } = error as NodeJS.ErrnoException;
    if (typeof errno !== 'string' || !/^E[A-Z]+$/.test(errno)) return error;
    return new RegistryError('unusable', `${where ?? path}: ${fileWords(errno)}`, cause);
  }
  const message = `${path}: ${error.message} (${code})`;
  if (isBusy(error)) {
    return new RegistryError('busy', `${message}: another process is writing. Try again.`, cause);
  }
  // A broken constraint is damage, too: our statements keep them all.
  if (/^SQLITE_(CORRUPT|NOTADB|CONSTRAINT)/.test(code)) {
    return new RegistryError(
      'damaged',
      `${message}: the index is damaged. Restore it from a backup; the models themselves lie in objects/.`,
      cause,
    );
  }
  // Room for the index of the log is taken ahead: where it can't be, the disk is full as well.
  if (/^SQLITE_(FULL|IOERR_SHMSIZE)/.test(code)) {
    return new RegistryError('unusable', `${path}: ${FULL} (${code}). ${MAKE_ROOM}`, cause);
  }
  if (/^SQLITE_(READONLY|CANTOPEN)/.test(code)) {
    return new RegistryError('unusable', notWritable(dirname(path), code), cause);
  }
  return new RegistryError('unusable', message, cause);
}

const FULL = 'the disk is full';
const MAKE_ROOM = 'Make room and try again; nothing was changed.';

function notWritable(directory: string, code: string): string {
  return `the registry directory ${directory} can't be written by you (${code}). Reading needs write access, too, to the directory and to registry.db in it, since SQLite keeps its write-ahead log (WAL) there. Have its owner let your group write (chgrp -R GROUP and chmod -R g+w), or name a copy of your own with --registry.`;
}

function fileWords(errno: string): string {
  if (errno === 'ENOSPC') return `${FULL} (ENOSPC). ${MAKE_ROOM}`;
  if (errno === 'EDQUOT') return `your share of the disk is used up (EDQUOT). ${MAKE_ROOM}`;
  if (errno === 'EACCES' || errno === 'EPERM') {
    return `you may not do that there (${errno}). Have the owner of the registry's directory give you write access, or name another with --registry.`;
  }
  if (errno === 'EROFS')
    return 'the file system is read-only (EROFS). Name another registry with --registry.';
  if (errno === 'ENOTDIR' || errno === 'EEXIST') {
    return `a file stands where a directory was expected (${errno}). Name another registry with --registry.`;
  }
  return `${errno}. Name another registry with --registry, or mend this one.`;
}
