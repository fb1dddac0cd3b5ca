import { randomBytes } from 'node:crypto';
import type { IClientOptions } from 'mqtt';
import type { SinkConfig } from '../../agent/config/config.ts';
import { printable } from '../../agent/log.ts';
import type { ConnectionEnd } from '../../agent/sinks/mqtt/connection.ts';
import { describeFailure, refusalWords } from '../../agent/sinks/mqtt/failures.ts';
import { commonOptions, VersionChoice } from '../../agent/sinks/mqtt/options.ts';
import { type Endpoint, openStream } from '../../agent/sinks/mqtt/transport.ts';
import { MAX_INBOUND_PACKET_BYTES } from '../../core/protocol/limits.ts';
import { ROOT } from '../../core/protocol/topics.ts';
import type {
  Broker,
  Granted,
  Message,
  PublishOptions,
  RetainedRead,
  SubscribeOptions,
} from '../../hub/broker.ts';
import { BrokerConnection, ConnectionLost, Refused } from './connection.ts';
import { BrokerError, checkedEndpoint } from './errors.ts';
import { DEFAULT_SITE } from './options.ts';
import { listRetained, type RetainedReader, readRetained } from './retained.ts';

const BACKOFF_BASE_MS = 500;
const BACKOFF_CAP_MS = 30_000;
const STABLE_MS = 30_000;
/** Messages that the broker may have under way to us; a stock Mosquitto has 20. */
const RECEIVE_MAXIMUM = 64;
const DEFAULT_SITE_TOPICS = `${ROOT}/${DEFAULT_SITE}/`;
/** How long a publish or a subscription waits for a connection and for its answer. */
const ANSWER_MS = 30_000;

export interface BrokerClientOptions {
  /** What it is for, in a client id drawn at random: `release`, `fleet`. */
  readonly purpose: string;
  /** A session that outlasts connections and restarts, under this client id. */
  readonly session?: { readonly clientId: string; readonly expirySeconds: number };
  /** What comes in; what it returns is awaited before the PUBACK, and before the next message is looked at. */
  readonly messages?: (message: Message) => void | Promise<void>;
  /** Once for each new connection, after what was subscribed is subscribed again. */
  readonly onConnected?: (about: { readonly target: string; readonly version: string }) => void;
  /** In words; once for each failure that differs from the one before. */
  readonly onDisconnected?: (words: string) => void;
  readonly answerMs?: number;
  /** 0 to 1; of the backoff. */
  readonly random?: () => number;
}

interface Waiting {
  readonly resolve: (connection: BrokerConnection) => void;
  readonly reject: (error: Error) => void;
}

/**
 * A client of the broker for central commands: MQTT 5, 3.1.1 where that is refused, with the transport and the guard
 * of the agent's sink. It connects again by itself with full jitter (Brooker, "Exponential backoff and jitter"), and
 * subscribes again to what it was subscribed to. A publish that was lost with its connection is sent again.
 */
export class BrokerClient implements Broker {
  readonly #config: SinkConfig;
  readonly #endpoint: Endpoint;
  readonly #options: BrokerClientOptions;
  readonly #version: VersionChoice;
  readonly #clientId: string;
  readonly #subscriptions = new Map<string, SubscribeOptions>();
  readonly #waiting = new Set<Waiting>();
  /** Those who want to hear of the first failure. */
  readonly #firstTries = new Set<Waiting>();
  #tls: typeof import('node:tls') | null = null;
  /** Ready: let in, and subscribed again. */
  #ready: BrokerConnection | null = null;
  #connection: BrokerConnection | null = null;
  #timer: NodeJS.Timeout | null = null;
  #attempt = 0;
  #readyAtMs = 0;
  #cleanNext = false;
  #closed = false;
  #lastWords: string | null = null;
  #heard: Map<string, Uint8Array> | null = null;

  /** Begins to connect. @throws UserError for settings that can never work */
  constructor(config: SinkConfig, options: BrokerClientOptions) {
    this.#config = config;
    this.#endpoint = checkedEndpoint(config);
    this.#options = options;
    this.#version = new VersionChoice(config.protocolVersion);
    this.#clientId =
      options.session?.clientId ?? `edgewood-${options.purpose}-${randomBytes(8).toString('hex')}`;
    void this.#connect();
  }

  /** For a command: let in, or a word why not. @throws UserError, BrokerError */
  static async connect(config: SinkConfig, options: BrokerClientOptions): Promise<BrokerClient> {
    const client = new BrokerClient(config, options);
    try {
      await client.connected();
      return client;
    } catch (error) {
      await client.close();
      throw error;
    }
  }

