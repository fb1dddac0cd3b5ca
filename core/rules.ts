import { LevelStream } from './level-range.ts';
import type { Model, SeverityThresholds } from './model.ts';
import { NEVER } from './model.ts';
import type { TriggerName } from './protocol/events.ts';
import { isAtRest } from './stillness.ts';

/** What a trigger or rule says of a sample; over a threshold at a value above it. */
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
/** Samples in a row beyond its range before a metric has left it. */
const AWAY_SAMPLES = 3;
/** Standing still this many times longer than ever in training is stuck. */
export const STUCK_FACTOR = 4;
export const STUCK_LEAST_SAMPLES = 60;

export interface RulesState {
  /** Range that a metric has been seen in since: it may be left once, not every hour. */
  low: (number | null)[];
  high: (number | null)[];
  away: number[];
  last: (number | null)[];
  runs: number[];
  levels: { means: number[]; seen: number[] };
}

/** Three rules beside the triggers: a metric left its constant, or its range; a sensor stands still. */
export class Rules {
  readonly #model: Model;
  readonly #levels: LevelStream;
  readonly #low: Float64Array;
  readonly #high: Float64Array;
  readonly #away: Uint32Array;
  readonly #last: Float64Array;
  readonly #runs: Uint32Array;
  readonly constant = rule('constant');
  readonly range = rule('range');
  readonly stuck = rule('stuck');

  constructor(model: Model) {
    const metrics = model.schema.length;
    const { constants } = model.stillness;
    this.#model = model;
    this.#levels = new LevelStream(metrics, model.ranges.span);
    this.#low = constants.map((x, i) => (Number.isNaN(x) ? (model.ranges.lows[i] as number) : x));
    this.#high = constants.map((x, i) => (Number.isNaN(x) ? (model.ranges.highs[i] as number) : x));
    this.#away = new Uint32Array(metrics);
    this.#last = new Float64Array(metrics).fill(Number.NaN);
    this.#runs = new Uint32Array(metrics);
  }

  update(values: ArrayLike<number>): void {
    const { constants, tolerances, longestRuns } = this.#model.stillness;
    const { margins } = this.#model.ranges;
    const levels = this.#levels.update(values);
    for (const reading of [this.constant, this.range, this.stuck]) {
      reading.value = 0;
      reading.metric = -1;
    }
    for (let metric = 0; metric < constants.length; metric++) {
      const x = values[metric] as number;
      if (Number.isNaN(x)) continue;
      if (!Number.isNaN(constants[metric])) {
        this.#leaves(this.constant, metric, x, tolerances[metric] as number);
        continue;
      }
      const width = (this.#high[metric] as number) - (this.#low[metric] as number);
      this.#leaves(this.range, metric, levels[metric] as number, (margins[metric] as number) * width);
      this.#standsStill(metric, x, longestRuns[metric] as number);
    }
  }

  /** A level or width that is NaN leaves nothing. */
  #leaves(reading: TriggerReading, metric: number, x: number, tolerance: number): void {
    const beyond = Math.max((this.#low[metric] as number) - x, x - (this.#high[metric] as number));
    const distance = beyond / tolerance;
    const away = distance > 1 ? (this.#away[metric] as number) + 1 : 0;
    this.#away[metric] = away;
    if (away >= AWAY_SAMPLES && distance > reading.value) {
      reading.value = distance;
      reading.metric = metric;
    }
  }

  #standsStill(metric: number, x: number, longestRun: number): void {
    if (longestRun === 0) return;
    const run = x === this.#last[metric] ? (this.#runs[metric] as number) + 1 : 1;
    this.#last[metric] = x;
    this.#runs[metric] = run;
    if (isAtRest(this.#model.reference.metrics, metric, x)) return;
    const share = run / Math.max(STUCK_FACTOR * longestRun, STUCK_LEAST_SAMPLES);
    if (share > this.stuck.value) {
      this.stuck.value = share;
      this.stuck.metric = metric;
    }
  }

  /**
   * What was told is known from now on: a constant's rule speaks again only beyond it, a range is wider, and its
   * margin with it.
   * @param values the sample that was told of
   */
  acknowledge(name: TriggerName, values: ArrayLike<number>): void {
    if (name !== 'constant' && name !== 'range') return;
    const { metric } = this[name];
    if (metric < 0) return;
    const x = (name === 'constant' ? values[metric] : this.#levels.levels[metric]) as number;
    this.#low[metric] = Math.min(this.#low[metric] as number, x);
    this.#high[metric] = Math.max(this.#high[metric] as number, x);
    this.#away[metric] = 0;
  }

  /** After a gap the trailing means begin anew. */
  afterGap(): void {
    this.#levels.reset();
  }

  state(): RulesState {
    return {
      low: Array.from(this.#low),
      high: Array.from(this.#high),
      away: Array.from(this.#away),
      last: Array.from(this.#last),
      runs: Array.from(this.#runs),
      levels: this.#levels.state(),
    };
  }

  restore(state: RulesState): void {
    const numbers = (from: readonly (number | null)[]): number[] => from.map((x) => x ?? Number.NaN);
    this.#low.set(numbers(state.low));
    this.#high.set(numbers(state.high));
    this.#away.set(state.away);
    this.#last.set(numbers(state.last));
    this.#runs.set(state.runs);
    this.#levels.restore(state.levels);
  }
}

function rule(name: TriggerName): TriggerReading {
  return { name, value: 0, thresholds: RULE_THRESHOLDS, repeats: false, metric: -1 };
}
