import { join } from 'node:path';
import { defaultStateDir } from '../../agent/config/config.ts';
import { openDatabase } from '../../agent/native.ts';
import type { OpenDatabase } from '../../hub/store/schema.ts';

/** --state-dir, EDGEWOOD_HUB_STATE_DIR, `hub` below the agent's. */
export function hubStateDir(flag: string | undefined): string {
  const named = flag ?? set('EDGEWOOD_HUB_STATE_DIR');
  return named ?? join(set('EDGEWOOD_STATE_DIR') ?? defaultStateDir(), 'hub');
}

const set = (variable: string): string | undefined => process.env[variable] || undefined;

export const openHubDatabase: OpenDatabase = (path, options = {}) =>
  openDatabase(
    path,
    options.readonly === true ? { readonly: true, fileMustExist: true, timeout: 10_000 } : {},
  );
