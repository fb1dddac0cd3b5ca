import { chownSync } from 'node:fs';

const NOBODY = 65534;

/**
 * Does it as a user whom file modes bind: root becomes nobody for as long, and the directory is nobody's.
 * @param action synchronous; anything that runs later is root's again
 */
export function unprivileged<T>(directory: string, action: () => T): T {
  if (process.geteuid?.() !== 0) return action();
  chownSync(directory, NOBODY, NOBODY);
  process.seteuid?.(NOBODY);
  try {
    return action();
  } finally {
    process.seteuid?.(0);
  }
}
