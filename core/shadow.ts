import type { Budget } from './model.ts';
import type { Sample } from './sample.ts';
import type { Judgement, Watcher } from './watcher.ts';

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

/** Counts what two models make of the same samples. */
export class Tally {
  readonly #flagged = [0, 0];
  readonly #alarms = [0, 0];
  #rows = 0;
  #disagreements = 0;
  #notFinite = 0;
  #lowest = Number.POSITIVE_INFINITY;
  #highest = Number.NEGATIVE_INFINITY;

  get rows(): number {
    return this.#rows;
  }

  /** Samples that one flagged, and the other did not. */
  get disagreements(): number {
    return this.#disagreements;
  }

  /** @param current null where no other model judged it */
  count(candidate: Judgement, current: Judgement | null): void {
    this.#rows++;
    const flagged = this.#side(candidate, 0);
    if (current !== null && this.#side(current, 1) !== flagged) this.#disagreements++;
    const { score } = candidate;
    if (!Number.isFinite(score)) this.#notFinite++;
    else {
      this.#lowest = Math.min(this.#lowest, score);
      this.#highest = Math.max(this.#highest, score);
    }
  }

  #side({ observation, transition }: Judgement, side: number): boolean {
    const over = observation.readings.some(({ value, thresholds }) => value >= thresholds.info);
    if (over) this.#flagged[side] = (this.#flagged[side] as number) + 1;
    if (transition?.state === 'opened') this.#alarms[side] = (this.#alarms[side] as number) + 1;
    return over;
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

/** Both models over recorded samples. */
export class Shadow {
  readonly tally = new Tally();
  readonly #candidate: Watcher;
  readonly #current: Watcher | null;
  readonly #timed: (work: () => Judgement) => Judgement;

  /** @param timed is handed what the candidate does with each sample */
  constructor(
    candidate: Watcher,
    current: Watcher | null,
    timed: (work: () => Judgement) => Judgement = (work) => work(),
  ) {
    this.#candidate = candidate;
    this.#current = current;
    this.#timed = timed;
  }

  warm(sample: Sample): void {
    this.#candidate.warm(sample);
    this.#current?.warm(sample);
  }

  step(sample: Sample): void {
    const candidate = this.#timed(() => this.#candidate.step(sample, 'open', shadowed));
    this.tally.count(candidate, this.#current?.step(sample, 'open', shadowed) ?? null);
  }
}

const shadowed = (): string => 'shadow';

/**
 * Why a candidate should not replace the model that watches; empty: it may.
 * @param freeFlagShare a share of flags that is no reason, whatever the other model does
 */
export function shadowObjections(it: ShadowComparison, freeFlagShare = FREE_FLAG_SHARE): string[] {
  const { rows, candidate, current } = it;
  const objections: string[] = [];
  if (it.notFinite > 0) objections.push(`no score for ${it.notFinite} of ${rows} samples`);
  if (it.flat) objections.push('the same score for every sample');
  if (candidate.flagged > freeFlagShare * rows && candidate.flagged > FLAG_FACTOR * current.flagged) {
    objections.push(`flags ${candidate.flagged} of ${rows} samples, the current model ${current.flagged}`);
  }
  if (candidate.alarms > it.allowedAlarms && candidate.alarms > current.alarms) {
    objections.push(`${candidate.alarms} alarms, the budget allows ${it.allowedAlarms}`);
  }
  return objections;
}
