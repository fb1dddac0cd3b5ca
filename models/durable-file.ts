import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/** Replaces a file as a whole: after a power cut it is the old one or the new one. On disk, name and all, when it returns. */
export function writeDurably(
  path: string,
  data: string | Uint8Array,
  mode: number,
  beforeRename: () => void = () => {},
): void {
  const temporary = `${path}.tmp`;
  try {
    const file = openSync(temporary, 'w', mode);
    try {
      // Not writeSync: on a disk that fills up it may write a part, and say nothing.
      writeFileSync(file, data);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    beforeRename();
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  syncDirectory(dirname(path));
}

/** Makes the names in it durable. */
export function syncDirectory(path: string): void {
  const directory = openSync(path, 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}
