import { ForestRelative } from './forest-relative.ts';
import { type Model, NEVER, type SeverityThresholds } from './model.ts';
import type { TriggerName } from './protocol/events.ts';
import { type SurpriseState, SurpriseStream } from './surprise.ts';

/**
 * The alarm channel: what the incident reducer decides by. Two triggers share the alert budget (surprise, and the
 * forest's score relative to its recent median); two rules name what neither can see (a metric that left its
 * constant, a sensor that stands still).
 */
export interface TriggerReading {
  readonly name: TriggerName;
  value: number;
  readonly thresholds: SeverityThresholds;
  /** A rule says a thing once; a trigger is told again each hour while it stands. */
  readonly repeats: boolean;
  /** Rules only: index of the metric it speaks of, -1 where there is none. */
  metric: number;
}

/** Rules are `info`: their rarity is not known, so they never rise. */
const RULE_THRESHOLDS: SeverityThresholds = { info: 1, warning: NEVER, critical: NEVER, provisional: false };
/** Samples in a row away from its constant before a metric has left it. */
const CONSTANT_SAMPLES = 3;
/** Standing still this many times longer than ever in training is stuck. */
export const STUCK_FACTOR = 4;
export const STUCK_LEAST_SAMPLES = 60;

export interface AlarmState {
  surprise: SurpriseState;
  constantLow: (number | null)[];
  constantHigh: (number | null)[];
  away: number[];
  last: (number | null)[];
  runs: number[];
}

export class AlarmChannel {
  readonly #model: Model;
  readonly surprise: SurpriseStream;
  readonly #relative = new ForestRelative();
  /** Range that a constant metric has been seen in since: it may be left once, not every hour. */
  readonly #low: Float64Array;
  readonly #high: Float64Array;
  readonly #away: Uint32Array;
  readonly #last: Float64Array;
  readonly #runs: Uint32Array;
  readonly readings: readonly [TriggerReading, TriggerReading, TriggerReading, TriggerReading];

  constructor(model: Model) {
    this.#model = model;
    this.surprise = new SurpriseStream(model.surprise);
    this.#low = Float64Array.from(model.stillness.constants);
    this.#high = Float64Array.from(model.stillness.constants);
    const metrics = model.schema.length;
    this.#away = new Uint32Array(metrics);
    this.#last = new Float64Array(metrics).fill(Number.NaN);
    this.#runs = new Uint32Array(metrics);
    const reading = (
      name: TriggerName,
      thresholds: SeverityThresholds,
      repeats: boolean,
    ): TriggerReading => ({
      name,
      value: 0,
      thresholds,
      repeats,
      metric: -1,
    });
    this.readings = [
      reading('surprise', model.thresholds.surprise, true),
      reading('forest', model.thresholds.forest, true),
      reading('constant', RULE_THRESHOLDS, false),
      reading('stuck', RULE_THRESHOLDS, false),
    ];
  }

  /**
   * @param values raw values in the model's schema order
   * @param score the detector's score of the same sample
   * @returns the readings, reused by the next call
   */
  update(values: ArrayLike<number>, score: number): readonly TriggerReading[] {
    const [surprise, forest] = this.readings;
    surprise.value = this.surprise.update(values);
    const ratio = this.#relative.update(score);
    forest.value = Number.isNaN(ratio) ? 0 : ratio;
    this.#updateRules(values);
    return this.readings;
  }

  #updateRules(values: ArrayLike<number>): void {
    const [, , constant, stuck] = this.readings;
    const { constants, tolerances, longestRuns } = this.#model.stillness;
    constant.value = stuck.value = 0;
    constant.metric = stuck.metric = -1;
    for (let metric = 0; metric < constants.length; metric++) {
      const x = values[metric] as number;
      if (Number.isNaN(x)) continue;
      if (!Number.isNaN(constants[metric])) {
        const beyond = Math.max((this.#low[metric] as number) - x, x - (this.#high[metric] as number));
        const distance = beyond / (tolerances[metric] as number);
        const away = distance > 1 ? (this.#away[metric] as number) + 1 : 0;
        this.#away[metric] = away;
        if (away >= CONSTANT_SAMPLES && distance > constant.value) {
          constant.value = distance;
          constant.metric = metric;
        }
        continue;
      }
      const limit = longestRuns[metric] as number;
      if (limit === 0) continue;
      const run = x === this.#last[metric] ? (this.#runs[metric] as number) + 1 : 1;
      this.#last[metric] = x;
      this.#runs[metric] = run;
      const share = run / Math.max(STUCK_FACTOR * limit, STUCK_LEAST_SAMPLES);
      if (share > stuck.value) {
        stuck.value = share;
        stuck.metric = metric;
      }
    }
  }

  /** Takes a level that was told of as known: the constant rule speaks again only beyond it. */
  acknowledgeConstant(metric: number, value: number): void {
    this.#low[metric] = Math.min(this.#low[metric] as number, value);
    this.#high[metric] = Math.max(this.#high[metric] as number, value);
    this.#away[metric] = 0;
  }

  /** Forgets the recent scores after a gap. */
  afterGap(): void {
    this.#relative.reset();
  }

  state(): AlarmState {
    return {
      surprise: this.surprise.state(),
      constantLow: Array.from(this.#low),
      constantHigh: Array.from(this.#high),
      away: Array.from(this.#away),
      last: Array.from(this.#last),
      runs: Array.from(this.#runs),
    };
  }

  restore(state: AlarmState): void {
    if (state.runs.length !== this.#runs.length) return;
    this.surprise.restore(state.surprise);
    const numbers = (from: readonly (number | null)[]): number[] => from.map((x) => x ?? Number.NaN);
    this.#low.set(numbers(state.constantLow));
    this.#high.set(numbers(state.constantHigh));
    this.#away.set(state.away);
    this.#last.set(numbers(state.last));
    this.#runs.set(state.runs);
  }
}
