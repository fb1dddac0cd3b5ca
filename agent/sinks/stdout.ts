import type { Writable } from 'node:stream';
import type { StoredEvent } from '../../core/protocol/events.ts';
import type { AgentIdentity } from '../../core/protocol/status.ts';
import { encodeEvent } from './encode.ts';
import type { Settlement, Sink, SinkStatus } from './sink.ts';

/**
 * CloudEvents as NDJSON. An event is delivered when the stream has taken its line; a slow reader holds back the
 * next one, so that at most one line waits in memory. A reader that went away does not come back.
 */
export class StdoutSink implements Sink {
  readonly name: string;
  readonly kind = 'stdout';
  readonly #identity: AgentIdentity;
  readonly #stream: Writable;
  readonly #nowMs: () => number;
  #open = false;
  #started = false;
  #lastError: string | null = null;
  /** Settles the line that is being written when the stream goes first. */
  #lost: ((why: string) => void) | null = null;

  constructor(name: string, identity: AgentIdentity, stream: Writable, nowMs: () => number) {
    this.name = name;
    this.#identity = identity;
    this.#stream = stream;
    this.#nowMs = nowMs;
  }

  start(onReady: () => void): void {
    this.#open = true;
    this.#started = true;
    this.#stream.once('close', () => this.#gone('the reader has gone'));
    // Stays for good: process.stdout tells of EPIPE again at each write, and an unheard error ends the process.
    this.#stream.on('error', (error) => this.#gone(error.message));
    onReady();
  }

  #gone(why: string): void {
    if (!this.#open) return;
    this.#open = false;
    this.#lastError = why;
    this.#lost?.(why);
  }

  connected(): boolean {
    return this.#open && this.#stream.writable;
  }

  async deliver(events: readonly StoredEvent[]): Promise<Settlement[]> {
    const settlements: Settlement[] = [];
    for (const event of events) settlements.push(await this.#write(event));
    return settlements;
  }

  #write(event: StoredEvent): Promise<Settlement> {
    const encoded = encodeEvent(event, this.#identity, this.#nowMs(), false);
    if ('fault' in encoded) return Promise.resolve({ outcome: 'poison', reason: encoded.fault });
    if (!this.connected()) return Promise.resolve({ outcome: 'retry', reason: this.#lastError ?? 'closed' });
    return new Promise((resolve) => {
      const settle = (settlement: Settlement): void => {
        this.#lost = null;
        resolve(settlement);
      };
      this.#lost = (reason) => settle({ outcome: 'retry', reason });
      this.#stream.write(`${encoded.text}\n`, (error) => {
        if (error) this.#gone(error.message);
        else settle({ outcome: 'delivered' });
      });
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
      connects: this.#started ? 1 : 0,
      counters: {},
    };
  }

  /** The stream is the process's own: it is left open. */
  async close(): Promise<void> {
    this.#gone('closed');
  }
}
