import { randomBytes } from 'node:crypto';
import type { Channel } from '../../../agent/central/channel.ts';
import type { SinkConfig } from '../../../agent/config/config.ts';
import { Delivery } from '../../../agent/delivery.ts';
import { MqttSink } from '../../../agent/sinks/mqtt/mqtt-sink.ts';
import { MemoryStore } from '../../../agent/store/memory-store.ts';
import { EVENT_TYPES, type Sequence } from '../../../core/protocol/events.ts';

/** About what a real alert has: see `bench:scale`. */
const SENTENCE = 'x'.repeat(3000);

const setTimer = (callback: () => void, ms: number): (() => void) => {
  const timer = setTimeout(callback, ms);
  return () => clearTimeout(timer);
};

export interface ClientEvents {
  readonly connected: () => void;
  /** These left the outbox, each for good. */
  readonly settled?: (ids: readonly string[]) => void;
  /** For what the centre says; without it, nothing of that is heard. */
  readonly channel?: (channel: Channel) => void;
  readonly document?: (topic: string, payload: Buffer) => void;
}

/** A store that says what has left its outbox. */
class TellingStore extends MemoryStore {
  readonly #settled: NonNullable<ClientEvents['settled']>;

  constructor(settled: NonNullable<ClientEvents['settled']>) {
    super({ nowMs: Date.now, randomHex: (bytes) => randomBytes(bytes).toString('hex') });
    this.#settled = settled;
  }

  override settle(...args: Parameters<MemoryStore['settle']>): void {
    super.settle(...args);
    if (args[1].length > 0) this.#settled(args[1].map(({ epoch, n }) => `${epoch}-${n}`));
  }
}

/**
 * What of an agent faces the broker, many of them in one process: the agent's own sink, delivery and backoff over a
 * store in memory. There is no host behind it.
 */
export class ProtocolClient {
  readonly hostId: string;
  readonly sink: MqttSink;
  readonly #site: string;
  readonly #store: MemoryStore;
  readonly #delivery: Delivery;

  constructor(config: Omit<SinkConfig, 'type' | 'name'>, site: string, hostId: string, events: ClientEvents) {
    this.hostId = hostId;
    this.#site = site;
    const identity = { site, hostId, bootId: hostId, version: '0.1.0', schemaHash: '0'.repeat(16) };
    const { channel, document } = events;
    this.sink = new MqttSink({ type: 'mqtt', name: 'mqtt', ...config }, identity, {
      control: channel && {
        ready: channel,
        lost: () => {},
        document: document ?? (() => {}),
        command: () => {},
      },
      nowMs: Date.now,
      random: Math.random,
      setTimer,
      log: (_level, event) => {
        if (event === 'mqtt.connected') events.connected();
      },
    });
    this.#store = new TellingStore(events.settled ?? (() => {}));
    this.#store.registerSinks(['mqtt']);
    this.#delivery = new Delivery(this.sink, {
      store: this.#store,
      clock: { nowMs: Date.now, monotonicMs: () => performance.now() },
      random: Math.random,
      log: () => {},
      setTimer,
    });
  }

  start(): void {
    this.#delivery.start();
  }

  get pending(): number {
    return this.#store.outbox('mqtt').pending;
  }

  /** Commits an alert, as an incident does that opens. @returns its id */
  alert(): string {
    const timeMs = Date.now();
    const host = { id: this.hostId, name: this.hostId, labels: {} };
    const top = [{ feature: `cpu ${this.hostId}`, contribution: 1, share: 1 }];
    const data = (sequence: Sequence): string =>
      JSON.stringify({
        schemaVersion: 1,
        sequence,
        host,
        site: this.#site,
        state: 'opened',
        trigger: 'surprise',
        openedAt: new Date(timeMs).toISOString(),
        explanation: { top, sentence: SENTENCE },
      });
    const draft = {
      type: EVENT_TYPES.incident,
      severity: 'warning',
      timeMs,
      subject: 'incident',
      data,
    } as const;
    const [event] = this.#store.commitTransition({ events: [draft] });
    this.#delivery.wake();
    return event?.id as string;
  }

  close(): Promise<void> {
    return this.#delivery.close(0);
  }
}
