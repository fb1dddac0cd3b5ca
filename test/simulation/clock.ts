import type { Clock } from '../../collector/source.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

interface Timer {
  readonly atMs: number;
  readonly order: number;
  readonly owner: object;
  readonly callback: () => void;
}

/** Time that only passes when it is told to: a wall clock that can be set, and a monotonic one that cannot. */
export class SimulatedClock implements Clock {
  #monotonicMs = 0;
  #offsetMs: number;
  #order = 0;
  #timers: Timer[] = [];

  constructor(startMs: number) {
    this.#offsetMs = startMs;
  }

  nowMs(): number {
    return this.#monotonicMs + this.#offsetMs;
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  /** Somebody sets the wall clock. */
  step(ms: number): void {
    this.#offsetMs += ms;
  }

  /** @param owner whose timers end with it, see `forget` */
  setTimer(callback: () => void, ms: number, owner: object = this): () => void {
    const timer = { atMs: this.#monotonicMs + Math.max(0, ms), order: this.#order++, owner, callback };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** A process died: nothing of it happens any more. */
  forget(owner: object): void {
    this.#timers = this.#timers.filter((timer) => timer.owner !== owner);
  }

  /** Runs all that is due up to then, each with what follows from it. @param check called after each */
  async run(untilMs: number, check: () => void): Promise<void> {
    await turn();
    for (;;) {
      let next: Timer | undefined;
      for (const timer of this.#timers) {
        if (
          next === undefined ||
          timer.atMs < next.atMs ||
          (timer.atMs === next.atMs && timer.order < next.order)
        )
          next = timer;
      }
      if (next === undefined || next.atMs > untilMs) break;
      const due = next;
      this.#timers = this.#timers.filter((timer) => timer !== due);
      this.#monotonicMs = Math.max(this.#monotonicMs, due.atMs);
      due.callback();
      await turn();
      check();
    }
    this.#monotonicMs = Math.max(this.#monotonicMs, untilMs);
  }
}
