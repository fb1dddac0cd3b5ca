import type { Budget } from '../../core/model.ts';
import type { InstallFigures } from '../../core/protocol/reported.ts';
import type { ReleaseLimits } from '../../core/protocol/trust.ts';
import type { Sample } from '../../core/sample.ts';
import { shadowObjections, Tally } from '../../core/shadow.ts';
import type { Judgement, Watcher } from '../../core/watcher.ts';

/** Judging times kept: a day has more samples than say anything new. */
const MOST_TIMES = 4096;

/** Milliseconds, the newest few thousand. */
export class Durations {
  readonly #ms: number[] = [];
  #next = 0;

  push(ms: number): void {
    this.#ms[this.#next] = ms;
    this.#next = (this.#next + 1) % MOST_TIMES;
  }

  time<T>(monotonicMs: () => number, work: () => T): T {
    const fromMs = monotonicMs();
    const result = work();
    this.push(monotonicMs() - fromMs);
    return result;
  }

  quantile(share: number): number | null {
    if (this.#ms.length === 0) return null;
    const sorted = this.#ms.toSorted((a, b) => a - b);
    return sorted[Math.floor(share * (sorted.length - 1))] ?? null;
  }
}

/**
 * Two models on the same live samples, one of them alarming. During probation the candidate runs silently beside the
 * model that watches; after the switch the model before runs silently beside it.
 */
export class LiveTrial {
  readonly tally = new Tally();
  readonly durations = new Durations();
  readonly #silent: Watcher;
  readonly #silentIs: 'candidate' | 'before';
  readonly #monotonicMs: () => number;

  constructor(silent: Watcher, silentIs: 'candidate' | 'before', monotonicMs: () => number) {
    this.#silent = silent;
    this.#silentIs = silentIs;
    this.#monotonicMs = monotonicMs;
  }

  warm(sample: Sample): void {
    this.#silent.warm(sample);
  }

  /** @param watching what the alarming model made of the same sample; null: there is none */
  step(sample: Sample, gate: 'open' | 'maintenance', watching: Judgement | null): void {
    const judge = (): Judgement => this.#silent.step(sample, gate, silentIncident);
    if (this.#silentIs === 'candidate')
      this.tally.count(this.durations.time(this.#monotonicMs, judge), watching);
    else if (watching !== null) this.tally.count(watching, judge());
  }
}

const silentIncident = (): string => 'silent';

export interface TrialTerms {
  readonly budget: Budget;
  readonly intervalMs: number;
  readonly limits: ReleaseLimits;
}

export function figuresOf(
  tally: Tally,
  durations: Durations,
  { budget, intervalMs }: TrialTerms,
  hadCurrent: boolean,
): InstallFigures {
  const { current, ...comparison } = tally.comparison(budget, intervalMs);
  return {
    ...comparison,
    current: hadCurrent ? current : null,
    disagreements: tally.disagreements,
    scoreMsP50: durations.quantile(0.5),
    scoreMsP95: durations.quantile(0.95),
  };
}

/** Why the release may not watch this host; empty: it may. */
export function trialObjections(figures: InstallFigures, { limits }: TrialTerms): string[] {
  const current = figures.current ?? { flagged: 0, alarms: 0 };
  const objections = shadowObjections({ ...figures, current }, limits.flagShare);
  const { scoreMsP50 } = figures;
  if (scoreMsP50 !== null && scoreMsP50 > limits.scoreMs) {
    objections.push(
      `scores a sample in ${scoreMsP50.toFixed(2)} ms (median), the limit is ${limits.scoreMs} ms`,
    );
  }
  return objections;
}
