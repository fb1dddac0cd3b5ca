import { type IClientOptions, type IClientPublishOptions, MqttClient } from 'mqtt';
import { CLOUDEVENTS_CONTENT_TYPE, toCloudEvent } from '../../../core/protocol/cloudevents.ts';
import type { StoredEvent } from '../../../core/protocol/events.ts';
import { parseInbound } from '../../../core/protocol/inbound.ts';
import {
  ALERT_EXPIRY_SECONDS,
  MAX_EVENT_BYTES,
  MAX_INBOUND_PACKET_BYTES,
  MAX_TELEMETRY_BYTES,
  TELEMETRY_EXPIRY_SECONDS,
} from '../../../core/protocol/limits.ts';
import { type AgentIdentity, statusDocument } from '../../../core/protocol/status.ts';
import { type AgentTopics, agentTopics } from '../../../core/protocol/topics.ts';
import type { SinkConfig } from '../../config/config.ts';
import type { Log } from '../../log.ts';
import type { Settlement, Sink, SinkStatus, Telemetry } from '../sink.ts';
import { PacketGuard } from './guard.ts';
import {
  describeFailure,
  type Endpoint,
  isVersionRefusal,
  openStream,
  parseEndpoint,
  readSecret,
} from './transport.ts';

const BACKOFF_BASE_MS = 1000;
const BACKOFF_CAP_MS = 60_000;
const CONNECT_TIMEOUT_MS = 15_000;
const KEEPALIVE_SECONDS = 30;
const SESSION_EXPIRY_SECONDS = 86_400;
const IN_FLIGHT = 16;
/** Telemetry is dropped rather than queued behind so many unsent bytes. */
const TELEMETRY_BACKLOG_BYTES = 256 * 1024;
/** PUBACK codes that say "never", MQTT 5 section 3.4.2.1: topic name, packet too large, payload format. */
const POISON_CODES: ReadonlySet<number> = new Set([144, 149, 153]);

export interface MqttSinkDependencies {
  readonly nowMs: () => number;
  readonly random: () => number;
  readonly setTimer: (callback: () => void, ms: number) => () => void;
  readonly log: Log;
}

interface Connection {
  readonly client: MqttClient;
  /** Settles what is open when the connection goes. */
  readonly lost: Set<() => void>;
}

/**
 * MQTT 5 (3.1.1 where that is refused) over TCP or TLS. A client of mqtt.js lives for one connection: it never
 * reconnects by itself and keeps no outbox, so that what was not acknowledged is only ever in ours.
 */
export class MqttSink implements Sink {
  readonly name: string;
  readonly kind = 'mqtt';
  readonly #config: SinkConfig;
  readonly #endpoint: Endpoint;
  readonly #identity: AgentIdentity;
  readonly #topics: AgentTopics;
  readonly #deps: MqttSinkDependencies;
  readonly #counters: Record<string, number> = {};
  /** Sent in an earlier try and not acknowledged: said again as `replayed`. */
  readonly #unacknowledged = new Set<string>();
  #tls: typeof import('node:tls') | null = null;
  #connection: Connection | null = null;
  #ready = false;
  #onReady: () => void = () => {};
  #cancelTimer: (() => void) | null = null;
  #closed = false;
  #attempt = 0;
  #connects = 0;
  #version: 4 | 5;
  /** The next session begins anew: the old one holds a packet that would be cut again. */
  #cleanNext = false;
  #lastError: string | null = null;

  /** @throws SinkConfigurationError for settings that can never work */
  constructor(config: SinkConfig, identity: AgentIdentity, deps: MqttSinkDependencies) {
    this.name = config.name;
    this.#config = config;
    this.#endpoint = parseEndpoint(config);
    this.#identity = identity;
    this.#topics = agentTopics(identity.site, identity.hostId);
    this.#deps = deps;
    this.#version = config.protocolVersion ?? 5;
    // Unreadable files are told at start, not at the first night.
    readSecret(config, 'usernameFile');
    readSecret(config, 'passwordFile');
  }

  start(onReady: () => void): void {
    this.#onReady = onReady;
    void this.#connect();
  }

  connected(): boolean {
    return this.#ready;
  }

