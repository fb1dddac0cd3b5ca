/**
 * What the centre says comes over the connection that a sink keeps anyway. The sink implements `Channel`; whoever
 * listens to the centre is its `ControlListener`.
 */
export interface Channel {
  /** Retained messages come again at each subscription: subscribing is how a document is fetched. */
  subscribe(topics: readonly string[]): void;
  unsubscribe(topics: readonly string[]): void;
  /** QoS 1. @returns whether the broker took it; false where the connection was lost, or it refused */
  publish(topic: string, payload: string, retain: boolean): Promise<boolean>;
}

export interface ControlListener {
  /** Connected; subscriptions of an earlier connection may be gone. */
  ready(channel: Channel): void;
  lost(): void;
  /** A document or chunk of a model, on a topic of the site. */
  document(topic: string, payload: Buffer): void;
  /** A command to this host; never a retained one. */
  command(name: string, payload: Buffer): void;
}

/** The topics that are wanted, over any number of connections. */
export class Subscriptions {
  readonly #wanted = new Set<string>();
  #channel: Channel | null = null;

  get channel(): Channel | null {
    return this.#channel;
  }

  connected(channel: Channel): void {
    this.#channel = channel;
    if (this.#wanted.size > 0) channel.subscribe([...this.#wanted]);
  }

  lost(): void {
    this.#channel = null;
  }

  has(topic: string): boolean {
    return this.#wanted.has(topic);
  }

  want(...topics: string[]): void {
    const fresh = topics.filter((topic) => !this.#wanted.has(topic));
    for (const topic of fresh) this.#wanted.add(topic);
    if (fresh.length > 0) this.#channel?.subscribe(fresh);
  }

  /** Asks once more for what is retained there. */
  again(...topics: string[]): void {
    const known = topics.filter((topic) => this.#wanted.has(topic));
    if (known.length > 0) this.#channel?.subscribe(known);
  }

  drop(...topics: string[]): void {
    const known = topics.filter((topic) => this.#wanted.delete(topic));
    if (known.length > 0) this.#channel?.unsubscribe(known);
  }
}
