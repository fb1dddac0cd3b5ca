import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

export interface DurableOptions {
  readonly mode: number;
  /** Where several processes may write it at once: the temporary file is of this one alone. */
  readonly shared?: boolean;
  /** Owner and mode, before anybody can see it under its name. */
  readonly prepare?: (file: number) => void;
  readonly beforeRename?: () => void;
  /** false where many are written, and one `syncDirectory` follows. */
  readonly synced?: boolean;
}

/** Replaces a file as a whole: after a power cut it is the old one or the new one. On disk, name and all, when it returns. */
export function writeDurably(path: string, data: string | Uint8Array, options: DurableOptions): void {
  const { mode, shared = false, prepare, beforeRename, synced = true } = options;
  const temporary = shared ? `${path}.${process.pid}.tmp` : `${path}.tmp`;
  // What a crash has left; and nothing that somebody else has put there is written through.
  rmSync(temporary, { force: true });
  try {
    const file = openSync(temporary, 'wx', mode);
    try {
      // Not writeSync: on a disk that fills up it may write a part, and say nothing.
      writeFileSync(file, data);
      prepare?.(file);
      if (synced) fsyncSync(file);
    } finally {
      closeSync(file);
    }
    beforeRename?.();
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  if (synced) syncDirectory(dirname(path));
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
