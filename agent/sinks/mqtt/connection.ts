import type { Socket } from 'node:net';
import { type IClientOptions, type IClientPublishOptions, MqttClient } from 'mqtt';
import { MAX_INBOUND_PACKET_BYTES } from '../../../core/protocol/limits.ts';
import type { AgentTopics } from '../../../core/protocol/topics.ts';
import { isObjection } from './failures.ts';
import { PacketGuard } from './guard.ts';

/** Publishes and greetings that the broker leaves unanswered for this long cut the connection. */
const ANSWER_TIMEOUT_MS = 30_000;
const MOST_IN_FLIGHT = 16;
/** A PUBLISH packet beside its topic and payload: fixed header, lengths, packet id, properties. */
const PACKET_OVERHEAD_BYTES = 128;
/** MQTT 5, section 3.8.3.1. */
const RETAIN_HANDLING_SEND = 0;
const RETAIN_HANDLING_NONE = 2;

export type PublishResult =
  | { readonly kind: 'acknowledged' }
  /** PUBACK with a reason of 0x80 or above; `code` is absent where the packet never left. */
  | { readonly kind: 'refused'; readonly code: number | undefined; readonly message: string }
  | { readonly kind: 'tooLarge'; readonly maximumBytes: number }
  /** `blamed`: it was alone in flight, and the broker's last word was about a packet that it can't take. */
  | { readonly kind: 'lost'; readonly blamed: boolean };

export interface ConnectionEnd {
  readonly failure: unknown;
  readonly wasReady: boolean;
  /** The port was reached, and the connection closed without a byte: some brokers say "unknown version" so. */
  readonly silent: boolean;
  /** The broker objected to a packet of ours: publishes sent one at a time will show which. */
  readonly objected: boolean;
}

/** What a connection tells its owner. Nothing is told after `closed`, which comes once. */
export interface ConnectionListener {
  ready(): void;
  message(topic: string, payload: Buffer, retained: boolean): void;
  packetRefused(fault: 'oversized' | 'malformed'): void;
  /** The broker's access rules forbid something that delivery can do without. */
  forbidden(what: 'birth' | 'subscription', code: number | undefined): void;
  closed(end: ConnectionEnd): void;
}

export interface ConnectionSettings {
  readonly version: 4 | 5;
  readonly topics: AgentTopics;
  readonly birth: () => string;
  readonly subscribe: boolean;
  readonly setTimer: (callback: () => void, ms: number) => () => void;
}

/**
 * One connection and the mqtt.js client made for it, which never reconnects. What is unacknowledged when it ends
 * settles as `lost`, once; its store goes with it, so nothing is ever sent again behind our back.
 */
export class MqttConnection {
  readonly #stream: Socket;
  readonly #client: MqttClient;
  readonly #settings: ConnectionSettings;
  readonly #listener: ConnectionListener;
  readonly #open = new Set<(blamed: boolean) => void>();
  #failure: unknown = null;
  #reached = false;
  #answered = false;
  #ready = false;
  #ended = false;
  #maximumPacketBytes = Number.POSITIVE_INFINITY;
  #retain = true;
  #inFlight = MOST_IN_FLIGHT;

  constructor(
    stream: Socket,
    options: IClientOptions,
    settings: ConnectionSettings,
    listener: ConnectionListener,
  ) {
    this.#stream = stream;
    this.#settings = settings;
    this.#listener = listener;
    // Before the client's own listener, so that the guard sees each chunk first.
    this.#guard();
    stream.once('connect', () => {
      this.#reached = true;
    });
    const client = new MqttClient(() => stream, options);
    this.#client = client;
    client.on('error', (error) => this.cut(error));
    client.on('disconnect', ({ reasonCode }) => {
      this.#failure ??= {
        code: reasonCode,
        message: `the broker ended the connection (reason ${reasonCode})`,
      };
    });
    client.on('connect', ({ properties }) => {
      this.#maximumPacketBytes = properties?.maximumPacketSize ?? this.#maximumPacketBytes;
      this.#retain = properties?.retainAvailable !== false;
      this.#inFlight = Math.min(MOST_IN_FLIGHT, properties?.receiveMaximum ?? MOST_IN_FLIGHT);
      this.#greet().catch((error: unknown) => this.cut(error));
    });
    client.on('message', (topic, payload, packet) => {
      if (!this.#over) listener.message(topic, payload, packet.retain);
    });
    client.once('close', () => this.#end());
  }

  get ready(): boolean {
    return this.#ready;
  }

  /** How many publishes may wait for their acknowledgement (MQTT 5, section 3.3.4). */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Cut or ended: what still comes from the stream's buffer counts no more. */
  get #over(): boolean {
    return this.#ended || this.#stream.destroyed;
  }

  get backlogBytes(): number {
    return this.#stream.writableLength;
  }

