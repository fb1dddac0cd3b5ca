import type { Clock } from '../collector/source.ts';
import type { Acknowledgement } from '../core/protocol/acknowledgement.ts';
import type { StoredEvent } from '../core/protocol/events.ts';
import { HubWindow } from './hub-window.ts';
import type { Log } from './log.ts';
import { Pace } from './pace.ts';
import type { Settlement, Sink } from './sinks/sink.ts';
import type { Store } from './store/store.ts';

const BATCH = 32;
const BACKOFF_BASE_MS = 1000;
const BACKOFF_CAP_MS = 60_000;
/** The backlog goes in parts of this, so that what is new never waits for more. */
const BACKLOG_BATCH = 8;
export const DEFAULT_BACKLOG_PER_SECOND = 20;

export interface DeliveryDependencies {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  readonly setTimer: (callback: () => void, ms: number) => () => void;
  /** Asking for what is pending may have made a tombstone, which every sink has to deliver. */
  readonly wakeAll?: () => void;
  /** Events a second, of those from before the sink was last reached. */
  readonly backlogPerSecond?: number;
  /** Told how long an event took from its sample to its acknowledgement. */
  readonly delivered?: (latencyMs: number) => void;
}

/**
 * Empties one sink's outbox: a batch at a time, settled index by index, after a failure again with full-jitter
 * backoff. It holds no events of its own: what is not settled is still in the store.
 *
 * What comes after the sink was reached goes first, at once; the backlog of an outage follows, at a limited rate.
 */
export class Delivery {
  readonly sink: Sink;
  readonly #deps: DeliveryDependencies;
  readonly #hub: HubWindow | null;
  readonly #pace: Pace;
  #running = false;
  #again = false;
  #closed = false;
  #attempt = 0;
  /** Position of the newest event when the sink was last reached: up to here it is backlog. */
  #boundary = 0;
  #backlog = true;
  #failing: string | null = null;
  #cancelBackoff: (() => void) | null = null;
  #cancelPause: (() => void) | null = null;
  #idle: (() => void)[] = [];
  delivered = 0;
  poisoned = 0;
  /** Acknowledgements of numbers that were never given: no hub has stored those. */
  strayAcknowledgements = 0;

  constructor(sink: Sink, deps: DeliveryDependencies) {
    this.sink = sink;
    this.#deps = deps;
    this.#hub = sink.acknowledgedLater === true ? new HubWindow() : null;
    const rate = deps.backlogPerSecond ?? DEFAULT_BACKLOG_PER_SECOND;
    this.#pace = new Pace(rate, BACKLOG_BATCH, deps.clock.monotonicMs());
  }

  start(): void {
    this.#reached();
    this.sink.start(
      () => {
        // A new connection is news: what the old one made us wait for no longer holds.
        this.#attempt = 0;
        this.#cancelBackoff?.();
        this.#cancelBackoff = null;
        this.#reached();
        this.wake();
      },
      (acknowledgement) => this.#acknowledged(acknowledgement),
    );
  }

