import type { Budget } from './model.ts';
import type { Sample } from './sample.ts';
import type { Watcher } from './watcher.ts';

/** A model that shall replace another, on the rows that both see: what each would have made of them. */

export interface ShadowSide {
  /** Samples at which some trigger was over its threshold. */
  readonly flagged: number;
  /** Incidents that opened. */
  readonly alarms: number;
}

export interface ShadowComparison {
  readonly rows: number;
  readonly candidate: ShadowSide;
  readonly current: ShadowSide;
  /** Samples of which the candidate made no number. */
  readonly notFinite: number;
  /** It gave every sample the same score. */
  readonly flat: boolean;
  /** Alarms that the budget allows for these rows, with room for chance. */
  readonly allowedAlarms: number;
}

/** Flags up to this share are no reason, whatever the other model does. */
const FREE_FLAG_SHARE = 0.01;
/** A candidate may flag this many times as often as the model that it replaces. */
const FLAG_FACTOR = 2;
const ALARM_FACTOR = 3;
/** A budget of less than one a stretch still allows so many: two are chance. */
const FREE_ALARMS = 2;
const LEAST_ROWS_TO_BE_FLAT = 40;
const DAY_MS = 86_400_000;

export class Shadow {
  readonly #candidate: Watcher;
  readonly #current: Watcher;
  readonly #flagged = [0, 0];
  readonly #alarms = [0, 0];
  #rows = 0;
  #notFinite = 0;
  #lowest = Number.POSITIVE_INFINITY;
  #highest = Number.NEGATIVE_INFINITY;

  constructor(candidate: Watcher, current: Watcher) {
    this.#candidate = candidate;
    this.#current = current;
  }

  step(sample: Sample): void {
    this.#rows++;
    const score = this.#judge(this.#candidate, sample, 0);
    this.#judge(this.#current, sample, 1);
    if (!Number.isFinite(score)) this.#notFinite++;
    else {
      this.#lowest = Math.min(this.#lowest, score);
      this.#highest = Math.max(this.#highest, score);
    }
  }

  #judge(watcher: Watcher, sample: Sample, side: number): number {
    const { score, observation, transition } = watcher.step(sample, 'open', () => 'shadow');
    const over = observation.readings.some(({ value, thresholds }) => value >= thresholds.info);
    if (over) this.#flagged[side] = (this.#flagged[side] as number) + 1;
    if (transition?.state === 'opened') this.#alarms[side] = (this.#alarms[side] as number) + 1;
    return score;
  }

  comparison(budget: Budget, intervalMs: number): ShadowComparison {
    const side = (i: number): ShadowSide => ({
      flagged: this.#flagged[i] as number,
      alarms: this.#alarms[i] as number,
    });
    const days = (this.#rows * intervalMs) / DAY_MS;
    return {
      rows: this.#rows,
      candidate: side(0),
      current: side(1),
      notFinite: this.#notFinite,
      flat: this.#rows >= LEAST_ROWS_TO_BE_FLAT && !(this.#highest > this.#lowest),
      allowedAlarms: Math.floor(ALARM_FACTOR * budget.infoPerDay * days) + FREE_ALARMS,
    };
  }
}

/** Why a candidate should not replace the model that watches; empty: it may. */
export function shadowObjections(it: ShadowComparison): string[] {
  const { rows, candidate, current } = it;
  const objections: string[] = [];
  if (it.notFinite > 0) objections.push(`no score for ${it.notFinite} of ${rows} samples`);
  if (it.flat) objections.push('the same score for every sample');
  if (candidate.flagged > FREE_FLAG_SHARE * rows && candidate.flagged > FLAG_FACTOR * current.flagged) {
    objections.push(`flags ${candidate.flagged} of ${rows} samples, the current model ${current.flagged}`);
  }
  if (candidate.alarms > it.allowedAlarms && candidate.alarms > current.alarms) {
    objections.push(`${candidate.alarms} alarms, the budget allows ${it.allowedAlarms}`);
  }
  return objections;
}
