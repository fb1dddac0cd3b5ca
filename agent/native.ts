import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { getRawAsset, isSea } from 'node:sea';
import Database from 'better-sqlite3';

/** Name of the addon among the executable's assets (build/executable.ts). */
const ASSET = 'better_sqlite3.node';

/** better-sqlite3 takes the addon as an object as well as a path; its types only know the path. */
type NativeBinding = string;

/** No directory would take the addon: the host's to mend, so it carries the exit code for bad configuration. */
export class AddonError extends Error {
  override readonly name = 'AddonError';
  readonly exitCode = 2;
}

let loaded: NativeBinding | undefined;

/**
 * Opens a database; `:memory:` too. In the packaged executable the first call loads the addon.
 *
 * @param stateDir where the addon may be put for the moment of loading it; the database's own directory unless given
 * @throws AddonError naming the directories tried, where none would take it
 */
export function openDatabase(
  path: string,
  options: Database.Options = {},
  stateDir?: string,
): Database.Database {
  const home = stateDir ?? (path === ':memory:' || path === '' ? undefined : dirname(path));
  const nativeBinding = loadSqlite(addonDirectories(home));
  return new Database(path, nativeBinding === undefined ? options : { ...options, nativeBinding });
}

/**
 * Loads the SQLite addon out of the executable: dlopen wants a file, so there is one, for some milliseconds, in a
 * directory of its own. A directory mounted noexec refuses with "failed to map segment"; then the next one is tried.
 *
 * @returns undefined outside the executable, where better-sqlite3 finds its addon by itself
 */
export function loadSqlite(candidateDirs: readonly string[]): NativeBinding | undefined {
  if (!isSea()) return undefined;
  loaded ??= loadFromFirst(candidateDirs);
  return loaded;
}

/** In order: the state directory belongs to us; the rest is for commands that have none. */
function addonDirectories(stateDir: string | undefined): string[] {
  const user = process.getuid?.();
  const own = user === undefined ? [] : [process.env.XDG_RUNTIME_DIR ?? `/run/user/${user}`];
  return [...(stateDir === undefined ? [] : [stateDir]), tmpdir(), '/dev/shm', ...own, process.cwd()];
}

function loadFromFirst(directories: readonly string[]): NativeBinding {
  const addon = new Uint8Array(getRawAsset(ASSET));
  const refusals: string[] = [];
  for (const directory of new Set(directories)) {
    try {
      return loadThrough(directory, addon);
    } catch (error) {
      refusals.push(
        `  ${directory}: ${error instanceof Error ? error.message.split('\n')[0] : String(error)}`,
      );
    }
  }
  throw new AddonError(
    'SQLite needs a directory that is writable and not mounted noexec, for a moment at start. Tried:\n' +
      `${refusals.join('\n')}\nPoint --state-dir or TMPDIR at one.`,
  );
}

function loadThrough(directory: string, addon: Uint8Array): NativeBinding {
  refuseOthersDirectory(directory);
  const folder = mkdtempSync(join(directory, '.edgewood-')); // mode 0700
  try {
    const file = join(folder, ASSET);
    writeFileSync(file, addon, { mode: 0o500, flag: 'wx' });
    const module = { exports: {} };
    process.dlopen(module, file, constants.dlopen.RTLD_NOW);
    return module.exports as unknown as NativeBinding;
  } finally {
    // The mapping outlives the name.
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Whoever owns a directory, or may rename in it, could put another file in the addon's place before dlopen. */
function refuseOthersDirectory(directory: string): void {
  const { uid, mode } = statSync(directory);
  const sticky = (mode & 0o1000) !== 0;
  if (uid !== 0 && uid !== process.getuid?.()) throw new Error('belongs to another user');
  if ((mode & 0o022) !== 0 && !sticky) throw new Error('others may write in it');
}
