/** What the hub needs of a broker; cli/broker/client.ts is one over MQTT. */

export interface PublishOptions {
  readonly retain?: boolean;
  /** Left out: never. Nothing in MQTT 3.1.1. */
  readonly expirySeconds?: number;
  /** Media type; nothing in MQTT 3.1.1. */
  readonly contentType?: string;
}

export interface SubscribeOptions {
  /** Whether what is retained comes too, at once and at each new connection. MQTT 3.1.1 always sends it. */
  readonly retained?: boolean;
  readonly qos?: 0 | 1;
}

/** The broker's answer about one filter; `code` is its reason where it said no (MQTT 5, section 3.9.3). */
export interface Granted {
  readonly filter: string;
  readonly granted: boolean;
  readonly code: number;
}

export interface Message {
  readonly topic: string;
  readonly payload: Uint8Array;
  /** It lay there before: not sent just now. */
  readonly retained: boolean;
}

/** Retained messages of exact topics. */
export interface RetainedRead {
  readonly found: ReadonlyMap<string, Uint8Array>;
  /** Asked for twice, and nothing came: nothing is retained, or the access rules hide it. */
  readonly absent: readonly string[];
  /** The broker said no to the subscription. */
  readonly refused: readonly string[];
}

export interface Broker {
  /** QoS 1; resolves when the broker has it. Rejects where it says no, or can't be reached in time. */
  publish(topic: string, payload: string | Uint8Array, options?: PublishOptions): Promise<void>;
  /** Holds over reconnections until it is taken back. */
  subscribe(filters: readonly string[], options?: SubscribeOptions): Promise<Granted[]>;
  unsubscribe(filters: readonly string[]): Promise<void>;
  /** On a connection without other subscriptions: a stock broker drops what it can't queue. */
  readRetained(topics: readonly string[]): Promise<RetainedRead>;
}
