/** How long things take: in buckets of 1/8 octave, over the last five to ten minutes, in 2 kB. */

const OCTAVES = 36;
const PER_OCTAVE = 8;
/** Lower edge of the first bucket: 0.1 µs. */
const LEAST_MS = 1e-4;
const WINDOW_MS = 5 * 60_000;

export interface Quantiles {
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
}

export class Latency {
  #now = new Uint32Array(OCTAVES * PER_OCTAVE);
  #before = new Uint32Array(OCTAVES * PER_OCTAVE);
  #begunMs = Number.NaN;
  /** Since the start. */
  count = 0;
  sumMs = 0;
  readonly #windowMs: number;

  /** @param windowMs Infinity: until it is cleared */
  constructor(windowMs = WINDOW_MS) {
    this.#windowMs = windowMs;
  }

  /** As if nothing had been recorded lately. */
  clear(): void {
    this.#now.fill(0);
    this.#before.fill(0);
  }

  /** @param atMs of the monotonic clock */
  record(ms: number, atMs: number): void {
    if (!(ms >= 0)) return;
    if (!(atMs - this.#begunMs < this.#windowMs)) this.#turn(atMs);
    this.count++;
    this.sumMs += ms;
    const bucket = Math.floor(Math.log2(Math.max(ms, LEAST_MS) / LEAST_MS) * PER_OCTAVE);
    (this.#now[Math.min(bucket, this.#now.length - 1)] as number)++;
  }

  #turn(atMs: number): void {
    const [old, now] = [this.#before, this.#now];
    // After a long pause nothing of before is recent.
    if (atMs - this.#begunMs >= 2 * this.#windowMs) now.fill(0);
    this.#before = now;
    this.#now = old.fill(0);
    this.#begunMs = atMs;
  }

  /** Milliseconds, right to 1/16 octave (4.5 %); null where nothing was recorded lately. */
  quantile(q: number): number | null {
    let total = 0;
    for (let i = 0; i < this.#now.length; i++) total += this.#both(i);
    if (total === 0) return null;
    let left = Math.ceil(q * total);
    let i = 0;
    for (; i < this.#now.length - 1; i++) {
      left -= this.#both(i);
      if (left <= 0) break;
    }
    return LEAST_MS * 2 ** ((i + 0.5) / PER_OCTAVE);
  }

  #both(i: number): number {
    return (this.#now[i] as number) + (this.#before[i] as number);
  }

  quantiles(): Quantiles {
    return { p50: this.quantile(0.5), p95: this.quantile(0.95), p99: this.quantile(0.99) };
  }
}

export const STAGES = ['sample', 'score', 'store', 'delivery', 'loopLag'] as const;
export type Stage = (typeof STAGES)[number];

/** What the agent measures of itself. */
export class Figures {
  readonly stages: Readonly<Record<Stage, Latency>> = {
    sample: new Latency(),
    score: new Latency(),
    store: new Latency(),
    /** From the sample that made an event to its acknowledgement. */
    delivery: new Latency(),
    /** How late the loop came to a sample. */
    loopLag: new Latency(),
  };

  readonly #monotonicMs: () => number;
  /** Since somebody last asked. */
  #since: Readonly<Partial<Record<Stage, Latency>>> = {};

  constructor(monotonicMs: () => number) {
    this.#monotonicMs = monotonicMs;
  }

  record(stage: Stage, ms: number): void {
    this.#record(stage, ms, this.#monotonicMs());
  }

  #record(stage: Stage, ms: number, atMs: number): void {
    this.stages[stage].record(ms, atMs);
    this.#since[stage]?.record(ms, atMs);
  }

  /** From now on, beside the rest: what was recorded of these stages between two calls of what it returns. */
  follow(stages: readonly Stage[]): () => Record<string, Quantiles> {
    this.#since = Object.fromEntries(stages.map((stage) => [stage, new Latency(Number.POSITIVE_INFINITY)]));
    return () =>
      Object.fromEntries(
        Object.entries(this.#since).map(([stage, latency]) => {
          const quantiles = latency.quantiles();
          latency.clear();
          return [stage, quantiles];
        }),
      );
  }

  /** Runs it, and records how long it took, however it ends. */
  time<T>(stage: Stage, work: () => T): T {
    const beganMs = this.#monotonicMs();
    try {
      return work();
    } finally {
      const endMs = this.#monotonicMs();
      this.#record(stage, endMs - beganMs, endMs);
    }
  }

  quantiles(): Record<Stage, Quantiles> {
    return Object.fromEntries(STAGES.map((stage) => [stage, this.stages[stage].quantiles()])) as Record<
      Stage,
      Quantiles
    >;
  }
}
