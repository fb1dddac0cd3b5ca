import type { Socket } from 'node:net';
import { type IClientOptions, MqttClient } from 'mqtt';
import type { ConnectionEnd } from '../../agent/sinks/mqtt/connection.ts';
import { PacketGuard } from '../../agent/sinks/mqtt/guard.ts';
import { MAX_INBOUND_PACKET_BYTES } from '../../core/protocol/limits.ts';
import type { Granted, Message, PublishOptions, SubscribeOptions } from '../../hub/broker.ts';

const MOST_IN_FLIGHT = 16;
const RETAIN_HANDLING = { send: 0, none: 2 } as const;

/** The connection ended before the broker answered: whether it took the packet is not known. */
export class ConnectionLost extends Error {
  override readonly name = 'ConnectionLost';
}

/** PUBACK or UNSUBACK with a reason of 0x80 or above. */
export class Refused extends Error {
  override readonly name = 'Refused';
  readonly code: number | undefined;

  constructor(code: number | undefined, message: string) {
    super(message);
    this.code = code;
  }
}

export interface ConnectionEvents {
  /** What it returns is awaited before the broker gets its PUBACK and the next message is looked at. */
  message(message: Message): void | Promise<void>;
  ready(sessionPresent: boolean): void;
  packetRefused(): void;
  /** Once; nothing follows. */
  closed(end: ConnectionEnd): void;
}

/** One connection of a central command, and the mqtt.js client made for it, which never reconnects. */
export class BrokerConnection {
  readonly #stream: Socket;
  readonly #client: MqttClient;
  readonly #version: 4 | 5;
  readonly #open = new Set<(error: Error) => void>();
  /** Publishes that wait for room in the broker's receive maximum (MQTT 5, section 3.3.4). */
  readonly #waiting: (() => void)[] = [];
  /** One for each PINGREQ, keepalives too: each PINGRESP answers the oldest. */
  readonly #pings: (() => void)[] = [];
  #onPong: () => void = () => {};
  #room = MOST_IN_FLIGHT;
  #failure: unknown = null;
  #reached = false;
  #answered = false;
  #ready = false;
  #ended = false;

