import type { IClientPublishOptions } from 'mqtt';
import { type Acknowledgement, parseAcknowledgement } from '../../../core/protocol/acknowledgement.ts';
import { CLOUDEVENTS_CONTENT_TYPE } from '../../../core/protocol/cloudevents.ts';
import type { StoredEvent } from '../../../core/protocol/events.ts';
import { controlKind, parseInbound } from '../../../core/protocol/inbound.ts';
import {
  ALERT_EXPIRY_SECONDS,
  MAX_INBOUND_PACKET_BYTES,
  MAX_TELEMETRY_BYTES,
  TELEMETRY_EXPIRY_SECONDS,
} from '../../../core/protocol/limits.ts';
import { type AgentIdentity, statusDocument } from '../../../core/protocol/status.ts';
import { type AgentTopics, agentTopics, topicLevelFault } from '../../../core/protocol/topics.ts';
import type { Channel, ControlListener } from '../../central/channel.ts';
import type { SinkConfig } from '../../config/config.ts';
import type { Log } from '../../log.ts';
import { encodeEvent } from '../encode.ts';
import { checkFiles } from '../files.ts';
import {
  type Settlement,
  type Sink,
  SinkConfigurationError,
  type SinkStatus,
  type Telemetry,
} from '../sink.ts';
import { type ConnectionEnd, MqttConnection, type PublishResult } from './connection.ts';
import { CredentialWatch } from './credential-watch.ts';
import { describeFailure, refusalWords } from './failures.ts';
import { clientOptions, VersionChoice } from './options.ts';
import { type Endpoint, openStream, parseEndpoint } from './transport.ts';

const BACKOFF_BASE_MS = 1000;
const BACKOFF_CAP_MS = 60_000;
/** A connection that held so long starts the backoff anew: two hosts under one id throw each other out for ever. */
const STABLE_MS = 30_000;
/** Telemetry is dropped rather than queued behind so many unsent bytes. */
const TELEMETRY_BACKLOG_BYTES = 256 * 1024;
/** After so many packets refused in a row, alerts go out on a connection that subscribes to nothing. */
const CUTS_BEFORE_DEAF = 3;
/** Such a connection may last for months: after this it listens once more. */
const DEAF_MS = 300_000;
/** Ids kept to say `replayed`; those that the outbox drops are never settled here. */
const MAX_REMEMBERED = 1024;
/** PUBACK codes that say "never", MQTT 5 section 3.4.2.1: topic name, packet too large, payload format. */
const POISON_CODES: ReadonlySet<number> = new Set([144, 149, 153]);

export interface MqttSinkDependencies {
  /** Hears what comes from the centre over this sink's connection. */
  readonly control?: ControlListener | undefined;
  readonly nowMs: () => number;
  readonly random: () => number;
  readonly setTimer: (callback: () => void, ms: number) => () => void;
  readonly log: Log;
}

/**
 * MQTT 5 (3.1.1 where that is refused) over TCP or TLS. It chooses when to connect and in which version, and turns
 * acknowledgements into settlements; an MqttConnection is one connection.
 */
export class MqttSink implements Sink {
  readonly name: string;
  readonly kind = 'mqtt';
  readonly acknowledgedLater: boolean;
  readonly #config: SinkConfig;
  readonly #endpoint: Endpoint;
  readonly #identity: AgentIdentity;
  readonly #topics: AgentTopics;
  readonly #deps: MqttSinkDependencies;
  readonly #counters: Record<string, number> = {};
  /** Sent in an earlier try and not acknowledged: said again as `replayed`. */
  readonly #unacknowledged = new Set<string>();
  #tls: typeof import('node:tls') | null = null;
  #connection: MqttConnection | null = null;
  #onReady: () => void = () => {};
  #onAcknowledged: (acknowledgement: Acknowledgement) => void = () => {};
  #cancelTimer: (() => void) | null = null;
  #cancelListening: (() => void) | null = null;
  #closing: Promise<void> | null = null;
  #attempt = 0;
  #readyAtMs = 0;
  #connects = 0;
  readonly #version: VersionChoice;
  readonly #credentials: CredentialWatch;
  /** Ended by us, to come back with other credentials. */
  #renewing = false;
  /** Packets that the guard refused since a connection last held. The next session begins anew: the old one holds
   * the packet. */
  #cuts = 0;
  #cleanNext = false;
  /** One publish at a time, to find the one that the broker ends its connections over. */
  #oneByOne = false;
  #lastError: string | null = null;

