import {
  chmodSync,
  closeSync,
  fchmodSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import type { Sequence } from '../../core/protocol/events.ts';
import { StoreUnusableError } from './store.ts';

/**
 * The high-water mark of the sequence, outside the database: a database that was restored, lost or set aside can't
 * tell by itself that it has handed out more numbers than it remembers.
 */
export interface SequenceMark {
  readonly epoch: string;
  readonly n: number;
  /** The last close was orderly: the database needs no check. */
  readonly clean: boolean;
  /** The database answered SQLITE_CORRUPT while running: it is set aside at the next open. */
  readonly corrupt: boolean;
  /** Where earlier epochs ended, oldest first: a second loss must not hide the first. */
  readonly ended: readonly Sequence[];
}

export type MarkOnDisk =
  | { readonly kind: 'missing' | 'damaged' }
  | ({ readonly kind: 'read' } & SequenceMark);

const MARK_VERSION = 1;
/** Every mark is equally long, so that writing over an old one needs no new block on a full disk. */
const MARK_BYTES = 1024;
export const MAX_ENDED_EPOCHS = 8;
export const SHARED_FILE_MODE = 0o640;

export function readMark(path: string): MarkOnDisk {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (isErrno(error) && error.code === 'ENOENT') return { kind: 'missing' };
    throw new StoreUnusableError(`${path}: can't be read (${describe(error)}). Give it to the agent's user.`);
  }
  try {
    const mark = JSON.parse(text) as Partial<SequenceMark> & { check?: string };
    const { epoch, n, clean, corrupt, ended } = mark;
    if (typeof epoch !== 'string' || typeof n !== 'number' || !Number.isSafeInteger(n) || n < 0)
      throw undefined;
    if (typeof clean !== 'boolean' || typeof corrupt !== 'boolean') throw undefined;
    if (!Array.isArray(ended) || !ended.every(isSequence)) throw undefined;
    if (mark.check !== checkOf({ epoch, n, clean, corrupt, ended })) throw undefined;
    return { kind: 'read', epoch, n, clean, corrupt, ended };
  } catch {
    return { kind: 'damaged' };
  }
}

function isSequence(value: unknown): value is Sequence {
  if (typeof value !== 'object' || value === null) return false;
  const { epoch, n } = value as Partial<Sequence>;
  return typeof epoch === 'string' && typeof n === 'number' && Number.isSafeInteger(n) && n >= 0;
}

/**
 * Durable before it returns. Where a full disk refuses a second file, the old mark is written over in place; where
 * that fails too it is removed, since a missing mark begins a new epoch at the next open, and a stale one could
 * lead to a number being given twice.
 */
export function writeMark(path: string, mark: SequenceMark): void {
  const bytes = Buffer.from(encode(mark));
  try {
    const temporary = `${path}.tmp`;
    writeSynced(openSync(temporary, 'w', SHARED_FILE_MODE), bytes);
    renameSync(temporary, path);
  } catch {
    try {
      writeSynced(openSync(path, 'r+'), bytes);
    } catch {
      removeStale(path);
    }
  }
  syncDirectory(dirname(path));
}

function writeSynced(fd: number, bytes: Buffer): void {
  try {
    fchmodSync(fd, SHARED_FILE_MODE);
    let written = 0;
    while (written < bytes.length) written += writeSync(fd, bytes, written, bytes.length - written, written);
    ftruncateSync(fd, bytes.length);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function removeStale(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch (error) {
    throw new StoreUnusableError(
      `${path}: can neither be written nor removed (${describe(error)}). ` +
        'Sequence numbers would no longer be safe: make the state directory writable and start the agent again.',
    );
  }
}

export function syncDirectory(directory: string): void {
  const fd = openSync(directory, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Creates an empty file, whatever the umask; false where it was there. */
export function createFile(path: string, mode: number): boolean {
  try {
    closeSync(openSync(path, 'wx', mode));
  } catch (error) {
    if (isErrno(error) && error.code === 'EEXIST') return false;
    throw error;
  }
  chmodSync(path, mode);
  return true;
}

function encode(mark: SequenceMark): string {
  const text = JSON.stringify({ version: MARK_VERSION, ...mark, check: checkOf(mark) });
  return `${text.padEnd(MARK_BYTES - 1)}\n`;
}

/** FNV-1a, against bit flips and half-written files, not against people. */
function checkOf({ epoch, n, clean, corrupt, ended }: SequenceMark): string {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(JSON.stringify([MARK_VERSION, epoch, n, clean, corrupt, ended]))) {
    hash = Math.imul(hash ^ byte, 0x01000193);
  }
  return (hash >>> 0).toString(16).padStart(8, '0');
}

export function isErrno(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'code' in error;
}

export function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