  #guard(): void {
    const guard = new PacketGuard(MAX_INBOUND_PACKET_BYTES);
    this.#stream.on('data', (chunk: Buffer) => {
      this.#answered = true;
      // What was buffered still comes after the cut: a refused packet counts once.
      if (this.#over) return;
      const fault = guard.check(chunk);
      if (fault === null) return;
      this.#listener.packetRefused(fault);
      this.cut(new Error(`an inbound packet was ${fault}: at most ${MAX_INBOUND_PACKET_BYTES} bytes`));
    });
  }

  /** Says that the agent is here, subscribes, and only then lets events through. */
  async #greet(): Promise<void> {
    const { birth, topics, subscribe } = this.#settings;
    const answered = this.expectAnswer();
    const greeted = await this.publish(topics.status, birth(), { qos: 1, retain: this.#retain });
    if (greeted.kind === 'refused') this.#forbidden('birth', greeted.code);
    if (subscribe && !this.#ended) await this.#subscribe();
    answered();
    // Ready after the cut would keep the session that holds the refused packet.
    if (this.#over) return;
    this.#ready = true;
    this.#listener.ready();
  }

  #subscribe(): Promise<void> {
    // Retained messages are turned away anyhow: one that is oversized would cut every connection.
    return this.#ask([...this.#settings.topics.subscriptions], RETAIN_HANDLING_NONE);
  }

  /** With what is retained there, at each call. */
  subscribe(topics: readonly string[]): Promise<void> {
    return this.#ended ? Promise.resolve() : this.#ask([...topics], RETAIN_HANDLING_SEND);
  }

  unsubscribe(topics: readonly string[]): void {
    if (!this.#ended) this.#client.unsubscribe([...topics], () => {});
  }

  #ask(topics: string[], retainHandling: 0 | 2): Promise<void> {
    const options = { qos: 1, ...(this.#settings.version === 5 && { rh: retainHandling }) } as const;
    return new Promise((resolve) => {
      const lost = (): void => resolve();
      this.#open.add(lost);
      this.#client.subscribe(topics, options, (error, _granted, packet) => {
        this.#open.delete(lost);
        const refusal = packet?.granted.find((code) => Number(code) >= 128);
        if (error && !this.#ended) this.#forbidden('subscription', Number(refusal ?? 128));
        resolve();
      });
    });
  }

  #forbidden(what: 'birth' | 'subscription', code: number | undefined): void {
    if (!this.#ended) this.#listener.forbidden(what, code);
  }

  /** QoS 1; always resolves. */
  publish(topic: string, payload: string, options: IClientPublishOptions): Promise<PublishResult> {
    if (this.#ended) return Promise.resolve({ kind: 'lost', blamed: false });
    const bytes = Buffer.byteLength(payload) + Buffer.byteLength(topic) + PACKET_OVERHEAD_BYTES;
    if (bytes > this.#maximumPacketBytes) {
      return Promise.resolve({ kind: 'tooLarge', maximumBytes: this.#maximumPacketBytes });
    }
    return new Promise((resolve) => {
      const lost = (blamed: boolean): void => resolve({ kind: 'lost', blamed });
      this.#open.add(lost);
      this.#client.publish(topic, payload, options, (error) => {
        // mqtt.js calls back once more when it is ended: what was settled stays so.
        if (!this.#open.delete(lost)) return;
        if (!error) resolve({ kind: 'acknowledged' });
        else {
          const { code } = error as { code?: unknown };
          resolve({
            kind: 'refused',
            code: typeof code === 'number' ? code : undefined,
            message: error.message,
          });
        }
      });
    });
  }

  /** QoS 0: sent or not, nobody hears of it. */
  send(topic: string, payload: string, options: IClientPublishOptions): void {
    this.#client.publish(topic, payload, { ...options, qos: 0 }, () => {});
  }

  /** A broker that answers pings and nothing else would hold a batch for ever. @returns stops the watch */
  expectAnswer(): () => void {
    return this.#settings.setTimer(
      () => this.cut(new Error(`no acknowledgement within ${ANSWER_TIMEOUT_MS / 1000} s`)),
      ANSWER_TIMEOUT_MS,
    );
  }

  /** Ends it at once; the broker publishes the will. */
  cut(failure: unknown): void {
    this.#failure ??= failure;
    this.#stream.destroy();
  }

  /** Ends it in order: what is given is published, retained, and the will discarded by a DISCONNECT. */
  async leave(goodbye: string): Promise<void> {
    const said = await this.publish(this.#settings.topics.status, goodbye, { qos: 1, retain: this.#retain });
    if (said.kind !== 'lost') await this.#client.endAsync();
  }

  #end(): void {
    if (this.#ended) return;
    const wasReady = this.#ready;
    this.#ended = true;
    this.#ready = false;
    const failure = this.#failure;
    const objected = wasReady && isObjection(failure);
    const blamed = objected && this.#open.size === 1;
    for (const settle of this.#open) settle(blamed);
    this.#open.clear();
    this.#client.end(true);
    const reset = failure === null || (failure as { code?: unknown }).code === 'ECONNRESET';
    this.#listener.closed({ failure, wasReady, silent: this.#reached && !this.#answered && reset, objected });
  }
}
