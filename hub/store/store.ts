import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Database } from 'better-sqlite3';
import type { HubAlert, HubEventType } from '../../core/protocol/hub-alerts.ts';
import { type HostState, isNews } from '../host.ts';
import type { InboundEvent, InboundReported } from '../inbound.ts';
import { reportedStateOf } from '../reported-state.ts';
import { type AlertDraft, EMPTY_WATCH, hostKey, type WatchState } from '../watch.ts';
import { type Feed, type FeedRows, Feeds } from './feeds.ts';
import { isFull, translate } from './hub-store-error.ts';
import { type Removed, removeOld } from './retention.ts';
import { DATABASE_FILE, type OpenDatabase, prepare } from './schema.ts';
import { type AlertRow, prepareStatements, type Statements } from './statements.ts';

export interface HubStoreLimits {
  readonly retentionMs: number;
  readonly maxBytes: number;
}

export interface HubStoreOptions {
  readonly openDatabase: OpenDatabase;
  readonly nowMs: () => number;
  /** For the epoch of the hub's own alerts. */
  readonly randomHex: (bytes: number) => string;
  readonly limits: HubStoreLimits;
}

/** What one transaction keeps. */
export interface Batch {
  readonly hosts: readonly HostState[];
  readonly events: readonly {
    readonly key: string;
    readonly event: InboundEvent;
    readonly receivedMs: number;
  }[];
  readonly reported: readonly {
    readonly key: string;
    readonly reported: InboundReported;
    readonly receivedMs: number;
  }[];
  readonly refusals: readonly {
    readonly site: string;
    readonly hostId: string;
    readonly reason: string;
    readonly count: number;
  }[];
}

const PAGES_PER_RUN = 2000;
/** A report that is dated later than this is from a clock that has been set since. */
const CLOCKS_APART_MS = 300_000;

/** The hub's SQLite database. One process writes; `fleet` reads beside it. */
export class HubStore {
  readonly path: string;
  readonly epoch: string;
  readonly #db: Database;
  readonly #sql: Statements;
  readonly #options: HubStoreOptions;
  /** Row of each host. */
  readonly #ids = new Map<string, number>();
  /** As they were last written. */
  readonly #written = new Map<string, HostState>();
  readonly #feeds: Feeds;
  #change: number;
  #isCopied = false;

  private constructor(path: string, db: Database, options: HubStoreOptions) {
    this.path = path;
    this.#db = db;
    this.#options = options;
    this.#sql = prepareStatements(db);
    this.#feeds = new Feeds(db);
    this.#change = this.#sql.lastChange.get() ?? 0;
    const epoch = this.#sql.meta.get('epoch');
    this.epoch =
      epoch ?? `${Math.floor(options.nowMs()).toString(36).padStart(9, '0')}${options.randomHex(3)}`;
    if (epoch === undefined) this.#sql.setMeta.run('epoch', this.epoch);
  }

  /** @throws HubStoreError */
  static open(stateDir: string, options: HubStoreOptions): HubStore {
    const path = join(stateDir, DATABASE_FILE);
    try {
      mkdirSync(stateDir, { recursive: true, mode: 0o750 });
      const db = options.openDatabase(path);
      try {
        prepare(db, path);
        return new HubStore(path, db, options);
      } catch (error) {
        db.close();
        throw error;
      }
    } catch (error) {
      throw translate(error, path);
    }
  }

  /** Every host, as it was last written. */
  load(): Map<string, HostState> {
    const hosts = new Map<string, HostState>();
    for (const { id, document } of this.#sql.hosts.all()) {
      const host = JSON.parse(document) as HostState;
      const key = hostKey(host.site, host.hostId);
      this.#ids.set(key, id);
      this.#written.set(key, host);
      hosts.set(key, host);
    }
    return hosts;
  }

  loadWatch(): WatchState {
    const text = this.#sql.meta.get('watch');
    return text === undefined ? EMPTY_WATCH : (JSON.parse(text) as WatchState);
  }

