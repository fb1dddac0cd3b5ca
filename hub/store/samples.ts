import { join } from 'node:path';
import type { Samples } from '../samples.ts';
import { HubStoreError, translate } from './hub-store-error.ts';
import { DATABASE_FILE, type OpenDatabase, prepare } from './schema.ts';

/**
 * Keeps samples beside the hub that may be running: one transaction. What is there of the same time is replaced.
 * @throws HubStoreError
 */
export function keepSamples(
  stateDir: string,
  openDatabase: OpenDatabase,
  { site, hostId }: { readonly site: string; readonly hostId: string },
  { metrics, rows }: Samples,
): void {
  const path = join(stateDir, DATABASE_FILE);
  try {
    const db = openDatabase(path);
    try {
      prepare(db, path);
      db.transaction(() => {
        const host = db
          .prepare<[string, string], number>('SELECT id FROM hosts WHERE site = ? AND host_id = ?')
          .pluck()
          .get(site, hostId);
        if (host === undefined) throw new HubStoreError(`${path}: the hub does not know ${site}/${hostId}`);
        const names = JSON.stringify(metrics);
        db.prepare<[string]>('INSERT OR IGNORE INTO metric_sets (names) VALUES (?)').run(names);
        const set = db
          .prepare<[string], number>('SELECT id FROM metric_sets WHERE names = ?')
          .pluck()
          .get(names);
        const add = db.prepare<[number, number, number | undefined, string]>(
          'INSERT OR REPLACE INTO samples (host, time_ms, metrics, row) VALUES (?, ?, ?, ?)',
        );
        for (const { timeMs, values } of rows) add.run(host, timeMs, set, JSON.stringify(values));
      }).immediate();
    } finally {
      db.close();
    }
  } catch (error) {
    throw translate(error, path);
  }
}
