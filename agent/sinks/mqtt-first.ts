import { connect as connectTcp } from 'node:net';
import { type IClientOptions, MqttClient } from 'mqtt';
import type { StoredEvent } from '../../core/protocol/events.ts';
import type { SinkConfig } from '../config/config.ts';
import type { SinkIdentity } from './create.ts';
import type { Settlement, Sink, SinkStatus, Telemetry } from './sink.ts';

/** Thin first MQTT sink: plain TCP. */
export class FirstMqttSink implements Sink {
  readonly name: string;
  readonly kind = 'mqtt';
  readonly #url: URL;
  readonly #identity: SinkIdentity;
  #client: MqttClient | null = null;
  #connected = false;
  #closed = false;
  #lastError: string | null = null;
  #connects = 0;
  constructor(config: SinkConfig, identity: SinkIdentity) {
    this.name = config.name;
    this.#url = new URL(config.url ?? '');
    this.#identity = identity;
  }
  #topic(rest: string): string {
    return `edgewood/1/${this.#identity.site}/a/${this.#identity.hostId}/${rest}`;
  }
  start(onReady: () => void): void {
    if (this.#closed) return;
    const options: IClientOptions = {
      clientId: `edgewood-${this.#identity.site}-${this.#identity.hostId}`,
      protocolVersion: 4,
      reconnectPeriod: 0,
      writeCache: false,
      queueQoSZero: false,
    };
    const client = new MqttClient(() => connectTcp(Number(this.#url.port || 1883), this.#url.hostname), options);
    this.#client = client;
    client.on('connect', () => {
      this.#connected = true;
      this.#connects++;
      onReady();
    });
    client.on('error', (error) => {
      this.#lastError = error.message;
    });
    client.on('close', () => {
      this.#connected = false;
      client.end(true);
      if (!this.#closed) setTimeout(() => this.start(onReady), 1000 + Math.random() * 2000).unref();
    });
  }
  connected(): boolean {
    return this.#connected;
  }
  async deliver(events: readonly StoredEvent[]): Promise<Settlement[]> {
    return Promise.all(
      events.map(async (event) => {
        const topic = this.#topic(event.severity === null ? 'event' : `alert/${event.severity}`);
        const { hostId, site } = this.#identity;
        const payload = JSON.stringify({
          specversion: '1.0',
          id: event.id,
          source: `//edgewood/${site}/${hostId}`,
          type: event.type,
          time: new Date(event.timeMs).toISOString(),
          datacontenttype: 'application/json',
          data: JSON.parse(event.data),
        });
        try {
          await this.#client?.publishAsync(topic, payload, { qos: 1 });
          return { outcome: 'delivered' } as const;
        } catch (error) {
          return { outcome: 'retry', reason: String(error) } as const;
        }
      }),
    );
  }
  telemetry(_batch: Telemetry): void {}
  status(): SinkStatus {
    return { name: this.name, kind: this.kind, connected: this.#connected, target: this.#url.href, lastError: this.#lastError, connects: this.#connects, counters: {} };
  }
  async close(): Promise<void> {
    this.#closed = true;
    await new Promise<void>((resolve) => (this.#client === null ? resolve() : this.#client.end(false, {}, () => resolve())));
  }
}
