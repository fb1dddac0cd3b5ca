import {
  closeSync,
  fchmodSync,
  fchownSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';

/** null where there is none. */
export function readFile(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/**
 * Whole or not at all, on disk when it returns. A file that was there keeps its owner, group and mode: the broker's
 * user may read it still.
 * @param synced false where many are written, and one `syncFolder` follows
 */
export function replaceFile(path: string, content: string, mode: number, synced = true): void {
  const before = statSync(path, { throwIfNoEntry: false });
  const temporary = `${path}.${process.pid}.part`;
  try {
    rmSync(temporary, { force: true });
    const file = openSync(temporary, 'wx', 0o600);
    try {
      writeFileSync(file, content);
      if (before !== undefined && (before.uid !== process.getuid?.() || before.gid !== process.getgid?.()))
        fchownSync(file, before.uid, before.gid);
      fchmodSync(file, before === undefined ? mode : before.mode & 0o777);
      if (synced) fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  if (synced) syncFolder(dirname(path));
}

export function syncFolder(path: string): void {
  const folder = openSync(path, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

/**
 * A file that says which process works here. One whose process is gone is taken over.
 * @returns the process that holds it, or null where it is ours now
 */
export function lock(path: string): number | null {
  for (let tries = 0; tries < 2; tries++) {
    try {
      writeFileSync(path, `${process.pid}\n`, { flag: 'wx', mode: 0o600 });
      return null;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      const holder = Number.parseInt(readFile(path) ?? '', 10);
      if (isAlive(holder)) return holder;
      rmSync(path, { force: true });
    }
  }
  return 0;
}

function isAlive(pid: number): boolean {
  if (!(pid > 0)) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