  #reached(): void {
    this.#boundary = this.#deps.store.position();
    this.#backlog = true;
  }

  #acknowledged(acknowledgement: Acknowledgement): void {
    if (this.#isStray(acknowledgement)) this.strayAcknowledgements++;
    const settled = this.#hub?.acknowledged(acknowledgement) ?? [];
    if (settled.length === 0) return;
    this.#deps.store.settle(this.sink.name, settled, []);
    this.delivered += settled.length;
    for (const resolve of this.#idle.splice(0)) resolve();
    this.wake();
  }

  #isStray({ epoch, ranges }: Acknowledgement): boolean {
    const highest = ranges.reduce((most, [, to]) => Math.max(most, to), 0);
    return highest > 0 && this.#deps.store.events(highest - 1, 1, epoch).length === 0;
  }

  /** There may be something to deliver. Cheap; call it after every commit. */
  wake(): void {
    if (this.#closed) return;
    if (this.#running) {
      this.#again = true;
      return;
    }
    if (this.#cancelBackoff !== null || !this.sink.connected()) return;
    this.#running = true;
    void this.#run();
  }

  async #run(): Promise<void> {
    let sent = false;
    try {
      do {
        this.#again = false;
        while (!this.#closed && this.sink.connected() && (await this.#batch())) {
          this.#attempt = 0;
          sent = true;
        }
      } while (this.#again && !this.#closed && this.#cancelBackoff === null && this.sink.connected());
    } catch (error) {
      this.#deps.log('error', 'delivery.failed', { sink: this.sink.name, error: messageOf(error) });
      this.#backOff();
    } finally {
      this.#running = false;
      // Nobody who drains goes round without having let the network in: a hub's word would never be read.
      if (sent) for (const resolve of this.#idle.splice(0)) resolve();
    }
  }

  /** The next events to send: the new ones, then as much of the backlog as its rate allows. */
  #next(): StoredEvent[] {
    const { store, clock } = this.#deps;
    const { name } = this.sink;
    const nowMs = clock.monotonicMs();
    const hub = this.#hub;
    hub?.probe(nowMs);
    const skipped = hub?.size ?? 0;
    const waiting = (events: StoredEvent[], most: number): StoredEvent[] =>
      hub === null ? events : events.filter(({ id }) => !hub.has(id)).slice(0, most);
    const fresh = waiting(store.pending(name, BATCH + skipped, { after: this.#boundary }), BATCH);
    const pause = hub?.probeInMs(nowMs) ?? null;
    if (pause !== null) this.#pauseFor(pause);
    if (!this.#backlog || fresh.length > BATCH - BACKLOG_BATCH) return fresh;
    const room = hub?.backlogRoom(nowMs) ?? BACKLOG_BATCH;
    const most = Math.min(this.#pace.available(nowMs), room);
    if (most < 1) {
      // Room in the hub's window comes with its word, or with the next probe.
      if (room > 0) this.#pauseFor(this.#pace.waitMs(BACKLOG_BATCH / 2));
      return fresh;
    }
    const backlog = waiting(store.pending(name, most + skipped, { upTo: this.#boundary }), most);
    if (backlog.length === 0 && skipped === 0) this.#backlog = false;
    this.#pace.take(backlog.length);
    return [...fresh, ...backlog];
  }

  /** @returns whether to go on at once */
  async #batch(): Promise<boolean> {
    const { store, log } = this.#deps;
    const { name } = this.sink;
    const position = store.position();
    const events = this.#next();
    if (store.position() !== position) this.#deps.wakeAll?.();
    if (events.length === 0) return false;
    // Before, not after: the hub's word may come with the broker's, or while others of the batch are under way.
    for (const event of events) this.#hub?.sent(event, this.#deps.clock.monotonicMs());
    let settlements: readonly Settlement[] = [];
    try {
      settlements = await this.sink.deliver(events);
    } finally {
      // What is not handed over is not under way.
      for (const [i, { id }] of events.entries())
        if (settlements[i]?.outcome !== 'delivered') this.#hub?.notSent(id);
    }
    const delivered = [];
    const poisoned = [];
    let retry: { reason: string; afterMs?: number } | null = null;
    for (const [i, event] of events.entries()) {
      const settlement = settlements[i] ?? { outcome: 'retry', reason: 'not settled by the sink' };
      if (settlement.outcome === 'poison')
        poisoned.push({ sequence: event.sequence, reason: settlement.reason });
      else if (settlement.outcome === 'retry') retry = settlement;
      else if (this.#hub === null || this.#hub.taken(event.id)) {
        delivered.push(event.sequence);
        this.#deps.delivered?.(this.#deps.clock.nowMs() - event.timeMs);
      }
    }
    store.settle(name, delivered, poisoned);
    this.delivered += delivered.length;
    this.poisoned += poisoned.length;
    for (const { sequence, reason } of poisoned) {
      log('error', 'delivery.poison', { sink: name, n: sequence.n, reason });
    }
    if (retry === null) {
      if (this.#failing !== null) log('info', 'delivery.recovered', { sink: name });
      this.#failing = null;
      return true;
    }
    // Once a reason: an outage of a week is not ten thousand lines.
    if (retry.reason !== this.#failing)
      log('warning', 'delivery.retry', { sink: name, reason: retry.reason });
    this.#failing = retry.reason;
    this.#backOff(retry.afterMs);
    return false;
  }

  /** @param afterMs the far side's own word; else full jitter */
  #backOff(afterMs?: number): void {
    if (this.#closed) return;
    const most = Math.min(BACKOFF_CAP_MS, BACKOFF_BASE_MS * 2 ** Math.min(this.#attempt, 10));
    this.#attempt++;
    this.#cancelBackoff?.();
    this.#cancelBackoff = this.#deps.setTimer(
      () => {
        this.#cancelBackoff = null;
        this.#reached();
        this.wake();
      },
      (afterMs ?? 0) + this.#deps.random() * most,
    );
  }

  #pauseFor(ms: number): void {
    if (this.#closed) return;
    this.#cancelPause?.();
    this.#cancelPause = this.#deps.setTimer(() => {
      this.#cancelPause = null;
      this.wake();
    }, ms);
  }

  /** Resolves when nothing is pending any more, or at the deadline. @returns whether all was delivered */
  async drain(deadlineMs: number): Promise<boolean> {
    const { clock, store, setTimer } = this.#deps;
    const end = clock.monotonicMs() + deadlineMs;
    while (store.outbox(this.sink.name).pending > 0 && clock.monotonicMs() < end) {
      this.wake();
      await new Promise<void>((resolve) => {
        // Its end may have come since: Node warns of a negative time, in the midst of the log.
        const cancel = setTimer(resolve, Math.max(0, Math.min(100, end - clock.monotonicMs())));
        this.#idle.push(() => {
          cancel();
          resolve();
        });
      });
    }
    return store.outbox(this.sink.name).pending === 0;
  }

  async close(deadlineMs: number): Promise<void> {
    this.#closed = true;
    this.#cancelBackoff?.();
    this.#cancelBackoff = null;
    this.#cancelPause?.();
    this.#cancelPause = null;
    await this.sink.close(deadlineMs);
  }
}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
