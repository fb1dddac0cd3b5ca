import type { Clock } from '../collector/source.ts';
import type { Log } from './log.ts';
import type { Sink } from './sinks/sink.ts';
import type { Store } from './store/store.ts';

const BATCH = 32;
const BACKOFF_BASE_MS = 1000;
const BACKOFF_CAP_MS = 60_000;

export interface DeliveryDependencies {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  readonly setTimer: (callback: () => void, ms: number) => () => void;
}

/**
 * Empties one sink's outbox: a batch at a time, settled index by index, after a failure again with full-jitter
 * backoff. It holds no events of its own: what is not settled is still in the store.
 */
export class Delivery {
  readonly sink: Sink;
  readonly #deps: DeliveryDependencies;
  #running = false;
  #again = false;
  #closed = false;
  #attempt = 0;
  #cancelTimer: (() => void) | null = null;
  #idle: (() => void)[] = [];
  delivered = 0;
  poisoned = 0;

  constructor(sink: Sink, deps: DeliveryDependencies) {
    this.sink = sink;
    this.#deps = deps;
  }

  start(): void {
    this.sink.start(() => {
      // A new connection is news: what the old one made us wait for no longer holds.
      this.#attempt = 0;
      this.#cancelTimer?.();
      this.#cancelTimer = null;
      this.wake();
    });
  }

  /** There may be something to deliver. Cheap; call it after every commit. */
  wake(): void {
    if (this.#closed) return;
    if (this.#running) {
      this.#again = true;
      return;
    }
    if (this.#cancelTimer !== null || !this.sink.connected()) return;
    this.#running = true;
    void this.#run();
  }

  async #run(): Promise<void> {
    try {
      do {
        this.#again = false;
        while (!this.#closed && this.sink.connected() && (await this.#batch())) this.#attempt = 0;
      } while (this.#again && !this.#closed && this.#cancelTimer === null && this.sink.connected());
    } catch (error) {
      this.#deps.log('error', 'delivery.failed', { sink: this.sink.name, error: messageOf(error) });
      this.#backOff();
    } finally {
      this.#running = false;
      for (const resolve of this.#idle.splice(0)) resolve();
    }
  }

  /** @returns whether to go on at once */
  async #batch(): Promise<boolean> {
    const { store, log } = this.#deps;
    const events = store.pending(this.sink.name, BATCH);
    if (events.length === 0) return false;
    const settlements = await this.sink.deliver(events);
    const delivered = [];
    const poisoned = [];
    let retry: string | null = null;
    for (const [i, event] of events.entries()) {
      const settlement = settlements[i] ?? { outcome: 'retry', reason: 'not settled by the sink' };
      if (settlement.outcome === 'delivered') delivered.push(event.sequence);
      else if (settlement.outcome === 'poison')
        poisoned.push({ sequence: event.sequence, reason: settlement.reason });
      else retry = settlement.reason;
    }
    store.settle(this.sink.name, delivered, poisoned);
    this.delivered += delivered.length;
    this.poisoned += poisoned.length;
    for (const { sequence, reason } of poisoned) {
      log('error', 'delivery.poison', { sink: this.sink.name, n: sequence.n, reason });
    }
    if (retry !== null) {
      log('warning', 'delivery.retry', { sink: this.sink.name, reason: retry });
      this.#backOff();
      return false;
    }
    return true;
  }

  #backOff(): void {
    if (this.#closed) return;
    const most = Math.min(BACKOFF_CAP_MS, BACKOFF_BASE_MS * 2 ** Math.min(this.#attempt, 10));
    this.#attempt++;
    this.#cancelTimer?.();
    this.#cancelTimer = this.#deps.setTimer(() => {
      this.#cancelTimer = null;
      this.wake();
    }, this.#deps.random() * most);
  }

  /** Resolves when nothing is pending any more, or at the deadline. @returns whether all was delivered */
  async drain(deadlineMs: number): Promise<boolean> {
    const { clock, store, setTimer } = this.#deps;
    const end = clock.monotonicMs() + deadlineMs;
    while (store.outbox(this.sink.name).pending > 0 && clock.monotonicMs() < end) {
      this.wake();
      await new Promise<void>((resolve) => {
        const cancel = setTimer(resolve, Math.min(100, end - clock.monotonicMs()));
        if (this.#running) {
          this.#idle.push(() => {
            cancel();
            resolve();
          });
        }
      });
    }
    return store.outbox(this.sink.name).pending === 0;
  }

  async close(deadlineMs: number): Promise<void> {
    this.#closed = true;
    this.#cancelTimer?.();
    this.#cancelTimer = null;
    await this.sink.close(deadlineMs);
  }
}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
