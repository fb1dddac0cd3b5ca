import { runToEnd, type Stepwise } from '../core/features.ts';

/** Work runs in slices of this many milliseconds between samples. */
export const SLICE_MS = 8;

/** What came of it, or what was thrown. */
export type Outcome<T> = { readonly value: T } | { readonly error: unknown };

export interface BackgroundDependencies {
  readonly monotonicMs: () => number;
  readonly setImmediate: (callback: () => void) => void;
  /** A replay at full pace has no time between its samples: all is done at once. */
  readonly atOnce: boolean;
}

/** At most one piece of work at a time, in the background of a loop that must not wait. */
export class Background<T> {
  readonly #deps: BackgroundDependencies;
  #work: Stepwise<T> | null = null;

  constructor(deps: BackgroundDependencies) {
    this.#deps = deps;
  }

  get running(): boolean {
    return this.#work !== null;
  }

  /** Gives up what was under way. @param done called once, unless the work is given up */
  start(work: Stepwise<T>, done: (outcome: Outcome<T>) => void): void {
    if (this.#deps.atOnce) {
      done(toTheEnd(work));
      return;
    }
    this.#work = work;
    this.#next(work, done);
  }

  giveUp(): void {
    this.#work = null;
  }

  #next(work: Stepwise<T>, done: (outcome: Outcome<T>) => void): void {
    this.#deps.setImmediate(() => {
      if (this.#work !== work) return;
      const outcome = this.#slice(work);
      if (outcome === null) {
        this.#next(work, done);
        return;
      }
      this.#work = null;
      done(outcome);
    });
  }

  #slice(work: Stepwise<T>): Outcome<T> | null {
    const end = this.#deps.monotonicMs() + SLICE_MS;
    try {
      do {
        const step = work.next();
        if (step.done === true) return { value: step.value };
      } while (this.#deps.monotonicMs() < end);
      return null;
    } catch (error) {
      return { error };
    }
  }
}

function toTheEnd<T>(work: Stepwise<T>): Outcome<T> {
  try {
    return { value: runToEnd(work) };
  } catch (error) {
    return { error };
  }
}
