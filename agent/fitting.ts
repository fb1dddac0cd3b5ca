import { runToEnd, type Stepwise } from '../core/features.ts';
import type { Model } from '../core/model.ts';

/** A fit runs in slices of this many milliseconds between samples. */
const SLICE_MS = 8;

/** What came of a fit: a model, null for too little history, or what was thrown. */
export type FitOutcome = { readonly model: Model | null } | { readonly error: unknown };

interface Dependencies {
  readonly monotonicMs: () => number;
  readonly setImmediate: (callback: () => void) => void;
}

/** At most one fit at a time, in the background of a loop that must not wait. */
export class Fitting {
  readonly #deps: Dependencies;
  #fit: Stepwise<Model | null> | null = null;

  constructor(deps: Dependencies) {
    this.#deps = deps;
  }

  get running(): boolean {
    return this.#fit !== null;
  }

  /** @param done called once, unless the fit is given up */
  start(fit: Stepwise<Model | null>, done: (outcome: FitOutcome) => void): void {
    this.#fit = fit;
    this.#next(fit, done);
  }

  /** For a replay at full pace, which has no time between its samples. */
  static atOnce(fit: Stepwise<Model | null>): FitOutcome {
    try {
      return { model: runToEnd(fit) };
    } catch (error) {
      return { error };
    }
  }

  giveUp(): void {
    this.#fit = null;
  }

  #next(fit: Stepwise<Model | null>, done: (outcome: FitOutcome) => void): void {
    this.#deps.setImmediate(() => {
      if (this.#fit !== fit) return;
      const outcome = this.#slice(fit);
      if (outcome === null) {
        this.#next(fit, done);
        return;
      }
      this.#fit = null;
      done(outcome);
    });
  }

  #slice(fit: Stepwise<Model | null>): FitOutcome | null {
    const end = this.#deps.monotonicMs() + SLICE_MS;
    try {
      do {
        const step = fit.next();
        if (step.done === true) return { model: step.value };
      } while (this.#deps.monotonicMs() < end);
      return null;
    } catch (error) {
      return { error };
    }
  }
}
