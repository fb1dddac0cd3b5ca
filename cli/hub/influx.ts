import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { SinkConfig } from '../../agent/config/config.ts';
import type { Log } from '../../agent/log.ts';
import { HttpSinkCore } from '../../agent/sinks/http/http-sink.ts';
import { FEEDS, type Feed } from '../../hub/store/feeds.ts';
import type { HubStore } from '../../hub/store/store.ts';
import { linesOf } from './influx-lines.ts';

const DEFAULT_BUCKET = 'edgewood';
const ROWS_AT_ONCE = 500;
const EVERY_MS = 2000;
const compress = promisify(gzip);

/**
 * What the hub stores on to InfluxDB: events as each agent's own sink would write them, reported states, the hub's own
 * alerts, samples that were fetched. Each feed is behind a cursor in the hub's store, so that what could not be written
 * waits there. A line that is sent again overwrites itself.
 */
export class InfluxCopy {
  readonly #core: HttpSinkCore;
  readonly #store: HubStore;
  readonly #log: Log;
  readonly #path: string;
  #timer: NodeJS.Timeout | null = null;
  #failing: string | null = null;
  #closed = false;

  /** @throws SinkConfigurationError for settings that can never work */
  constructor(config: SinkConfig, store: HubStore, log: Log) {
    const setTimer = (callback: () => void, ms: number): (() => void) => {
      const timer = setTimeout(callback, ms);
      return () => clearTimeout(timer);
    };
    this.#core = new HttpSinkCore(config, { nowMs: Date.now, setTimer, log });
    this.#store = store;
    this.#log = log;
    const { path, query } = this.#core.endpoint;
    const target = new URLSearchParams({
      org: query.get('org') ?? '',
      bucket: query.get('bucket') ?? DEFAULT_BUCKET,
      precision: 'ns',
    });
    this.#path = `${path.replace(/\/$/, '')}/api/v2/write?${target}`;
  }

  start(): void {
    this.#store.copied();
    this.#core.start(() => void this.#run());
  }

  async #run(): Promise<void> {
    let more = false;
    for (const feed of FEEDS) {
      if (this.#closed) return;
      const result = await this.#copy(feed);
      // The server is away: the others would wait for it as well.
      if (result === 'waits') break;
      more ||= result === 'more';
    }
    if (!this.#closed) this.#timer = setTimeout(() => void this.#run(), more ? 0 : EVERY_MS);
  }

  async #copy(feed: Feed): Promise<'more' | 'done' | 'waits'> {
    const rows = this.#store.after(feed, this.#store.cursor(feed), ROWS_AT_ONCE);
    if (rows.length === 0) return 'done';
    const lines = rows.flatMap((row, at) => linesOf(feed, row).map((line) => ({ line, at })));
    const settled = await this.#core.postSplitting(lines, async (part) => ({
      path: this.#path,
      headers: {
        'content-type': 'text/plain; charset=utf-8',
        'content-encoding': 'gzip',
        ...this.#core.authorization('Token'),
      },
      body: await compress(part.map(({ line }) => line).join('\n')),
    }));
    if (this.#closed) return 'done';
    const waiting = settled.findIndex(({ outcome }) => outcome === 'retry');
    const done = lines[waiting]?.at ?? rows.length;
    const poisoned = lines.filter(({ at }, i) => at < done && settled[i]?.outcome === 'poison');
    const refused = new Set(poisoned.map(({ at }) => at)).size;
    if (refused > 0) this.#log('warning', 'hub.influxRefused', { [feed]: refused });
    const last = rows[done - 1];
    if (last !== undefined) this.#store.taken(feed, last.id, refused);
    const held = settled[waiting];
    this.#tell(held !== undefined && 'reason' in held ? held.reason : null);
    if (waiting >= 0) return 'waits';
    // A short batch may be one of long rows: the next look tells.
    return 'more';
  }

  #tell(reason: string | null): void {
    if (reason === null && this.#failing !== null) this.#log('info', 'hub.influxRecovered');
    if (reason !== null && reason !== this.#failing) this.#log('warning', 'hub.influxRetry', { reason });
    this.#failing = reason;
  }

  close(): void {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#core.close();
  }
}
