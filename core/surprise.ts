import { type Stepwise, VALUES_PER_STEP } from './features.ts';
import { exp, quantileSorted, sortedFinite } from './math.ts';
import type { MetricSchema } from './sample.ts';

/**
 * The alarm channel: how far did each metric jump from its last few minutes, against how far it jumps in normal
 * times? Does somebody have to look NOW, where the forest's score says how strange a sample is at all.
 *
 * Per metric and span w: r = |x - m|, m an exponentially weighted mean of the samples before (alpha 2 / (w + 1));
 * c = r / (q e^l), with q the 99.9 % quantile of r in training and l a slow self-silencing term that follows the
 * rate of r > q e^l. A metric's c is the mean over spans; the host's `a` the mean of its three largest c; the
 * surprise is s = 0.7 a + 0.3 s before.
 */
export interface SurpriseParameters {
  /** In samples. */
  readonly spans: readonly number[];
  readonly quantile: number;
  readonly topCount: number;
  /** Weight of the newest sample in s. */
  readonly smoothing: number;
  readonly silenceRate: number;
  readonly silenceMax: number;
}

export const SURPRISE_DEFAULTS: SurpriseParameters = {
  spans: [4, 15, 60],
  quantile: 0.999,
  topCount: 3,
  smoothing: 0.7,
  silenceRate: 0.05,
  silenceMax: 4,
};

export interface SurpriseModel {
  readonly parameters: SurpriseParameters;
  /** Jump scale, metric-major: q[metric * spans + span]. Positive. */
  readonly q: Float64Array;
}

/** What has to survive a restart; plain arrays, so that it is JSON. */
export interface SurpriseState {
  means: number[];
  silence: number[];
  s: number;
  contributions: number[];
}

/** Jumps below this share of a metric's scale are a constant's, and get a floor in their place. */
const CONSTANT_SHARE = 1e-4;
const CONSTANT_FLOOR = 0.01;

/**
 * Jump scales from training rows, never below what the schema calls noise.
 * @param columns one array a metric, in time order, NaN where missing
 * @param scales size of a full swing of each metric, > 0
 */
export function* fitSurprise(
  schema: MetricSchema,
  columns: readonly Float64Array[],
  scales: ArrayLike<number>,
  breaks: readonly number[] = [],
  parameters: SurpriseParameters = SURPRISE_DEFAULTS,
): Stepwise<SurpriseModel> {
  const spans = parameters.spans;
  const q = new Float64Array(columns.length * spans.length);
  for (let metric = 0; metric < columns.length; metric++) {
    for (let k = 0; k < spans.length; k++) {
      const { jumps, rms } = yield* measureJumps(
        columns[metric] as Float64Array,
        2 / ((spans[k] as number) + 1),
        breaks,
      );
      const scale = scales[metric] as number;
      const noise = schema[metric]?.noiseFloor ?? 0;
      q[metric * spans.length + k] =
        rms < CONSTANT_SHARE * scale
          ? Math.max(noise, CONSTANT_FLOOR * scale)
          : Math.max(noise, rms, quantileSorted(sortedFinite(jumps), parameters.quantile));
      yield;
    }
  }
  return { parameters, q };
}

/** Distances of each value from the mean of those before it; NaN where the value is missing. */
function* measureJumps(
  column: Float64Array,
  alpha: number,
  breaks: readonly number[],
): Stepwise<{ jumps: Float64Array; rms: number }> {
  const jumps = new Float64Array(column.length).fill(Number.NaN);
  let mean = Number.NaN;
  let squares = 0;
  let count = 0;
  let next = 0;
  for (let t = 0; t < column.length; t++) {
    if (t % VALUES_PER_STEP === VALUES_PER_STEP - 1) yield;
    if (t === breaks[next]) {
      mean = Number.NaN;
      next++;
    }
    const x = column[t] as number;
    if (Number.isNaN(x)) continue;
    if (Number.isNaN(mean)) mean = x;
    const jump = Math.abs(x - mean);
    jumps[t] = jump;
    squares += jump * jump;
    count++;
    mean += alpha * (x - mean);
  }
  yield;
  return { jumps, rms: count === 0 ? 0 : Math.sqrt(squares / count) };
}