  get target(): string {
    return this.#endpoint.target;
  }

  /** Resolves when the broker has let it in; rejects at the first try that failed, in both versions of MQTT. */
  async connected(): Promise<void> {
    await this.#withConnection(async () => {}, { once: true });
  }

  async publish(topic: string, payload: string | Uint8Array, options: PublishOptions = {}): Promise<void> {
    await this.#withConnection((connection) => connection.publish(topic, payload, options), { topic });
  }

  async subscribe(filters: readonly string[], options: SubscribeOptions = {}): Promise<Granted[]> {
    const granted = await this.#withConnection((connection) => connection.subscribe(filters, options));
    for (const { filter, granted: yes } of granted) if (yes) this.#subscriptions.set(filter, options);
    return granted;
  }

  async unsubscribe(filters: readonly string[]): Promise<void> {
    for (const filter of filters) this.#subscriptions.delete(filter);
    await this.#withConnection((connection) => connection.unsubscribe(filters));
  }

  readRetained(topics: readonly string[]): Promise<RetainedRead> {
    return this.#reading((reader, heard) => readRetained(reader, topics, heard));
  }

  listRetained(filter: string): Promise<Set<string>> {
    return this.#reading((reader, heard) => listRetained(reader, filter, heard));
  }

  /** One at a time; its messages don't go to `messages`. */
  async #reading<T>(
    work: (reader: RetainedReader, heard: Map<string, Uint8Array>) => Promise<T>,
  ): Promise<T> {
    if (this.#heard !== null) throw new Error('a reading is under way');
    const heard = new Map<string, Uint8Array>();
    this.#heard = heard;
    try {
      return await this.#withConnection((connection) => {
        const bounded = <A>(answer: Promise<A>): Promise<A> => this.#answered(connection, answer);
        const reader: RetainedReader = {
          subscribe: (filters, options) => bounded(connection.subscribe(filters, options)),
          unsubscribe: (filters) => bounded(connection.unsubscribe(filters)),
          ping: () => bounded(connection.ping()),
          wait: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
        };
        return work(reader, heard);
      });
    } finally {
      this.#heard = null;
    }
  }

  /** A DISCONNECT, after what is under way. */
  async close(deadlineMs = 2000): Promise<void> {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    for (const { reject } of this.#waiting) reject(new BrokerError(`${this.target}: closed`));
    this.#waiting.clear();
    const connection = this.#connection;
    if (connection === null) return;
    const late = setTimeout(() => connection.cut(new Error('closed')), deadlineMs);
    await connection.leave().catch(() => {});
    clearTimeout(late);
    connection.cut(new Error('closed'));
  }

  /** Does it on a connection; again on the next one where that one was lost, until time is up. */
  async #withConnection<T>(
    work: (connection: BrokerConnection) => Promise<T>,
    { once = false, topic = null }: { readonly once?: boolean; readonly topic?: string | null } = {},
  ): Promise<T> {
    const { answerMs = ANSWER_MS } = this.#options;
    const endMs = performance.now() + answerMs;
    for (;;) {
      const connection = this.#ready ?? (await this.#nextConnection(endMs - performance.now(), once));
      try {
        return await this.#answered(connection, work(connection));
      } catch (error) {
        if (error instanceof Refused) {
          const words = refusalWords(error.code) ?? error.message;
          const what = topic === null ? '' : `${printable(topic)}: `;
          // Whoever forgets --site means another one more often than that.
          const site = topic?.startsWith(DEFAULT_SITE_TOPICS) ? ' (is another site meant? --site)' : '';
          throw new BrokerError(`${this.target}: ${what}${words}${site}`, error.code);
        }
        if (!(error instanceof ConnectionLost)) throw error;
        if (this.#closed || performance.now() >= endMs) throw this.#unreachable();
      }
    }
  }

  /** Cuts a connection that answers pings and nothing else. The clock starts anew with each packet of a long read. */
  async #answered<T>(connection: BrokerConnection, answer: Promise<T>): Promise<T> {
    const { answerMs = ANSWER_MS } = this.#options;
    const late = setTimeout(
      () => connection.cut(new Error(`no answer within ${answerMs / 1000} s`)),
      this.#heard === null ? answerMs : answerMs * 20,
    );
    try {
      return await answer;
    } finally {
      clearTimeout(late);
    }
  }

  #nextConnection(withinMs: number, once: boolean): Promise<BrokerConnection> {
    if (this.#closed) return Promise.reject(new BrokerError(`${this.target}: closed`));
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        clearTimeout(late);
        this.#waiting.delete(waiting);
        this.#firstTries.delete(waiting);
      };
      const waiting: Waiting = {
        resolve: (connection) => {
          settle();
          resolve(connection);
        },
        reject: (error) => {
          settle();
          reject(error);
        },
      };
      const late = setTimeout(() => waiting.reject(this.#unreachable()), Math.max(0, withinMs));
      this.#waiting.add(waiting);
      if (once) this.#firstTries.add(waiting);
    });
  }

  #unreachable(): BrokerError {
    return new BrokerError(this.#lastWords ?? `${this.target}: no answer`);
  }

  async #connect(): Promise<void> {
    this.#timer = null;
    if (this.#endpoint.tls) this.#tls ??= await import('node:tls');
    if (this.#closed) return;
    try {
      this.#open();
    } catch (error) {
      // A file that was there at start and is gone or damaged now may come back.
      this.#fail(error);
    }
  }

  #open(): void {
    const version = this.#version.current;
    const { session } = this.#options;
    const options: IClientOptions = {
      ...commonOptions(this.#config, version),
      clientId: this.#clientId,
      clean: session === undefined || this.#cleanNext,
      ...(version === 5 && {
        properties: {
          sessionExpiryInterval: session?.expirySeconds ?? 0,
          maximumPacketSize: MAX_INBOUND_PACKET_BYTES,
          receiveMaximum: RECEIVE_MAXIMUM,
        },
      }),
    };
    const connection = new BrokerConnection(openStream(this.#config, this.#endpoint, this.#tls), options, {
      message: (message) => this.#take(message),
      ready: () => void this.#greet(connection),
      packetRefused: () => {
        this.#cleanNext = true;
      },
      closed: (end) => this.#ended(end),
    });
    this.#connection = connection;
  }

  #take(message: Message): void | Promise<void> {
    if (this.#heard === null) return this.#options.messages?.(message);
    this.#heard.set(message.topic, message.payload);
  }

  async #greet(connection: BrokerConnection): Promise<void> {
    try {
      // Those of one kind in one packet.
      const kinds = Map.groupBy(this.#subscriptions, ([, options]) => JSON.stringify(options));
      for (const [, same] of kinds) {
        const [[, options]] = same as [[string, SubscribeOptions]];
        await this.#answered(
          connection,
          connection.subscribe(
            same.map(([filter]) => filter),
            options,
          ),
        );
      }
    } catch (error) {
      connection.cut(error);
      return;
    }
    if (this.#closed) return;
    this.#cleanNext = false;
    this.#readyAtMs = performance.now();
    this.#lastWords = null;
    this.#ready = connection;
    this.#options.onConnected?.({ target: this.target, version: this.#version.name });
    for (const { resolve } of [...this.#waiting]) resolve(connection);
  }

  #ended(end: ConnectionEnd): void {
    this.#connection = null;
    this.#ready = null;
    if (this.#closed) return;
    const stable = end.wasReady && performance.now() - this.#readyAtMs >= STABLE_MS;
    if (stable) this.#attempt = 0;
    // At once in the older version alone: going back and forth at once would never end where neither is spoken.
    if (this.#version.next(end) && !end.wasReady && this.#version.current === 4) {
      void this.#connect();
      return;
    }
    const { tls, port } = this.#endpoint;
    const speaks = tls ? `does port ${port} speak TLS?` : `does port ${port} speak TLS? Then mqtts://`;
    const soon = stable
      ? ''
      : end.wasReady
        ? '; does another client use its id?'
        : ` without a word; ${speaks}`;
    this.#fail(end.failure ?? new Error(`the broker closed the connection${soon}`));
  }

  #fail(error: unknown): void {
    const words = describeFailure(error, this.#endpoint);
    if (words !== this.#lastWords) this.#options.onDisconnected?.(words);
    this.#lastWords = words;
    for (const { reject } of [...this.#firstTries]) reject(new BrokerError(words));
    const most = Math.min(BACKOFF_CAP_MS, BACKOFF_BASE_MS * 2 ** Math.min(this.#attempt, 10));
    this.#attempt++;
    const { random = Math.random } = this.#options;
    this.#timer = setTimeout(() => void this.#connect(), random() * most);
  }
}
