import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { SinkConfig } from '../../agent/config/config.ts';
import type { Log } from '../../agent/log.ts';
import { HttpSinkCore } from '../../agent/sinks/http/http-sink.ts';
import { EVENT_TYPES, type EventType, type Severity, type StoredEvent } from '../../core/protocol/events.ts';
import { eventLine, hostTags } from '../../core/protocol/influx.ts';
import type { EventRow } from '../../hub/store/statements.ts';
import type { HubStore } from '../../hub/store/store.ts';

const DEFAULT_BUCKET = 'edgewood';
const CURSOR = 'influx';
const EVENTS_AT_ONCE = 500;
const EVERY_MS = 2000;
const compress = promisify(gzip);

/**
 * Events of the fleet on to InfluxDB, as each agent's own sink would write them: behind a cursor in the hub's store,
 * so that what could not be written waits there. A line that is sent again overwrites itself.
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
    this.#core.start(() => void this.#run());
  }

  async #run(): Promise<void> {
    const more = await this.#copy();
    if (!this.#closed) this.#timer = setTimeout(() => void this.#run(), more ? 0 : EVERY_MS);
  }

  /** @returns whether there is more */
  async #copy(): Promise<boolean> {
    const rows = this.#store.eventsAfter(Number(this.#store.meta(CURSOR) ?? 0), EVENTS_AT_ONCE);
    if (rows.length === 0) return false;
    const settled = await this.#core.postSplitting(rows.map(lineOf), async (lines) => ({
      path: this.#path,
      headers: {
        'content-type': 'text/plain; charset=utf-8',
        'content-encoding': 'gzip',
        ...this.#core.authorization('Token'),
      },
      body: await compress(lines.join('\n')),
    }));
    if (this.#closed) return false;
    const waiting = settled.findIndex(({ outcome }) => outcome === 'retry');
    const done = waiting < 0 ? rows.length : waiting;
    const poisoned = settled.slice(0, done).filter(({ outcome }) => outcome === 'poison').length;
    if (poisoned > 0) this.#log('warning', 'hub.influxRefused', { events: poisoned });
    if (done > 0) this.#store.setMeta(CURSOR, String((rows[done - 1] as EventRow).id));
    const held = settled[waiting];
    this.#tell(held !== undefined && 'reason' in held ? held.reason : null);
    return waiting < 0 && rows.length === EVENTS_AT_ONCE;
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

function lineOf({
  site,
  host_id: hostId,
  epoch,
  n,
  type,
  severity,
  time_ms: timeMs,
  subject,
  data,
}: EventRow): string {
  const { host } = JSON.parse(data) as { host?: { name?: unknown; labels?: unknown } };
  const labels = typeof host?.labels === 'object' && host.labels !== null ? Object.entries(host.labels) : [];
  const tags = hostTags({
    site,
    hostId,
    hostName: typeof host?.name === 'string' ? host.name : hostId,
    labels: Object.fromEntries(
      labels.filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
    ),
  });
  const event: StoredEvent = {
    sequence: { epoch, n },
    id: `${epoch}-${n}`,
    type: type as EventType,
    severity: severity as Severity | null,
    timeMs,
    subject,
    data,
  };
  try {
    return eventLine(tags, event);
  } catch {
    // It says to be an incident and is none: kept as it is.
    return eventLine(tags, { ...event, type: EVENT_TYPES.started });
  }
}
