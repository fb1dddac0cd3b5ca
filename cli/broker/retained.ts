import type { Granted, RetainedRead, SubscribeOptions } from '../../hub/broker.ts';

/** A stock Mosquitto queues 1,000 messages a client and drops the others without a word: half of that, at any QoS. */
const BATCH_TOPICS = 500;
/** Brokers other than Mosquitto may send what is retained some time after the SUBACK. */
const QUIET_MS = 250;

/** The connection that is read over: its messages go to `heard`. */
export interface RetainedReader {
  subscribe(filters: readonly string[], options: SubscribeOptions): Promise<Granted[]>;
  unsubscribe(filters: readonly string[]): Promise<void>;
  ping(): Promise<void>;
  wait(ms: number): Promise<void>;
}

/**
 * Reads the retained messages of exact topics, batch by batch, so that no broker's queue is ever filled.
 *
 * When is a batch complete? The subscription is of QoS 0: Mosquitto (2.0.11) writes such messages at once, past its
 * limits of 20 in flight and 1,000 queued (5,000 of one SUBSCRIBE came whole; of QoS 1, 1,020 did), and one
 * connection's packets leave in the order in which they were written; so a PINGRESP asked for after the SUBACK comes
 * behind all of them. It takes no right to publish, as a marker would. MQTT itself promises no such order: what had no
 * answer is asked for once more, and waited for, before it counts as absent.
 * @param heard what came, by topic; filled by the owner of the connection meanwhile
 */
export async function readRetained(
  reader: RetainedReader,
  topics: readonly string[],
  heard: Map<string, Uint8Array>,
): Promise<RetainedRead> {
  const asked = new Set(topics);
  const refused = new Set<string>();
  const left = (): string[] => [...asked].filter((topic) => !heard.has(topic) && !refused.has(topic));
  for (const quietMs of [0, QUIET_MS]) {
    const round = left();
    for (let at = 0; at < round.length; at += BATCH_TOPICS) {
      const batch = round.slice(at, at + BATCH_TOPICS);
      const answers = await reader.subscribe(batch, { qos: 0, retained: true });
      for (const { filter, granted } of answers) if (!granted) refused.add(filter);
      await reader.ping();
      for (let before = -1; quietMs > 0 && before !== heard.size; ) {
        before = heard.size;
        await reader.wait(quietMs);
      }
      await reader.unsubscribe(batch);
    }
  }
  const found = new Map([...heard].filter(([topic]) => asked.has(topic)));
  return { found, absent: left(), refused: [...refused].filter((topic) => !found.has(topic)) };
}
