import type { Sample } from '../core/sample.ts';
import { systemClock } from './clock.ts';
import { Faults } from './faults.ts';
import type { Clock, Source } from './source.ts';

/** Handed in, so that tests own time. The handle is whatever setTimeout gave. */
export interface Timers {
  setTimeout(callback: () => void, ms: number): unknown;
  clearTimeout(handle: unknown): void;
  setImmediate(callback: () => void): unknown;
}

export const systemTimers: Timers = {
  setTimeout: (callback, ms) => setTimeout(callback, ms),
  clearTimeout: (handle) => clearTimeout(handle as NodeJS.Timeout),
  setImmediate: (callback) => setImmediate(callback),
};

export interface SamplerOptions {
  readonly intervalMs: number;
  /** A read that takes longer is given up. Default: 80 % of the interval. */
  readonly timeoutMs?: number;
  readonly clock?: Clock;
  readonly timers?: Timers;
}

export interface SampleMeta {
  /** 0, 1, 2, …, skipped ticks included. */
  readonly tick: number;
  /** How long the read took. */
  readonly readMs: number;
  /** How late it was begun; 0 in a replay. */
  readonly lateMs: number;
  /** Ticks left out before this one. */
  readonly skippedTicks: number;
  /** Nothing could be read: all values are NaN. */
  readonly failed: boolean;
  /** Replay only. */
  readonly label: number | undefined;
}

export interface SamplerStats {
  readonly samples: number;
  readonly readMs: { readonly p50: number; readonly p95: number; readonly p99: number };
  /** readFailed, readTimedOut, readStillHanging, lateResultDiscarded, tickSkipped. */
  readonly faults: Readonly<Record<string, number>>;
  /** What the last failed read said. */
  readonly lastError: string | undefined;
}

export type OnSample = (sample: Sample, meta: SampleMeta) => void | Promise<void>;

const RING = 512;
/** A replay at full pace lets I/O and timers in after so many samples. */
const YIELD_SAMPLES = 64;
const HUNG = Symbol('hung');

/**
 * Drives an opened Source. A live source is read at start + k * interval of the monotonic clock, so that lateness
 * never adds up; ticks that passed meanwhile are skipped and counted. A read that throws or hangs gives a sample of
 * NaN; while one hangs no other is begun, and its late result is discarded. A replay sets its own pace: it is read
 * without a pause, and an error of its ends `run`, since rows can't be missed and read again.
 */
export class Sampler {
  readonly #source: Source;
  readonly #intervalMs: number;
  readonly #timeoutMs: number;
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #faults = new Faults();
  readonly #ring = new Float64Array(RING);
  #reads = 0;
  #samples = 0;
  #hanging = false;
  #ended = false;
  #lastError: string | undefined;

  constructor(source: Source, options: SamplerOptions) {
    if (!(options.intervalMs > 0)) throw new RangeError(`interval of ${options.intervalMs} ms`);
    this.#source = source;
    this.#intervalMs = options.intervalMs;
    this.#timeoutMs = options.timeoutMs ?? options.intervalMs * 0.8;
    this.#clock = options.clock ?? systemClock;
    this.#timers = options.timers ?? systemTimers;
  }

