import type { Settlement, Sink, SinkStatus } from '../../agent/sinks/sink.ts';
import type { Acknowledgement } from '../../core/protocol/acknowledgement.ts';
import { EVENT_TYPES, type StoredEvent } from '../../core/protocol/events.ts';
import type { SamplePoint } from '../../core/protocol/influx.ts';
import type { Random } from '../../core/random.ts';
import type { SimulatedClock } from './clock.ts';

export const WEATHERS = ['up', 'down', 'slow', 'halfOpen', 'lossy', 'refusing', 'busy'] as const;
export type Weather = (typeof WEATHERS)[number];

/** The far side of one sink, and the way there. It outlives the processes that talk to it. */
export class FarSide {
  readonly name: string;
  readonly clock: SimulatedClock;
  readonly random: Random;
  readonly kind: 'mqtt' | 'hub' | 'influx';
  weather: Weather = 'up';
  /** Every arrival, redeliveries too: told as it comes. */
  onEvent: (event: StoredEvent) => void = () => {};
  readonly points = new Map<number, number>();
  /** Arrivals by second of the monotonic clock. */
  readonly perSecond = new Map<number, number>();
  #connection: { lost(): void } | null = null;

  constructor(name: string, kind: FarSide['kind'], clock: SimulatedClock, random: Random) {
    this.name = name;
    this.kind = kind;
    this.clock = clock;
    this.random = random;
  }

  change(weather: Weather): void {
    this.weather = weather;
    if (weather === 'down') this.#connection?.lost();
  }

  connected(connection: { lost(): void }): void {
    this.#connection = connection;
  }

  take(event: StoredEvent): void {
    const second = Math.floor(this.clock.monotonicMs() / 1000);
    this.perSecond.set(second, (this.perSecond.get(second) ?? 0) + 1);
    this.onEvent(event);
  }
}

const TIMEOUT_MS = 30_000;
const isTombstone = (item: unknown): boolean => (item as StoredEvent).type === EVENT_TYPES.dropped;

/** A sink that keeps the contract of Sink over a simulated network. Belongs to one process. */
export class SimulatedSink implements Sink {
  readonly name: string;
  readonly kind: string;
  readonly acknowledgedLater: boolean;
  protected readonly far: FarSide;
  readonly #owner: object;
  #onReady: () => void = () => {};
  #onAcknowledged: (acknowledgement: Acknowledgement) => void = () => {};
  #up = false;
  #closed = false;
  #attempt = 0;
  /** Settles what is under way when the connection is lost. */
  #lose: (() => void) | null = null;

  constructor(far: FarSide, owner: object) {
    this.far = far;
    this.#owner = owner;
    this.name = far.name;
    this.kind = far.kind;
    this.acknowledgedLater = far.kind === 'hub';
  }

  start(onReady: () => void, onAcknowledged: (acknowledgement: Acknowledgement) => void = () => {}): void {
    this.#onReady = onReady;
    this.#onAcknowledged = onAcknowledged;
    this.#connect();
  }

  #timer(callback: () => void, ms: number): () => void {
    return this.far.clock.setTimer(callback, ms, this.#owner);
  }

  #connect(): void {
    if (this.#closed) return;
    // Over HTTP there is no connection: each request finds out.
    if (this.far.weather !== 'down' || this.far.kind === 'influx') {
      this.#up = true;
      this.#attempt = 0;
      this.far.connected({ lost: () => this.#lost() });
      this.#onReady();
      return;
    }
    const most = Math.min(60_000, 1000 * 2 ** this.#attempt++);
    this.#timer(() => this.#connect(), this.far.random.float() * most);
  }

  #lost(): void {
    if (this.far.kind === 'influx' || !this.#up || this.#closed) return;
    this.#up = false;
    this.#lose?.();
    this.#timer(() => this.#connect(), 500);
  }

  connected(): boolean {
    return this.#up && !this.#closed;
  }

  deliver(events: readonly StoredEvent[]): Promise<Settlement[]> {
    return this.exchange(events, (event) => {
      this.far.take(event);
      if (this.acknowledgedLater) this.#acknowledge(event);
    });
  }

  #acknowledge({ sequence: { epoch, n } }: StoredEvent): void {
    const { random } = this.far;
    if (random.float() < 0.1) return;
    this.#timer(() => this.#onAcknowledged({ epoch, ranges: [[n, n]] }), 100 + random.float() * 10_000);
  }

  protected exchange<T>(items: readonly T[], take: (item: T) => void): Promise<Settlement[]> {
    const { weather, random } = this.far;
    const retry = (reason: string): Settlement => ({ outcome: 'retry', reason });
    return new Promise((resolve) => {
      let cancel = (): void => {};
      const settle = (settlements: Settlement[]): void => {
        cancel();
        this.#lose = null;
        resolve(settlements);
      };
      this.#lose = () => settle(items.map(() => retry('lost')));
      const later = (ms: number, settlements: () => Settlement[]): void => {
        cancel = this.#timer(() => settle(settlements()), ms);
      };
      const arrive = (count: number): void => items.slice(0, count).forEach(take);
      const delivered = (): Settlement[] => {
        arrive(items.length);
        return items.map(() => ({ outcome: 'delivered' }));
      };
      if (weather === 'up') later(5 + random.float() * 50, delivered);
      else if (weather === 'slow') later(1000 + random.float() * 20_000, delivered);
      else if (weather === 'down') later(10, () => items.map(() => retry('refused')));
      else if (weather === 'busy')
        later(10, () => items.map(() => ({ ...retry('too often'), afterMs: 5000 }) as Settlement));
      else if (weather === 'halfOpen') {
        // They may have arrived: only the word of it is lost.
        later(TIMEOUT_MS, () => {
          if (random.float() < 0.5) arrive(items.length);
          return items.map(() => retry('no acknowledgement'));
        });
      } else if (weather === 'lossy') {
        later(50, () => {
          arrive(Math.floor(random.float() * (items.length + 1)));
          return items.map(() => retry('lost'));
        });
      } else {
        later(20, () =>
          items.map((item): Settlement => {
            // What is refused is refused for what it is; a tombstone is small and plain.
            if (random.float() < 0.2 && !isTombstone(item)) return { outcome: 'poison', reason: 'refused' };
            take(item);
            return { outcome: 'delivered' };
          }),
        );
      }
    });
  }

  telemetry(): void {}

  status(): SinkStatus {
    const { name, kind } = this;
    return { name, kind, connected: this.#up, target: name, lastError: null, connects: 1, counters: {} };
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#lose?.();
  }
}

export class SimulatedSampleSink extends SimulatedSink {
  deliverSamples(points: readonly SamplePoint[]): Promise<Settlement[]> {
    return this.exchange(points, (point) => void this.far.points.set(point.timeMs, point.samples));
  }
}
