import { fchmodSync, fchownSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { writeDurably } from '../durable-file.ts';

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
 * @param synced false where many are written, and one `syncDirectory` follows
 */
export function replaceFile(path: string, content: string, mode: number, synced = true): void {
  const before = statSync(path, { throwIfNoEntry: false });
  const prepare = (file: number): void => {
    if (before !== undefined && (before.uid !== process.getuid?.() || before.gid !== process.getgid?.()))
      fchownSync(file, before.uid, before.gid);
    fchmodSync(file, before === undefined ? mode : before.mode & 0o777);
  };
  // Nobody reads it before it has its owner.
  writeDurably(path, content, { mode: 0o600, shared: true, prepare, synced });
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
