import { ForestRelative } from './forest-relative.ts';
import { type Model, NEVER, type SeverityThresholds } from './model.ts';
import type { TriggerName } from './protocol/events.ts';
import { Rules, type RulesState, type TriggerReading } from './rules.ts';
import { type SurpriseState, SurpriseStream } from './surprise.ts';

export interface AlarmState {
  surprise: SurpriseState;
  rules: RulesState;
}

/**
 * The alarm channel: what the incident reducer decides by. Two triggers share the alert budget (surprise, and the
 * forest's score relative to its recent median), or a third cuts the score as it is (a model with a contamination);
 * the rules name what none of them can see.
 */
export class AlarmChannel {
  readonly #metrics: number;
  readonly surprise: SurpriseStream;
  readonly #relative = new ForestRelative();
  readonly #rules: Rules;
  readonly #surprise: TriggerReading;
  readonly #forest: TriggerReading;
  readonly #score: TriggerReading;
  /** surprise, forest (or score), constant, range, stuck. */
  readonly readings: readonly TriggerReading[];

  constructor(model: Model) {
    this.#metrics = model.schema.length;
    this.surprise = new SurpriseStream(model.surprise);
    this.#rules = new Rules(model);
    this.#surprise = trigger('surprise', model.thresholds.surprise);
    this.#forest = trigger('forest', model.thresholds.forest);
    this.#score = trigger('score', model.thresholds.score);
    this.readings = [
      ...(cutsScore(model) ? [this.#score] : [this.#surprise, this.#forest]),
      this.#rules.constant,
      this.#rules.range,
      this.#rules.stuck,
    ];
  }

  /**
   * @param values raw values in the model's schema order
   * @param score the detector's score of the same sample
   * @returns the readings, reused by the next call
   */
  update(values: ArrayLike<number>, score: number): readonly TriggerReading[] {
    this.#score.value = score;
    this.#surprise.value = this.surprise.update(values);
    const ratio = this.#relative.update(score);
    this.#forest.value = Number.isNaN(ratio) ? 0 : ratio;
    this.#rules.update(values);
    return this.readings;
  }

  get surpriseValue(): number {
    return this.#surprise.value;
  }

  /** A rule was told of, at this sample: it does not say the same again. */
  acknowledge(name: TriggerName, values: ArrayLike<number>): void {
    this.#rules.acknowledge(name, values);
  }

  /** Forgets the recent scores and levels after a gap. */
  afterGap(): void {
    this.#relative.reset();
    this.#rules.afterGap();
  }

  state(): AlarmState {
    return { surprise: this.surprise.state(), rules: this.#rules.state() };
  }

  restore(state: AlarmState): void {
    if (state.rules.runs.length !== this.#metrics) return;
    this.surprise.restore(state.surprise);
    this.#rules.restore(state.rules);
  }
}

/** An imported forest may have a threshold, and nobody knows the share that it cuts off. */
const cutsScore = ({ contamination, thresholds }: Model): boolean =>
  contamination !== null || thresholds.score.info < NEVER;

function trigger(name: TriggerName, thresholds: SeverityThresholds): TriggerReading {
  return { name, value: 0, thresholds, repeats: true, metric: -1 };
}