/** Streams samples; `update` is the hot loop, about 1 us for 12 metrics. */
export class SurpriseStream {
  readonly #model: SurpriseModel;
  readonly #means: Float64Array;
  readonly #silence: Float64Array;
  readonly #scale: Float64Array;
  readonly #c: Float64Array;
  /** Share of each metric in s: they add up to s (base value 0). */
  readonly contributions: Float64Array;
  #s = 0;

  constructor(model: SurpriseModel) {
    this.#model = model;
    const size = model.q.length;
    const metrics = size / model.parameters.spans.length;
    this.#means = new Float64Array(size).fill(Number.NaN);
    this.#silence = new Float64Array(size);
    this.#scale = Float64Array.from(model.q);
    this.#c = new Float64Array(metrics);
    this.contributions = new Float64Array(metrics);
  }

  /** @returns s; a missing value (NaN) surprises nobody and moves nothing. */
  update(values: ArrayLike<number>): number {
    const { spans, silenceRate, silenceMax, quantile, topCount, smoothing } = this.#model.parameters;
    const c = this.#c;
    const spanCount = spans.length;
    for (let metric = 0; metric < c.length; metric++) {
      const x = values[metric] as number;
      if (Number.isNaN(x)) {
        c[metric] = 0;
        continue;
      }
      let sum = 0;
      for (let k = 0; k < spanCount; k++) {
        const i = metric * spanCount + k;
        const mean = this.#means[i] as number;
        if (Number.isNaN(mean)) {
          this.#means[i] = x;
          continue;
        }
        const jump = Math.abs(x - mean);
        const scale = this.#scale[i] as number;
        sum += jump / scale;
        const silence = this.#silence[i] as number;
        const moved = silence + silenceRate * ((jump > scale ? 1 : 0) - (1 - quantile));
        const clipped = moved < 0 ? 0 : moved > silenceMax ? silenceMax : moved;
        if (clipped !== silence) {
          this.#silence[i] = clipped;
          this.#scale[i] = (this.#model.q[i] as number) * exp(clipped);
        }
        this.#means[i] = mean + (2 / ((spans[k] as number) + 1)) * (x - mean);
      }
      c[metric] = sum / spanCount;
    }
    const kept = 1 - smoothing;
    for (let metric = 0; metric < c.length; metric++) {
      this.contributions[metric] = (this.contributions[metric] as number) * kept;
    }
    // The largest few, by repeated scans: cheaper than sorting for three of twenty, and ties go to the first.
    const top = Math.min(topCount, c.length);
    let total = 0;
    for (let k = 0; k < top; k++) {
      let best = 0;
      for (let metric = 1; metric < c.length; metric++) {
        if ((c[metric] as number) > (c[best] as number)) best = metric;
      }
      const share = c[best] as number;
      if (share < 0) break;
      total += share;
      this.contributions[best] = (this.contributions[best] as number) + (smoothing * share) / top;
      c[best] = -1;
    }
    this.#s = smoothing * (total / top) + kept * this.#s;
    return this.#s;
  }

  state(): SurpriseState {
    return {
      means: Array.from(this.#means),
      silence: Array.from(this.#silence),
      s: this.#s,
      contributions: Array.from(this.contributions),
    };
  }

  /** Takes up a saved state; JSON turns NaN into null, which means "no sample yet". */
  restore(state: SurpriseState): void {
    if (state.means.length !== this.#means.length || state.contributions.length !== this.#c.length) return;
    state.means.forEach((mean, i) => {
      this.#means[i] = mean ?? Number.NaN;
    });
    state.silence.forEach((silence, i) => {
      this.#silence[i] = silence;
      this.#scale[i] = (this.#model.q[i] as number) * exp(silence);
    });
    this.contributions.set(state.contributions);
    this.#s = state.s;
  }
}
