import type { Clock } from '../collector/source.ts';
import type { SamplePoint } from '../core/protocol/influx.ts';
import { messageOf } from './delivery.ts';
import type { Log } from './log.ts';
import type { Sink } from './sinks/sink.ts';
import { SAMPLE_IN_INCIDENT, type SampleRow, type Store } from './store/store.ts';

/** Points a request: about 100 KB of lines. */
const BATCH_POINTS = 500;
/** Samples that are this much older than the newest are of use as means only. */
const SUMMARISE_AFTER_MS = 3_600_000;
const SUMMARY_MS = 60_000;
/** Read at a time to be summarised: a minute of samples each 0.1 s fits often enough. */
const SUMMARY_ROWS = 5000;
/** Between two requests of what was left behind by an outage. */
const CATCH_UP_MS = 500;
const BACKOFF_BASE_MS = 1000;
const BACKOFF_CAP_MS = 60_000;

export interface SeriesDependencies {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  readonly setTimer: (callback: () => void, ms: number) => () => void;
  /** Older than the newest by this: only means are of use. */
  readonly summariseAfterMs?: number;
}

type SampleSink = Sink & Required<Pick<Sink, 'deliverSamples'>>;
export const takesSamples = (sink: Sink): sink is SampleSink => sink.deliverSamples !== undefined;

/**
 * Brings the stored samples to one sink. Nothing is queued: a cursor over the samples, kept in the store, says how
 * far it has come. After an outage, what is older than an hour goes as means of a minute.
 */
export class SeriesDelivery {
  readonly sink: SampleSink;
  readonly #deps: SeriesDependencies;
  readonly #key: string;
  /** Time of the last row that was settled. */
  #cursorMs: number;
  #newestMs: number;
  #running: Promise<void> | null = null;
  #closed = false;
  #attempt = 0;
  #failing: string | null = null;
  #cancelTimer: (() => void) | null = null;
  readonly figures = { points: 0, summarised: 0, refused: 0 };

  constructor(sink: SampleSink, deps: SeriesDependencies) {
    this.sink = sink;
    this.#deps = deps;
    this.#key = `series.${sink.name}`;
    this.#newestMs = deps.store.lastSamples(1)[0]?.timeMs ?? Number.NEGATIVE_INFINITY;
    const known = deps.store.getState(this.#key);
    // A sink that is new begins now: nobody has asked for the past.
    this.#cursorMs = known === null ? this.#newestMs : Number(known);
  }

  /** A sample was stored. A clock that was set back leads below the cursor: it goes along. */
  stored(timeMs: number): void {
    this.#newestMs = timeMs;
    if (timeMs <= this.#cursorMs) this.#cursorMs = timeMs - 1;
  }

  /** There may be samples to send. */
  wake(): void {
    if (this.#closed || this.#running !== null || this.#cancelTimer !== null || !this.sink.connected())
      return;
    this.#running = this.#run().finally(() => {
      this.#running = null;
    });
  }

  async #run(): Promise<void> {
    try {
      const more = await this.#batch();
      if (more) this.#after(CATCH_UP_MS);
    } catch (error) {
      this.#deps.log('error', 'series.failed', { sink: this.sink.name, error: messageOf(error) });
      this.#backOff(0);
    }
  }