  /**
   * All of it durably (synced), or nothing.
   * @returns false where there is no room: nothing was written, and nothing may be acknowledged
   * @throws HubStoreError
   */
  write(batch: Batch): boolean {
    const change = ++this.#change;
    const reporting = new Set(batch.reported.map(({ key }) => key));
    const written = this.#durably(() => {
      for (const host of batch.hosts) {
        const key = hostKey(host.site, host.hostId);
        const news = reporting.has(key) || isNews(this.#written.get(key), host);
        const document = JSON.stringify(host);
        const id = this.#sql.saveHost.get(host.site, host.hostId, document, news ? change : 0) as number;
        this.#ids.set(key, id);
      }
      for (const { key, event, receivedMs } of batch.events) {
        const id = this.#ids.get(key) as number;
        const { epoch, n, type, severity, timeMs, subject, text } = event;
        this.#sql.addEvent.run(id, epoch, n, type, severity, Math.round(timeMs), receivedMs, subject, text);
        if (type === 'edgewood.verdict') this.#verdict(id, event);
      }
      for (const { key, reported, receivedMs } of batch.reported)
        this.#reported(this.#ids.get(key) as number, reported, receivedMs);
      for (const { site, hostId, reason, count } of batch.refusals)
        this.#sql.addRefusals.run(site, hostId, reason, count);
      this.#sql.setMeta.run('written', String(this.#options.nowMs()));
    });
    if (written) for (const host of batch.hosts) this.#written.set(hostKey(host.site, host.hostId), host);
    return written;
  }

  /** What lay at the broker may be older than what came; what comes just now is the newest, whatever its clock says. */
  #reported(host: number, { retained, atMs, text, document }: InboundReported, receivedMs: number): void {
    const before = this.#sql.reported.get(host);
    if (
      retained &&
      before !== undefined &&
      atMs < before.at_ms &&
      before.at_ms <= receivedMs + CLOCKS_APART_MS
    )
      return;
    this.#sql.saveReported.run(host, Math.round(atMs), receivedMs, text);
    const state = JSON.stringify(reportedStateOf(document));
    const known =
      before === undefined
        ? null
        : JSON.stringify(reportedStateOf(JSON.parse(before.document) as object as never));
    if (state !== known) this.#sql.addReportedChange.run(host, Math.round(atMs), receivedMs, state);
  }

  #verdict(host: number, { data, timeMs }: InboundEvent): void {
    const { incidentId, verdict, note } = data;
    if (typeof incidentId !== 'string' || typeof verdict !== 'string') return;
    const text = typeof note === 'string' ? note.slice(0, 1000) : '';
    this.#sql.saveVerdict.run(host, incidentId.slice(0, 128), verdict.slice(0, 16), text, Math.round(timeMs));
  }

  /** The hub's own alerts, numbered, and what it watches, in one. @returns false where there is no room */
  alert(drafts: readonly AlertDraft[], watch: WatchState): boolean {
    return this.#durably(() => {
      const nowMs = this.#options.nowMs();
      for (const { type, site, severity, subject, data } of drafts) {
        const { lastInsertRowid } = this.#sql.addAlert.run(type, site, severity, nowMs, subject);
        const sequence = { epoch: this.epoch, n: Number(lastInsertRowid) };
        this.#sql.setAlertData.run(JSON.stringify({ ...data, sequence }), lastInsertRowid);
      }
      this.#sql.setMeta.run('watch', JSON.stringify(watch));
      this.#sql.setMeta.run('written', String(nowMs));
    });
  }

  unpublished(limit: number): HubAlert[] {
    return this.#sql.unpublished.all(limit).map((row) => this.#alertOf(row));
  }

  #alertOf({ n, type, site, severity, time_ms, subject, data }: AlertRow): HubAlert {
    return {
      sequence: { epoch: this.epoch, n },
      type: type as HubEventType,
      site,
      severity: severity as HubAlert['severity'],
      timeMs: time_ms,
      subject,
      data: JSON.parse(data) as HubAlert['data'],
    };
  }

  published(n: number): void {
    this.#sql.setPublished.run(n);
  }

  /** From now on somebody takes what is stored: what is removed before is counted. */
  copied(): void {
    this.#isCopied = true;
  }

  /** Rows in the order of their receipt, after one that was seen: a bounded batch. */
  after<F extends Feed>(feed: F, id: number, limit: number): FeedRows[F][] {
    return this.#feeds.after(feed, id, limit);
  }

  /** The last row of a feed that was taken. */
  cursor(feed: Feed): number {
    return Number(this.#sql.meta.get(`influx.${feed}`) ?? 0);
  }

  /** @param refused rows among those that InfluxDB will never take */
  taken(feed: Feed, id: number, refused: number): void {
    this.#durably(() => {
      this.#sql.setMeta.run(`influx.${feed}`, String(id));
      this.#add('influx.refused', refused);
    });
  }

  #add(key: string, count: number): void {
    if (count > 0) this.#sql.setMeta.run(key, String(Number(this.#sql.meta.get(key) ?? 0) + count));
  }

  databaseBytes(): number {
    return (this.#sql.pageCount.get() ?? 0) * (this.#db.pragma('page_size', { simple: true }) as number);
  }

  /** By age, then by bytes, oldest first. What is known of numbers stays. */
  retain(): Removed {
    const { retentionMs, maxBytes } = this.#options.limits;
    const pageBytes = this.#db.pragma('page_size', { simple: true }) as number;
    const limits = {
      beforeMs: this.#options.nowMs() - retentionMs,
      isTooLarge: () =>
        ((this.#sql.pageCount.get() ?? 0) - (this.#sql.freePages.get() ?? 0)) * pageBytes > maxBytes,
    };
    let removed: Removed = { rows: 0, notCopied: {} };
    this.#durably(() => {
      removed = removeOld(this.#sql, limits, (feed) => (this.#isCopied ? this.cursor(feed) : null));
      const notCopied = Object.values(removed.notCopied).reduce((sum, count) => sum + count, 0);
      this.#add('influx.removed', notCopied);
    });
    if ((this.#sql.freePages.get() ?? 0) > 512) this.#db.pragma(`incremental_vacuum(${PAGES_PER_RUN})`);
    return removed;
  }

  close(): void {
    this.#db.close();
  }

  #durably(work: () => void): boolean {
    try {
      this.#db.transaction(work).immediate();
      return true;
    } catch (error) {
      if (isFull(error)) return false;
      throw translate(error, this.path);
    }
  }
}
