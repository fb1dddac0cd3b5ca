import type { Central } from '../../agent/central/central.ts';
import type { Channel } from '../../agent/central/channel.ts';
import { parseTopic, siteTopics } from '../../core/protocol/topics.ts';
import { CHUNK_BYTES } from '../../core/protocol/trust.ts';
import type { TestRelease } from './signed.ts';

export const TOPICS = siteTopics('default');

/** What a broker keeps, and gives to whoever subscribes; on the test's own time. */
export class RetainedBroker implements Channel {
  readonly retained = new Map<string, Buffer>();
  readonly published: { topic: string; document: Record<string, unknown>; retain: boolean }[] = [];
  readonly #subscribed = new Set<string>();
  #queue: [string, Buffer][] = [];
  /** How often a topic was asked for. */
  readonly asked = new Map<string, number>();

  subscribe(topics: readonly string[]): void {
    for (const topic of topics) {
      this.#subscribed.add(topic);
      this.asked.set(topic, (this.asked.get(topic) ?? 0) + 1);
      const kept = this.retained.get(topic);
      if (kept !== undefined) this.#queue.push([topic, kept]);
    }
  }

  unsubscribe(topics: readonly string[]): void {
    for (const topic of topics) this.#subscribed.delete(topic);
  }

  async publish(topic: string, payload: string, retain: boolean): Promise<boolean> {
    this.published.push({ topic, document: JSON.parse(payload) as Record<string, unknown>, retain });
    return true;
  }

  put(topic: string, payload: Buffer): void {
    this.retained.set(topic, payload);
    if (this.#subscribed.has(topic)) this.#queue.push([topic, payload]);
  }

  putRelease({ document, envelope, chunks }: TestRelease): void {
    this.put(TOPICS.release(document.model, document.version), envelope);
    for (const [i, chunk] of chunks.entries()) this.put(TOPICS.chunk(document.artifact.sha256, i), chunk);
  }

  /** Another order of what waits. */
  reverse(): void {
    this.#queue.reverse();
  }

  /** @returns how many messages came */
  deliver(central: Central | null, most = Number.POSITIVE_INFINITY): number {
    let count = 0;
    while (this.#queue.length > 0 && count < most) {
      const [topic, payload] = this.#queue.shift() as [string, Buffer];
      count++;
      if (parseTopic(topic) !== null) central?.document(topic, payload);
    }
    return count;
  }

  chunksAsked(): number {
    return [...this.asked.keys()].filter((topic) => parseTopic(topic)?.kind === 'chunk').length;
  }
}

export const chunkCount = (bytes: number): number => Math.ceil(bytes / CHUNK_BYTES);