  constructor(stream: Socket, options: IClientOptions, events: ConnectionEvents) {
    this.#stream = stream;
    this.#version = options.protocolVersion === 4 ? 4 : 5;
    const guard = new PacketGuard(MAX_INBOUND_PACKET_BYTES);
    // Before the client's own listener, so that the guard sees each chunk first.
    stream.on('data', (chunk: Buffer) => {
      this.#answered = true;
      if (this.#over) return;
      const fault = guard.check(chunk);
      if (fault === null) return;
      events.packetRefused();
      this.cut(new Error(`an inbound packet was ${fault}: at most ${MAX_INBOUND_PACKET_BYTES} bytes`));
    });
    stream.once('connect', () => {
      this.#reached = true;
    });
    this.#client = new MqttClient(() => stream, options);
    this.#client.on('error', (error) => this.cut(error));
    this.#client.on('disconnect', ({ reasonCode }) => {
      this.#failure ??= {
        code: reasonCode,
        message: `the broker ended the connection (reason ${reasonCode})`,
      };
    });
    this.#client.on('connect', ({ properties, sessionPresent }) => {
      this.#room = Math.min(MOST_IN_FLIGHT, properties?.receiveMaximum ?? MOST_IN_FLIGHT);
      this.#ready = true;
      events.ready(sessionPresent);
    });
    this.#client.on('packetsend', ({ cmd }) => {
      if (cmd !== 'pingreq') return;
      this.#pings.push(this.#onPong);
      this.#onPong = () => {};
    });
    this.#client.on('packetreceive', ({ cmd }) => {
      if (cmd === 'pingresp') this.#pings.shift()?.();
    });
    this.#client.handleMessage = ({ topic, payload, retain }, done) => {
      if (this.#over) return done();
      const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload;
      const taken = events.message({ topic, payload: bytes, retained: retain });
      if (taken === undefined) done();
      else taken.then(() => done(), done);
    };
    this.#client.once('close', () => this.#end(events));
  }

  get #over(): boolean {
    return this.#ended || this.#stream.destroyed;
  }

  async publish(topic: string, payload: string | Uint8Array, options: PublishOptions): Promise<void> {
    await this.#takeRoom();
    try {
      await this.#answer((settle) =>
        this.#client.publish(
          topic,
          typeof payload === 'string' ? payload : Buffer.from(payload),
          {
            qos: 1,
            retain: options.retain === true,
            ...(this.#version === 5 && {
              properties: {
                ...(options.expirySeconds !== undefined && { messageExpiryInterval: options.expirySeconds }),
                ...(options.contentType !== undefined && { contentType: options.contentType }),
              },
            }),
          },
          settle,
        ),
      );
    } finally {
      this.#room++;
      this.#waiting.shift()?.();
    }
  }

  async #takeRoom(): Promise<void> {
    while (this.#room <= 0 && !this.#ended) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#room--;
  }

  async subscribe(
    filters: readonly string[],
    { retained = true, qos = 1 }: SubscribeOptions,
  ): Promise<Granted[]> {
    const rh = retained ? RETAIN_HANDLING.send : RETAIN_HANDLING.none;
    const codes = await new Promise<readonly number[]>((resolve, reject) => {
      this.#open.add(reject);
      this.#client.subscribe(
        [...filters],
        { qos, ...(this.#version === 5 && { rh }) },
        (error, _granted, packet) => {
          if (!this.#open.delete(reject)) return;
          const answer = packet?.granted.map(Number);
          // A refusal of one filter is an error of all to mqtt.js; the packet tells them apart.
          if (answer?.length === filters.length) resolve(answer);
          else reject(error ?? new ConnectionLost('no answer to a subscription'));
        },
      );
      if (this.#ended) this.#lose(reject);
    });
    return filters.map((filter, i) => {
      const code = codes[i] as number;
      return { filter, granted: code < 0x80, code };
    });
  }

  unsubscribe(filters: readonly string[]): Promise<void> {
    return this.#answer((settle) => this.#client.unsubscribe([...filters], settle));
  }

  /** PINGREQ and PINGRESP: what the broker had written to this connection before has arrived. */
  ping(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#open.add(reject);
      if (this.#ended) {
        this.#lose(reject);
        return;
      }
      this.#onPong = () => {
        this.#open.delete(reject);
        resolve();
      };
      this.#client.sendPing();
    });
  }

  #answer(send: (settle: (error?: Error | null) => void) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#open.add(reject);
      if (this.#ended) {
        this.#lose(reject);
        return;
      }
      send((error) => {
        // mqtt.js calls back once more when it is ended.
        if (!this.#open.delete(reject)) return;
        if (!error) resolve();
        else {
          const { code } = error as { code?: unknown };
          reject(new Refused(typeof code === 'number' ? code : undefined, error.message));
        }
      });
    });
  }

  #lose(reject: (error: Error) => void): void {
    if (this.#open.delete(reject)) reject(new ConnectionLost('the connection was lost before the answer'));
  }

  /** Ends it at once. */
  cut(failure: unknown): void {
    this.#failure ??= failure;
    this.#stream.destroy();
  }

  /** Ends it in order: a DISCONNECT, after what is under way. */
  async leave(): Promise<void> {
    if (this.#over) return;
    if (this.#ready) await this.#client.endAsync();
    else this.cut(new Error('closed'));
  }

  #end(events: ConnectionEvents): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const reject of [...this.#open]) this.#lose(reject);
    for (const go of this.#waiting.splice(0)) go();
    this.#client.end(true);
    const failure = this.#failure;
    const reset = failure === null || (failure as { code?: unknown }).code === 'ECONNRESET';
    const silent = this.#reached && !this.#answered && reset;
    events.closed({ failure, wasReady: this.#ready, silent, objected: false });
  }
}
