import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Database } from 'better-sqlite3';
import type { HostState } from '../host.ts';
import { EMPTY_WATCH, type WatchState } from '../watch.ts';
import { HubAbsent, translate } from './hub-store-error.ts';
import { checkReadable, DATABASE_FILE, type OpenDatabase } from './schema.ts';
import type { AlertRow, EventRow } from './statements.ts';

export interface KnownHost {
  readonly host: HostState;
  /** The last `reported` document, as the agent wrote it; null: none came. */
  readonly reported: Readonly<Record<string, unknown>> | null;
  /** Rises with what is said of it that is new. */
  readonly change: number;
}

interface HostRow {
  readonly document: string;
  readonly reported: string | null;
  readonly changed: number;
}

const SELECT_HOSTS = `SELECT h.document, h.changed, r.document AS reported
  FROM hosts h LEFT JOIN reported r ON r.host = h.id`;

const knownHost = ({ document, reported, changed }: HostRow): KnownHost => ({
  host: JSON.parse(document) as HostState,
  reported: reported === null ? null : (JSON.parse(reported) as Record<string, unknown>),
  change: changed,
});

export interface RefusalCount {
  readonly site: string;
  readonly hostId: string;
  readonly reason: string;
  readonly count: number;
}

/** Reads a hub's database beside the hub that writes it. */
export class HubReader {
  readonly #path: string;
  readonly #db: Database;

  private constructor(path: string, db: Database) {
    this.#path = path;
    this.#db = db;
  }

  /** @throws HubStoreError */
  static open(stateDir: string, openDatabase: OpenDatabase): HubReader {
    const path = join(stateDir, DATABASE_FILE);
    if (!existsSync(path)) {
      throw new HubAbsent(
        `no hub has written to ${stateDir}. Run this on the hub's machine, and name its directory with --state-dir or EDGEWOOD_HUB_STATE_DIR.`,
      );
    }
    try {
      const db = openDatabase(path, { readonly: true });
      try {
        checkReadable(db, path);
        return new HubReader(path, db);
      } catch (error) {
        db.close();
        throw error;
      }
    } catch (error) {
      throw translate(error, path);
    }
  }

  /** Changes with every write of another process. */
  version(): number {
    return this.#db.pragma('data_version', { simple: true }) as number;
  }

  /** When the hub last wrote: it does every ten seconds. null: never. */
  writtenMs(): number | null {
    const text = this.#meta('written');
    return text === undefined ? null : Number(text);
  }

  #meta(key: string): string | undefined {
    return this.#db.prepare<[string], string>('SELECT value FROM meta WHERE key = ?').pluck().get(key);
  }

  /** What the hub watches for: silent hosts, and many with one cause. */
  watch(): WatchState {
    const text = this.#meta('watch');
    return text === undefined ? EMPTY_WATCH : (JSON.parse(text) as WatchState);
  }

  /** @param change only those of which something was said after it */
  hosts(change = -1): KnownHost[] {
    return this.#guarded(() =>
      this.#db
        .prepare<[number], HostRow>(`${SELECT_HOSTS} WHERE h.changed > ? ORDER BY h.site, h.host_id`)
        .all(change)
        .map(knownHost),
    );
  }

  host(site: string, hostId: string): KnownHost | null {
    const row = this.#db
      .prepare<[string, string], HostRow>(`${SELECT_HOSTS} WHERE h.site = ? AND h.host_id = ?`)
      .get(site, hostId);
    return row === undefined ? null : knownHost(row);
  }

  /** Rows that InfluxDB did not get: it refused them, or retention was before it. */
  notCopied(): { readonly refused: number; readonly removed: number } {
    return {
      refused: Number(this.#meta('influx.refused') ?? 0),
      removed: Number(this.#meta('influx.removed') ?? 0),
    };
  }

  /** The hub's own alerts after one, oldest first. */
  alertsAfter(n: number, limit: number): AlertRow[] {
    return this.#db
      .prepare<[number, number], AlertRow>(
        'SELECT n, type, site, severity, time_ms, subject, data FROM hub_alerts WHERE n > ? ORDER BY n LIMIT ?',
      )
      .all(n, limit);
  }

  lastAlert(): number {
    return this.#db.prepare<[], number | null>('SELECT max(n) FROM hub_alerts').pluck().get() ?? 0;
  }

  lastEvent(): number {
    return this.#db.prepare<[], number | null>('SELECT max(id) FROM events').pluck().get() ?? 0;
  }

  /** Alerts of the hosts themselves, in the order of their receipt. */
  alertsOfHostsAfter(id: number, limit: number): EventRow[] {
    return this.#db
      .prepare<[number, number], EventRow>(
        `SELECT e.id, e.epoch, e.n, e.type, e.severity, e.time_ms, e.subject, e.data, h.site, h.host_id
         FROM events e JOIN hosts h ON h.id = e.host
         WHERE e.id > ? AND e.severity IS NOT NULL ORDER BY e.id LIMIT ?`,
      )
      .all(id, limit);
  }

  refusals(): RefusalCount[] {
    return this.#db
      .prepare<[], RefusalCount>(
        'SELECT site, host_id AS hostId, reason, count FROM refusals ORDER BY count DESC, site, host_id',
      )
      .all();
  }

  #guarded<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw translate(error, this.#path);
    }
  }

  close(): void {
    this.#db.close();
  }
}