  /** @throws SinkConfigurationError for settings that can never work */
  constructor(config: SinkConfig, identity: AgentIdentity, deps: MqttSinkDependencies) {
    this.name = config.name;
    this.acknowledgedLater = config.acknowledge === 'hub';
    this.#config = config;
    this.#endpoint = parseEndpoint(config);
    for (const key of ['site', 'hostId'] as const) {
      const fault = topicLevelFault(identity[key]);
      if (fault !== null) throw new SinkConfigurationError(`sink "${config.name}": ${key}: ${fault}`);
    }
    // Unreadable files are told at start, not at the first night.
    checkFiles(config);
    this.#identity = identity;
    this.#topics = agentTopics(identity.site, identity.hostId);
    this.#deps = deps;
    this.#version = new VersionChoice(config.protocolVersion);
    this.#credentials = new CredentialWatch(config, deps.setTimer, (fault) =>
      this.#credentialsChanged(fault),
    );
  }

  start(onReady: () => void, onAcknowledged: (acknowledgement: Acknowledgement) => void = () => {}): void {
    this.#onReady = onReady;
    this.#onAcknowledged = onAcknowledged;
    if (this.#config.insecure === true) this.#log('warning', 'mqtt.insecure');
    void this.#connect();
    this.#credentials.start();
  }

  connected(): boolean {
    return this.#closing === null && this.#connection?.ready === true;
  }

  #log(level: Parameters<Log>[0], event: Parameters<Log>[1], fields: Parameters<Log>[2] = {}): void {
    this.#deps.log(level, event, { sink: this.name, ...fields });
  }

  async #connect(): Promise<void> {
    if (this.#endpoint.tls) this.#tls ??= await import('node:tls');
    if (this.#closing !== null) return;
    try {
      this.#open();
    } catch (error) {
      // A file that was there at start and is gone or damaged now may come back.
      this.#fail(error);
      this.#scheduleReconnect();
    }
  }

  /** A connection outlives its credentials; one that waits for its next try takes them up by itself. */
  #credentialsChanged(fault: string | null): void {
    if (fault !== null) this.#log('warning', 'mqtt.credentialsUnusable', { error: fault });
    else if (this.connected()) {
      this.#log('info', 'mqtt.credentialsChanged');
      this.#renewing = true;
      this.#connection?.retire();
    }
  }

  #open(): void {
    this.#credentials.used();
    const version = this.#version.current;
    const options = clientOptions(this.#config, this.#identity, this.#topics, version, this.#cleanNext);
    const stream = openStream(this.#config, this.#endpoint, this.#tls);
    const settings = {
      version,
      topics: this.#topics,
      birth: () => JSON.stringify(statusDocument(this.#identity, true, this.#deps.nowMs())),
      subscribe: this.#cuts < CUTS_BEFORE_DEAF,
      setTimer: this.#deps.setTimer,
    };
    this.#connection = new MqttConnection(stream, options, settings, {
      ready: () => this.#greeted(settings.subscribe),
      message: (topic, payload, retained) => this.#onMessage(topic, payload, retained),
      packetRefused: (fault) => this.#packetRefused(fault),
      forbidden: (what, code) => this.#forbidden(what, code),
      closed: (end) => this.#closed(end),
    });
  }

  #greeted(subscribed: boolean): void {
    if (this.#closing !== null) return;
    this.#cleanNext = false;
    this.#connects++;
    this.#readyAtMs = this.#deps.nowMs();
    this.#lastError = null;
    this.#log('info', 'mqtt.connected', { target: this.#endpoint.target, version: this.#version.name });
    if (!subscribed) {
      this.#log('warning', 'mqtt.notListening', { refusedPackets: this.#cuts });
      this.#listenLater(this.#connection);
    } else if (this.#connection !== null) this.#deps.control?.ready(this.#channel(this.#connection));
    this.#onReady();
  }

  /** One more packet that is too large, and it is deaf again for as long. */
  #listenLater(deaf: MqttConnection | null): void {
    this.#cancelListening?.();
    this.#cancelListening = this.#deps.setTimer(() => {
      this.#cancelListening = null;
      if (this.#closing !== null || deaf === null || this.#connection !== deaf) return;
      this.#cuts = CUTS_BEFORE_DEAF - 1;
      this.#renewing = true;
      deaf.retire();
    }, DEAF_MS);
  }

  #channel(connection: MqttConnection): Channel {
    return {
      subscribe: (topics) => void connection.subscribe(topics),
      unsubscribe: (topics) => connection.unsubscribe(topics),
      publish: async (topic, payload, retain) => {
        const result = await connection.publish(topic, payload, { qos: 1, retain });
        if (result.kind === 'refused') this.#forbidden('publish', result.code);
        return result.kind === 'acknowledged';
      },
    };
  }

  #packetRefused(fault: 'oversized' | 'malformed'): void {
    this.#count(`${fault}Packets`);
    this.#cuts++;
    this.#cleanNext = true;
    this.#log('warning', 'mqtt.packetRefused', { fault, maximumBytes: MAX_INBOUND_PACKET_BYTES });
  }

  #forbidden(what: 'birth' | 'subscription' | 'publish', code: number | undefined): void {
    this.#count(`${what}Refused`);
    const mend = "allow it in the broker's access rules; `edgewood doctor` says what they lack";
    this.#log('warning', `mqtt.${what}Refused`, { code, mend });
  }

  #closed(end: ConnectionEnd): void {
    this.#connection = null;
    this.#deps.control?.lost();
    if (this.#closing !== null) return;
    if (this.#renewing) {
      this.#renewing = false;
      void this.#connect();
      return;
    }
    const stable = end.wasReady && this.#deps.nowMs() - this.#readyAtMs >= STABLE_MS;
    if (stable) {
      this.#attempt = 0;
      this.#cuts = 0;
    }
    if (end.objected) this.#oneByOne = true;
    if (this.#version.next(end)) this.#log('info', 'mqtt.version', { trying: this.#version.name });
    // Not every broker says so when another client takes over (Mosquitto 2.0.11 doesn't).
    const words = 'the broker closed the connection';
    const soon = `${words} soon after it let us in; does another client use this host id (a cloned host)?`;
    this.#fail(end.failure ?? new Error(end.wasReady && !stable ? soon : words), end.wasReady);
    this.#scheduleReconnect();
  }

  #fail(error: unknown, wasReady = false): void {
    const words = describeFailure(error, this.#endpoint);
    this.#count(wasReady ? 'connectionsLost' : 'connectFailures');
    // The same failure every minute is one line, not a log full.
    if (words !== this.#lastError) this.#log('warning', 'mqtt.disconnected', { error: words });
    this.#lastError = words;
  }

  #scheduleReconnect(): void {
    if (this.#closing !== null) return;
    const most = Math.min(BACKOFF_CAP_MS, BACKOFF_BASE_MS * 2 ** Math.min(this.#attempt, 10));
    this.#attempt++;
    this.#cancelTimer?.();
    this.#cancelTimer = this.#deps.setTimer(() => {
      this.#cancelTimer = null;
      void this.#connect();
    }, this.#deps.random() * most);
  }

  #onMessage(topic: string, payload: Buffer, retained: boolean): void {
    if (this.#closing !== null) return;
    const { control } = this.#deps;
    const kind = control === undefined ? null : controlKind(topic, this.#identity);
    if (control !== undefined && kind !== null && !(kind.kind === 'command' && retained)) {
      if (kind.kind === 'command') control.command(kind.name, payload);
      else control.document(topic, payload);
      return;
    }
    const inbound = parseInbound(topic, payload, retained, this.#identity);
    if (inbound.outcome === 'accepted' && inbound.kind === 'ack' && this.acknowledgedLater) {
      const acknowledgement = parseAcknowledgement(inbound.document);
      if (acknowledgement !== null) {
        this.#onAcknowledged(acknowledgement);
        return;
      }
    }
    // Where nothing of the centre is trusted, no command is either.
    const reason = inbound.outcome === 'rejected' ? inbound.reason : 'unsupported';
    const count = this.#count(`inbound.${reason}`);
    // One line a reason and power of two: hostile input can't fill a log.
    if (Number.isInteger(Math.log2(count))) this.#log('warning', 'mqtt.inboundRejected', { reason, count });
  }

  async deliver(events: readonly StoredEvent[]): Promise<Settlement[]> {
    const settlements: Settlement[] = [];
    while (settlements.length < events.length) {
      const connection = this.#connection;
      const size = this.#oneByOne ? 1 : (connection?.inFlight ?? events.length);
      const wave = events.slice(settlements.length, settlements.length + size);
      if (connection === null || !this.connected()) {
        settlements.push(...wave.map((): Settlement => ({ outcome: 'retry', reason: 'not connected' })));
        continue;
      }
      const answered = connection.expectAnswer();
      settlements.push(...(await Promise.all(wave.map((event) => this.#publish(connection, event)))));
      answered();
    }
    return settlements;
  }

  async #publish(connection: MqttConnection, event: StoredEvent): Promise<Settlement> {
    const again = this.#unacknowledged.has(event.id);
    const encoded = encodeEvent(event, this.#identity, this.#deps.nowMs(), again);
    if ('fault' in encoded) return { outcome: 'poison', reason: encoded.fault };
    const topic = event.severity === null ? this.#topics.event : this.#topics.alert(event.severity);
    if (this.#unacknowledged.size >= MAX_REMEMBERED) this.#unacknowledged.clear();
    this.#unacknowledged.add(event.id);
    const result = await connection.publish(topic, encoded.text, this.#publishOptions(1));
    const settlement = this.#settle(result);
    if (settlement.outcome !== 'retry') this.#unacknowledged.delete(event.id);
    return settlement;
  }

  #publishOptions(qos: 0 | 1): IClientPublishOptions {
    if (this.#version.current === 4) return { qos };
    return {
      qos,
      properties: {
        messageExpiryInterval: qos === 1 ? ALERT_EXPIRY_SECONDS : TELEMETRY_EXPIRY_SECONDS,
        contentType: qos === 1 ? CLOUDEVENTS_CONTENT_TYPE : 'application/json',
        payloadFormatIndicator: true,
      },
    };
  }

  #settle(result: PublishResult): Settlement {
    switch (result.kind) {
      case 'acknowledged':
        this.#oneByOne = false;
        return { outcome: 'delivered' };
      case 'lost':
        if (result.blamed) return { outcome: 'poison', reason: 'the broker ends the connection over it' };
        return { outcome: 'retry', reason: 'the connection was lost before the acknowledgement' };
      case 'tooLarge':
        return { outcome: 'poison', reason: `larger than the broker takes (${result.maximumBytes} bytes)` };
      case 'refused': {
        const reason = refusalWords(result.code) ?? result.message;
        if (result.code !== undefined && POISON_CODES.has(result.code)) return { outcome: 'poison', reason };
        this.#lastError = `${this.#endpoint.target}: ${reason}`;
        return { outcome: 'retry', reason };
      }
    }
  }

  telemetry(batch: Telemetry): void {
    const connection = this.#connection;
    const fits = Buffer.byteLength(batch.payload) <= MAX_TELEMETRY_BYTES;
    const room = connection !== null && connection.backlogBytes < TELEMETRY_BACKLOG_BYTES;
    if (connection === null || !this.connected() || !fits || !room) this.#count('telemetryDropped');
    else connection.send(this.#topics.telemetry, batch.payload, this.#publishOptions(0));
  }

  status(): SinkStatus {
    return {
      name: this.name,
      kind: this.kind,
      connected: this.connected(),
      target: this.#endpoint.target,
      lastError: this.#lastError,
      connects: this.#connects,
      counters: { ...this.#counters },
    };
  }

  close(deadlineMs: number): Promise<void> {
    const ready = this.connected();
    this.#closing ??= this.#close(ready, deadlineMs);
    return this.#closing;
  }

  async #close(ready: boolean, deadlineMs: number): Promise<void> {
    this.#cancelTimer?.();
    this.#cancelListening?.();
    this.#credentials.stop();
    const connection = this.#connection;
    if (connection === null) return;
    if (ready) {
      const goodbye = JSON.stringify(statusDocument(this.#identity, false, this.#deps.nowMs()));
      let cancel = (): void => {};
      const deadline = new Promise<void>((resolve) => {
        cancel = this.#deps.setTimer(resolve, deadlineMs);
      });
      await Promise.race([connection.leave(goodbye), deadline]);
      cancel();
    }
    connection.cut(new Error('closed'));
  }

  #count(key: string): number {
    const count = (this.#counters[key] ?? 0) + 1;
    this.#counters[key] = count;
    return count;
  }
}
