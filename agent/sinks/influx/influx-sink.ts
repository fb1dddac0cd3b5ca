import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { StoredEvent } from '../../../core/protocol/events.ts';
import {
  agentLine,
  driftLines,
  eventLine,
  hostTags,
  MEASUREMENTS,
  performanceLine,
  type SamplePoint,
  sampleLine,
  weekLine,
} from '../../../core/protocol/influx.ts';
import { lineTags } from '../../../core/protocol/line-protocol.ts';
import type { PerformanceTelemetry } from '../../../core/protocol/telemetry.ts';
import type { SinkConfig } from '../../config/config.ts';
import { encodeEvent } from '../encode.ts';
import type { HttpRequest } from '../http/http-client.ts';
import { HttpSinkCore, type HttpSinkDependencies } from '../http/http-sink.ts';
import type { Settlement, Sink, SinkContext, SinkStatus, Telemetry } from '../sink.ts';

const DEFAULT_BUCKET = 'edgewood';
/** Below this, compressing costs more than it saves. */
const GZIP_FROM_BYTES = 1000;
const compress = promisify(gzip);

/**
 * InfluxDB v2 write API (and what speaks it: VictoriaMetrics, Telegraf). Every line has its own time and tags, so a
 * batch that is sent again overwrites itself: at least once is exactly once.
 */
export class InfluxSink implements Sink {
  readonly name: string;
  readonly kind = 'influx';
  readonly #core: HttpSinkCore;
  readonly #context: SinkContext;
  readonly #host: Record<string, string>;
  readonly #tags: string;
  readonly #path: string;
  readonly #nowMs: () => number;
  /** Of the agent itself, of drift, of alarms: they ride with the next samples, and only the newest are of use. */
  #ownLines: readonly string[] = [];
  /** Of weeks that are over: as they stand there. */
  #pastWeeks: ReadonlySet<string> = new Set();

  /** @throws SinkConfigurationError for settings that can never work */
  constructor(config: SinkConfig, context: SinkContext, deps: HttpSinkDependencies) {
    this.name = config.name;
    this.#core = new HttpSinkCore(config, deps);
    this.#context = context;
    this.#nowMs = deps.nowMs;
    const { identity, hostName, labels } = context;
    this.#host = hostTags({ site: identity.site, hostId: identity.hostId, hostName, labels });
    this.#tags = lineTags(this.#host);
    const { path, query } = this.#core.endpoint;
    const target = new URLSearchParams({
      org: config.org ?? query.get('org') ?? '',
      bucket: config.bucket ?? query.get('bucket') ?? DEFAULT_BUCKET,
      precision: 'ns',
    });
    this.#path = `${path.replace(/\/$/, '')}/api/v2/write?${target}`;
  }

  start(onReady: () => void): void {
    this.#core.start(onReady);
  }

  connected(): boolean {
    return this.#core.open();
  }

  async deliver(events: readonly StoredEvent[]): Promise<Settlement[]> {
    const lines = events.map((event): string | Settlement => {
      // What no sink can send is refused by all of them alike.
      const encoded = encodeEvent(event, this.#context.identity, this.#nowMs(), false);
      return 'fault' in encoded ? { outcome: 'poison', reason: encoded.fault } : eventLine(this.#host, event);
    });
    return this.#write(lines);
  }

  async deliverSamples(points: readonly SamplePoint[]): Promise<Settlement[]> {
    const own = this.#ownLines;
    this.#ownLines = [];
    const lines: (string | Settlement)[] = points.map(
      (point) => sampleLine(this.#context.schema, this.#tags, point) ?? { outcome: 'delivered' },
    );
    const settlements = await this.#write([...lines, ...own]);
    const written = own.filter((_, i) => settlements[points.length + i]?.outcome === 'delivered');
    this.#pastWeeks = new Set([...this.#pastWeeks, ...written.filter(isWeekLine)]);
    return settlements.slice(0, points.length);
  }

  /** Sends the lines among what is given, and puts their settlements in their places. */
  async #write(lines: readonly (string | Settlement)[]): Promise<Settlement[]> {
    const texts = lines.filter((line) => typeof line === 'string');
    const settled = await this.#core.postSplitting(texts, (part) => this.#request(part));
    let at = 0;
    const settlements = lines.map((line) =>
      typeof line === 'string' ? (settled[at++] as Settlement) : line,
    );
    for (const { outcome } of settled) {
      if (outcome === 'delivered') this.#core.count('linesWritten');
      if (outcome === 'poison') this.#core.count('linesRefused');
    }
    return settlements;
  }

  async #request(lines: readonly string[]): Promise<HttpRequest> {
    const text = lines.join('\n');
    const small = text.length < GZIP_FROM_BYTES;
    const body = small ? text : await compress(text);
    return {
      path: this.#path,
      headers: {
        'content-type': 'text/plain; charset=utf-8',
        ...(!small && { 'content-encoding': 'gzip' }),
        ...this.#core.authorization('Token'),
      },
      body,
    };
  }

  telemetry({ timeMs, health, drift, performance }: Telemetry): void {
    if (this.#ownLines.length > 0) this.#core.count('telemetryDropped');
    this.#ownLines = [
      agentLine(this.#tags, timeMs, health),
      ...(drift === undefined ? [] : driftLines(this.#host, timeMs, drift)),
      ...(performance === undefined ? [] : this.#performanceLines(timeMs, performance)),
    ];
  }

  /** Old points lie in parts of a database that are at rest: those that have not changed are left alone. */
  #performanceLines(timeMs: number, performance: PerformanceTelemetry): string[] {
    const own = performanceLine(this.#tags, timeMs, performance);
    const [current, ...past] = performance.weeks.map((week) => weekLine(this.#tags, week));
    const changed = past.filter((line) => !this.#pastWeeks.has(line));
    this.#pastWeeks = new Set(past.filter((line) => this.#pastWeeks.has(line)));
    return current === undefined ? [own] : [own, current, ...changed];
  }

  status(): SinkStatus {
    return this.#core.status(this.name, this.kind);
  }

  async close(): Promise<void> {
    this.#core.close();
  }
}

const isWeekLine = (line: string): boolean => line.startsWith(`${MEASUREMENTS.week},`);
