import type { Writable } from 'node:stream';
import { toCloudEvent } from '../../core/protocol/cloudevents.ts';
import type { StoredEvent } from '../../core/protocol/events.ts';
import type { AgentIdentity } from '../../core/protocol/status.ts';
import type { Settlement, Sink, SinkStatus } from './sink.ts';

/** CloudEvents as NDJSON. An event is delivered when the stream has taken its line. */
export class StdoutSink implements Sink {
  readonly name: string;
  readonly kind = 'stdout';
  readonly #identity: AgentIdentity;
  readonly #stream: Writable;
  readonly #nowMs: () => number;
  #open = false;
  #lastError: string | null = null;

  constructor(name: string, identity: AgentIdentity, stream: Writable, nowMs: () => number) {
    this.name = name;
    this.#identity = identity;
    this.#stream = stream;
    this.#nowMs = nowMs;
  }

  start(onReady: () => void): void {
    this.#open = true;
    this.#stream.once('close', () => this.#gone('closed'));
    this.#stream.once('error', (error) => this.#gone(error.message));
    onReady();
  }

  #gone(why: string): void {
    this.#open = false;
    this.#lastError = why;
  }

  connected(): boolean {
    return this.#open && this.#stream.writable;
  }

  deliver(events: readonly StoredEvent[]): Promise<Settlement[]> {
    return Promise.all(events.map((event) => this.#write(event)));
  }

  #write(event: StoredEvent): Promise<Settlement> {
    const { site, hostId } = this.#identity;
    const line = JSON.stringify(toCloudEvent(event, { site, hostId, nowMs: this.#nowMs(), again: false }));
    return new Promise((resolve) => {
      if (!this.connected()) resolve({ outcome: 'retry', reason: this.#lastError ?? 'closed' });
      else {
        this.#stream.write(`${line}\n`, (error) => {
          if (error) this.#gone(error.message);
          resolve(error ? { outcome: 'retry', reason: error.message } : { outcome: 'delivered' });
        });
      }
    });
  }

  /** Scores are for the broker and the database; a stream of events stays one of events. */
  telemetry(): void {}

  status(): SinkStatus {
    return {
      name: this.name,
      kind: this.kind,
      connected: this.connected(),
      target: 'stdout',
      lastError: this.#lastError,
      connects: this.#open ? 1 : 0,
      counters: {},
    };
  }

  async close(): Promise<void> {
    this.#open = false;
  }
}