  async #connect(): Promise<void> {
    if (this.#closed) return;
    if (this.#endpoint.tls) this.#tls ??= await import('node:tls');
    try {
      this.#open();
    } catch (error) {
      this.#fail(error);
      this.#scheduleReconnect();
    }
  }

  #options(): IClientOptions {
    const { site, hostId } = this.#identity;
    const password = readSecret(this.#config, 'passwordFile');
    const username = readSecret(this.#config, 'usernameFile') ?? this.#config.username;
    return {
      clientId: `edgewood-${site}-${hostId}`,
      protocolVersion: this.#version,
      clean: this.#cleanNext,
      keepalive: KEEPALIVE_SECONDS,
      connectTimeout: CONNECT_TIMEOUT_MS,
      reconnectPeriod: 0,
      resubscribe: false,
      queueQoSZero: false,
      writeCache: false,
      ...(username !== undefined && { username }),
      ...(password !== undefined && { password }),
      ...(this.#version === 5 && {
        properties: {
          sessionExpiryInterval: SESSION_EXPIRY_SECONDS,
          maximumPacketSize: MAX_INBOUND_PACKET_BYTES,
        },
      }),
      will: {
        topic: this.#topics.status,
        payload: Buffer.from(JSON.stringify(statusDocument(this.#identity, false, null))),
        qos: 1,
        retain: true,
      },
    };
  }

  #open(): void {
    const guard = new PacketGuard(MAX_INBOUND_PACKET_BYTES);
    const stream = openStream(this.#config, this.#endpoint, this.#tls);
    let answered = false;
    stream.on('data', (chunk: Buffer) => {
      answered = true;
      const fault = guard.check(chunk);
      if (fault === null) return;
      this.#count(`${fault}Packets`);
      this.#cleanNext = true;
      this.#deps.log('warning', 'mqtt.packetRefused', {
        sink: this.name,
        fault,
        maximumBytes: MAX_INBOUND_PACKET_BYTES,
      });
      stream.destroy();
    });
    const client = new MqttClient(() => stream, this.#options());
    const connection: Connection = { client, lost: new Set() };
    this.#connection = connection;
    let failure: unknown = null;
    client.on('error', (error) => {
      failure ??= error;
    });
    client.on('connect', () => {
      this.#greet(connection).catch((error: unknown) => {
        failure ??= error;
        stream.destroy();
      });
    });
    client.on('message', (topic, payload, packet) => this.#onMessage(topic, payload, packet.retain));
    client.once('close', () => {
      // A broker that shuts the door right after CONNECT may not know version 5: the next try speaks the other one.
      const wasReady = this.#ready && this.#connection === connection;
      if (!wasReady && (isVersionRefusal(failure) || (stream.bytesWritten > 0 && !answered)))
        this.#tryOtherVersion();
      this.#lose(connection);
      if (failure !== null || !wasReady) this.#fail(failure ?? new Error('the broker closed the connection'));
      this.#scheduleReconnect();
    });
  }

  #tryOtherVersion(): void {
    if (this.#config.protocolVersion !== undefined) return;
    this.#version = this.#version === 5 ? 4 : 5;
    this.#deps.log('info', 'mqtt.version', { sink: this.name, trying: this.#version === 5 ? '5' : '3.1.1' });
  }

  /** Says that the agent is here, subscribes, and only then lets events through. */
  async #greet(connection: Connection): Promise<void> {
    const birth = statusDocument(this.#identity, true, this.#deps.nowMs());
    await connection.client.publishAsync(this.#topics.status, JSON.stringify(birth), {
      qos: 1,
      retain: true,
    });
    const granted = await connection.client.subscribeAsync([...this.#topics.subscriptions], { qos: 1 });
    for (const { topic, qos } of granted) {
      if (qos >= 128) this.#deps.log('warning', 'mqtt.subscriptionRefused', { sink: this.name, topic });
    }
    if (this.#connection !== connection || this.#closed) return;
    this.#ready = true;
    this.#cleanNext = false;
    this.#attempt = 0;
    this.#connects++;
    this.#lastError = null;
    this.#deps.log('info', 'mqtt.connected', {
      sink: this.name,
      target: this.#endpoint.target,
      version: this.#version === 5 ? '5' : '3.1.1',
    });
    this.#onReady();
  }

  #lose(connection: Connection): void {
    if (this.#connection === connection) {
      this.#connection = null;
      this.#ready = false;
    }
    for (const settle of connection.lost) settle();
    connection.lost.clear();
    connection.client.end(true);
  }

  #fail(error: unknown): void {
    const words = describeFailure(error, this.#endpoint);
    this.#count('connectFailures');
    // The same failure every minute is one line, not a log full.
    if (words !== this.#lastError)
      this.#deps.log('warning', 'mqtt.disconnected', { sink: this.name, error: words });
    this.#lastError = words;
  }

  #scheduleReconnect(): void {
    if (this.#closed) return;
    const most = Math.min(BACKOFF_CAP_MS, BACKOFF_BASE_MS * 2 ** Math.min(this.#attempt, 10));
    this.#attempt++;
    this.#cancelTimer?.();
    this.#cancelTimer = this.#deps.setTimer(() => {
      this.#cancelTimer = null;
      void this.#connect();
    }, this.#deps.random() * most);
  }

  #onMessage(topic: string, payload: Buffer, retained: boolean): void {
    const inbound = parseInbound(topic, payload, retained, this.#identity);
    // Commands and acknowledgements come with later versions; until then a well-formed one is turned away too.
    const reason = inbound.outcome === 'rejected' ? inbound.reason : 'unsupported';
    const key = `inbound.${reason}`;
    this.#count(key);
    // One line a reason and power of two: hostile input can't fill a log.
    const count = this.#counters[key] ?? 1;
    if ((count & (count - 1)) === 0)
      this.#deps.log('warning', 'mqtt.inboundRejected', { sink: this.name, reason, count });
  }

  async deliver(events: readonly StoredEvent[]): Promise<Settlement[]> {
    const settlements: Settlement[] = [];
    for (let i = 0; i < events.length; i += IN_FLIGHT) {
      const wave = events.slice(i, i + IN_FLIGHT);
      settlements.push(...(await Promise.all(wave.map((event) => this.#publish(event)))));
    }
    return settlements;
  }

  #publish(event: StoredEvent): Promise<Settlement> {
    const connection = this.#connection;
    if (connection === null || !this.#ready)
      return Promise.resolve({ outcome: 'retry', reason: 'not connected' });
    const { site, hostId } = this.#identity;
    const again = this.#unacknowledged.has(event.id);
    const payload = JSON.stringify(toCloudEvent(event, { site, hostId, nowMs: this.#deps.nowMs(), again }));
    if (payload.length > MAX_EVENT_BYTES) {
      return Promise.resolve({
        outcome: 'poison',
        reason: `${payload.length} bytes, at most ${MAX_EVENT_BYTES}`,
      });
    }
    const topic = event.severity === null ? this.#topics.event : this.#topics.alert(event.severity);
    this.#unacknowledged.add(event.id);
    return new Promise((resolve) => {
      const lost = (): void =>
        resolve({ outcome: 'retry', reason: 'the connection was lost before the acknowledgement' });
      connection.lost.add(lost);
      connection.client.publish(topic, payload, this.#publishOptions(1), (error) => {
        connection.lost.delete(lost);
        resolve(this.#settle(event, error));
      });
    });
  }

  #publishOptions(qos: 0 | 1): IClientPublishOptions {
    if (this.#version === 4) return { qos };
    return {
      qos,
      properties: {
        messageExpiryInterval: qos === 1 ? ALERT_EXPIRY_SECONDS : TELEMETRY_EXPIRY_SECONDS,
        contentType: qos === 1 ? CLOUDEVENTS_CONTENT_TYPE : 'application/json',
        payloadFormatIndicator: true,
      },
    };
  }

  #settle(event: StoredEvent, error: unknown): Settlement {
    if (!error) {
      this.#unacknowledged.delete(event.id);
      return { outcome: 'delivered' };
    }
    const { code, message } = error as { code?: unknown; message?: string };
    const reason =
      code === 135
        ? `not authorised to publish to its topic; check the broker's ACL`
        : (message ?? String(code));
    if (typeof code === 'number' && POISON_CODES.has(code)) {
      this.#unacknowledged.delete(event.id);
      return { outcome: 'poison', reason };
    }
    this.#lastError = `${this.#endpoint.target}: ${reason}`;
    return { outcome: 'retry', reason };
  }

  telemetry(batch: Telemetry): void {
    const connection = this.#connection;
    const fits = batch.payload.length <= MAX_TELEMETRY_BYTES;
    const room = connection !== null && connection.client.stream.writableLength < TELEMETRY_BACKLOG_BYTES;
    if (!this.#ready || connection === null || !fits || !room) {
      this.#count('telemetryDropped');
      return;
    }
    connection.client.publish(this.#topics.telemetry, batch.payload, this.#publishOptions(0), () => {});
  }

  status(): SinkStatus {
    return {
      name: this.name,
      kind: this.kind,
      connected: this.#ready,
      target: this.#endpoint.target,
      lastError: this.#lastError,
      connects: this.#connects,
      counters: { ...this.#counters },
    };
  }

  async close(deadlineMs: number): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#cancelTimer?.();
    const connection = this.#connection;
    if (connection === null) return;
    const goodbye = JSON.stringify(statusDocument(this.#identity, false, this.#deps.nowMs()));
    if (this.#ready) {
      await Promise.race([
        connection.client
          .publishAsync(this.#topics.status, goodbye, { qos: 1, retain: true })
          .then(() => connection.client.endAsync())
          .catch(() => this.#count('goodbyeFailed')),
        new Promise<void>((resolve) => this.#deps.setTimer(resolve, deadlineMs)),
        new Promise<void>((resolve) => connection.lost.add(resolve)),
      ]);
    }
    this.#lose(connection);
  }

  #count(key: string): void {
    this.#counters[key] = (this.#counters[key] ?? 0) + 1;
  }
}