  /**
   * Resolves when the source has ended or the signal aborts; the source is the caller's to close. `onSample` is
   * awaited: two calls never overlap. What it throws, `run` rejects with.
   */
  async run(onSample: OnSample, signal?: AbortSignal): Promise<void> {
    if (this.#source.kind === 'replay') await this.#replay(onSample, signal);
    else await this.#live(onSample, signal);
  }

  async #replay(onSample: OnSample, signal: AbortSignal | undefined): Promise<void> {
    for (let tick = 0; !signal?.aborted; tick++) {
      const beganMs = this.#clock.monotonicMs();
      const sample = await this.#source.read();
      if (!sample || signal?.aborted) return;
      const readMs = this.#timed(beganMs);
      this.#samples++;
      await onSample(sample, {
        tick,
        readMs,
        lateMs: 0,
        skippedTicks: 0,
        failed: false,
        label: this.#source.label?.(),
      });
      if (tick % YIELD_SAMPLES === YIELD_SAMPLES - 1)
        await new Promise<void>((resolve) => void this.#timers.setImmediate(resolve));
    }
  }

  async #live(onSample: OnSample, signal: AbortSignal | undefined): Promise<void> {
    const startMs = this.#clock.monotonicMs();
    let tick = 0;
    let skippedTicks = 0;
    while (!signal?.aborted) {
      const dueMs = startMs + tick * this.#intervalMs;
      await this.#until(dueMs, signal);
      if (signal?.aborted) return;
      const beganMs = this.#clock.monotonicMs();
      const read = await this.#guardedRead();
      if (this.#ended || signal?.aborted) return;
      this.#samples++;
      const sample = read ?? this.#nothing();
      const readMs = this.#clock.monotonicMs() - beganMs;
      await onSample(sample, {
        tick,
        readMs,
        lateMs: beganMs - dueMs,
        skippedTicks,
        failed: !read,
        label: this.#source.label?.(),
      });
      const passed = Math.floor((this.#clock.monotonicMs() - startMs) / this.#intervalMs);
      skippedTicks = Math.max(0, passed - tick - 1);
      // The tick that is passing right now is still taken, late.
      tick += 1 + skippedTicks;
      this.#faults.add('tickSkipped', skippedTicks);
    }
  }

  /** A timer may fire a little early: asked again, so that a tick is never before its time. */
  async #until(dueMs: number, signal: AbortSignal | undefined): Promise<void> {
    for (;;) {
      const waitMs = dueMs - this.#clock.monotonicMs();
      if (waitMs <= 0 || signal?.aborted) return;
      await new Promise<void>((resolve) => {
        const done = () => {
          this.#timers.clearTimeout(handle);
          signal?.removeEventListener('abort', done);
          resolve();
        };
        const handle = this.#timers.setTimeout(done, Math.ceil(waitMs));
        signal?.addEventListener('abort', done, { once: true });
      });
    }
  }

  /** A sample, or null: nothing to be had at this tick (or, with #ended, ever again). */
  async #guardedRead(): Promise<Sample | null> {
    if (this.#hanging) {
      this.#faults.add('readStillHanging');
      return null;
    }
    let handle: unknown;
    const timeout = new Promise<typeof HUNG>((resolve) => {
      handle = this.#timers.setTimeout(() => resolve(HUNG), this.#timeoutMs);
    });
    const beganMs = this.#clock.monotonicMs();
    this.#hanging = true;
    let late = false;
    const read = this.#read().then((result) => {
      this.#hanging = false;
      if (late) this.#faults.add('lateResultDiscarded');
      if (result === 'ended') this.#ended = true;
      return result;
    });
    const result = await Promise.race([read, timeout]);
    this.#timers.clearTimeout(handle);
    this.#timed(beganMs);
    if (result === HUNG) {
      late = true;
      this.#faults.add('readTimedOut');
      return null;
    }
    return typeof result === 'string' ? null : result;
  }

  /** Never rejects: it may be left behind. */
  async #read(): Promise<Sample | 'ended' | 'failed'> {
    try {
      return (await this.#source.read()) ?? 'ended';
    } catch (error) {
      this.#faults.add('readFailed');
      this.#lastError = error instanceof Error ? error.message : String(error);
      return 'failed';
    }
  }

  #nothing(): Sample {
    const values = new Float64Array(this.#source.schema.length).fill(Number.NaN);
    return { timeMs: this.#clock.nowMs(), values };
  }

  #timed(beganMs: number): number {
    const readMs = this.#clock.monotonicMs() - beganMs;
    this.#ring[this.#reads++ % RING] = readMs;
    return readMs;
  }

  stats(): SamplerStats {
    const sorted = this.#ring.slice(0, Math.min(this.#reads, RING)).sort();
    const at = (quantile: number) =>
      sorted[Math.min(sorted.length - 1, Math.floor(quantile * sorted.length))] ?? Number.NaN;
    return {
      samples: this.#samples,
      readMs: { p50: at(0.5), p95: at(0.95), p99: at(0.99) },
      faults: this.#faults.counts(),
      lastError: this.#lastError,
    };
  }
}