  /** @returns whether there is more */
  async #batch(): Promise<boolean> {
    const { store, log } = this.#deps;
    const { points, lastMs, more } = this.#next();
    if (points.length === 0) return false;
    const settlements = await this.sink.deliverSamples(points);
    let settledMs = this.#cursorMs;
    for (const [i, point] of points.entries()) {
      const settlement = settlements[i] ?? { outcome: 'retry', reason: 'not settled by the sink' };
      if (settlement.outcome === 'retry') {
        this.#advance(settledMs);
        if (settlement.reason !== this.#failing) {
          log('warning', 'series.retry', { sink: this.sink.name, reason: settlement.reason });
        }
        this.#failing = settlement.reason;
        this.#backOff(settlement.afterMs ?? 0);
        return false;
      }
      if (settlement.outcome === 'poison') this.#refused(settlement.reason);
      this.figures.points++;
      if (point.samples > 1) this.figures.summarised += point.samples;
      settledMs = i === points.length - 1 ? lastMs : point.timeMs;
    }
    this.#advance(settledMs);
    if (this.#failing !== null) log('info', 'series.recovered', { sink: this.sink.name });
    this.#failing = null;
    this.#attempt = 0;
    store.putState(this.#key, String(this.#cursorMs));
    return more;
  }

  /** Unless the clock was set back meanwhile, which moved the cursor itself. */
  #advance(toMs: number): void {
    if (toMs <= this.#newestMs) this.#cursorMs = Math.max(this.#cursorMs, toMs);
  }

  #next(): { points: SamplePoint[]; lastMs: number; more: boolean } {
    const oldMs = this.#newestMs - (this.#deps.summariseAfterMs ?? SUMMARISE_AFTER_MS);
    const from = this.#cursorMs + 1;
    if (from < oldMs) {
      const points = summarise(take(this.#deps.store.samples(from, oldMs), SUMMARY_ROWS));
      const last = points.at(-1);
      if (last !== undefined) return { points, lastMs: last.timeMs, more: true };
    }
    const points: SamplePoint[] = [];
    for (const row of take(this.#deps.store.samples(from, this.#newestMs + 1), BATCH_POINTS)) {
      points.push(pointOf(row));
    }
    const lastMs = points.at(-1)?.timeMs ?? this.#cursorMs;
    return { points, lastMs, more: points.length === BATCH_POINTS };
  }

  #refused(reason: string): void {
    this.figures.refused++;
    // One line at 1, 2, 4, …: a server that dislikes every line can't fill a log.
    if (Number.isInteger(Math.log2(this.figures.refused))) {
      const { refused } = this.figures;
      this.#deps.log('error', 'series.refused', { sink: this.sink.name, reason, count: refused });
    }
  }

  #backOff(afterMs: number): void {
    const most = Math.min(BACKOFF_CAP_MS, BACKOFF_BASE_MS * 2 ** Math.min(this.#attempt, 10));
    this.#attempt++;
    this.#after(afterMs + this.#deps.random() * most);
  }

  #after(ms: number): void {
    if (this.#closed) return;
    this.#cancelTimer?.();
    this.#cancelTimer = this.#deps.setTimer(() => {
      this.#cancelTimer = null;
      this.wake();
    }, ms);
  }

  /** Before the store closes: sends what is left, once. */
  async finish(): Promise<void> {
    await this.#running;
    this.#cancelTimer?.();
    this.#cancelTimer = null;
    while (this.#attempt === 0 && this.sink.connected() && !this.#closed && (await this.#batch()));
    this.close();
  }

  close(): void {
    this.#closed = true;
    this.#cancelTimer?.();
    this.#cancelTimer = null;
  }
}

function* take<T>(items: Iterable<T>, count: number): Generator<T> {
  let left = count;
  if (left === 0) return;
  for (const item of items) {
    yield item;
    if (--left === 0) return;
  }
}

const pointOf = ({ timeMs, values, score, flags }: SampleRow): SamplePoint => ({
  timeMs,
  values,
  score,
  inIncident: (flags & SAMPLE_IN_INCIDENT) !== 0,
  samples: 1,
});

/** Means by the minute, each at the time of its last sample; what is missing counts in no mean. */
export function summarise(rows: Iterable<SampleRow>): SamplePoint[] {
  const points: SamplePoint[] = [];
  let minute = Number.NaN;
  let group: SampleRow[] = [];
  const close = (): void => {
    if (group.length > 0) points.push(meanOf(group));
  };
  for (const row of rows) {
    const at = Math.floor(row.timeMs / SUMMARY_MS);
    if (at !== minute) {
      close();
      group = [];
      minute = at;
    }
    group.push(row);
  }
  close();
  return points;
}

function meanOf(rows: readonly SampleRow[]): SamplePoint {
  const last = rows.at(-1) as SampleRow;
  const mean = (of: (row: SampleRow) => number): number => {
    let sum = 0;
    let count = 0;
    for (const row of rows) {
      const x = of(row);
      if (Number.isNaN(x)) continue;
      sum += x;
      count++;
    }
    return count === 0 ? Number.NaN : sum / count;
  };
  return {
    timeMs: last.timeMs,
    values: last.values.map((_, i) => mean((row) => row.values[i] as number)),
    // The highest, not the mean: it is what an alert came from.
    score: rows.reduce((most, { score }) => (score > most || Number.isNaN(most) ? score : most), Number.NaN),
    inIncident: rows.some(({ flags }) => (flags & SAMPLE_IN_INCIDENT) !== 0),
    samples: rows.length,
  };
}
