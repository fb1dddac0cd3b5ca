import { describe, expect, test } from 'vitest';
import { Delivery } from '../../agent/delivery.ts';
import { MqttSink } from '../../agent/sinks/mqtt/mqtt-sink.ts';
import { MemoryStore } from '../../agent/store/memory-store.ts';
import { agentEvent, alert } from '../store/drafts.ts';
import { hasMosquitto } from '../support/mosquitto.ts';
import { IDENTITY } from '../support/sinks.ts';
import { BASE, broker, onCleanup, REAL, subscribe, url } from './harness.ts';

const realTimer = (callback: () => void, ms: number): (() => void) => {
  const timer = setTimeout(callback, ms);
  return () => clearTimeout(timer);
};

async function scene() {
  const mosquitto = await broker();
  const events = await subscribe(mosquitto.port, `${BASE}/#`);
  const sink = new MqttSink(
    { type: 'mqtt', name: 'mqtt', url: url(mosquitto.port), acknowledge: 'hub' },
    IDENTITY,
    { nowMs: () => 5000, random: () => 0.02, setTimer: realTimer, log: () => {} },
  );
  let hex = 0;
  const store = new MemoryStore({ nowMs: () => 5000, randomHex: () => String(hex++) });
  store.registerSinks(['mqtt']);
  const delivery = new Delivery(sink, {
    store,
    clock: { nowMs: () => 5000, monotonicMs: () => performance.now() },
    random: () => 0.02,
    log: () => {},
    setTimer: realTimer,
  });
  onCleanup(() => delivery.close(500));
  delivery.start();
  /** Sequence numbers as the hub gets them; what is not an event is left out. */
  const received = async (count: number): Promise<number[]> => {
    const numbers: number[] = [];
    while (numbers.length < count) {
      const { text } = await events.next();
      const { sequence } = JSON.parse(text) as { sequence?: string };
      if (sequence !== undefined) numbers.push(Number(sequence));
    }
    return numbers;
  };
  const acknowledge = (document: object): Promise<unknown> =>
    events.client.publishAsync(`${BASE}/ack`, JSON.stringify(document), { qos: 1 });
  return { store, sink, delivery, received, acknowledge };
}

describe.skipIf(!hasMosquitto)(`hub-acknowledged delivery, ${REAL}`, () => {
  test('an event leaves the outbox at the word of the hub, and not before', async () => {
    const { store, sink, delivery, received, acknowledge } = await scene();
    store.commitTransition({ events: [agentEvent(), alert('critical'), agentEvent()] });
    delivery.wake();
    // Delivered by rank: the alert first.
    expect(await received(3)).toEqual([2, 1, 3]);
    expect(store.outbox('mqtt').pending).toBe(3);
    const { epoch } = store;
    // Of another epoch, or of what was never sent: nothing happens.
    await acknowledge({ schemaVersion: 1, epoch: 'other', ranges: [[1, 3]] });
    await acknowledge({ schemaVersion: 1, epoch, ranges: [[4, 99]] });
    await acknowledge({ schemaVersion: 2, epoch, ranges: [[1, 3]] });
    await acknowledge({ schemaVersion: 1, epoch, ranges: [[1, 2]] });
    expect(await settled(() => store.outbox('mqtt').pending === 1)).toBe(true);
    expect(sink.status().counters).toEqual({ 'inbound.unsupported': 1 });
    await acknowledge({ schemaVersion: 1, epoch, ranges: [[3, 3]] });
    expect(await delivery.drain(5000)).toBe(true);
    expect(delivery.delivered).toBe(3);
    // Another epoch, and numbers that were never given; a wide range that a hub repeats is none.
    await acknowledge({ schemaVersion: 1, epoch, ranges: [[1, 3]] });
    expect(await settled(() => delivery.strayAcknowledgements === 2)).toBe(true);
  });

  test('a hub whose word comes with the broker’s, or while others are under way, is heard, also at a stop', async () => {
    const { store, delivery, received, acknowledge } = await scene();
    for (let n = 0; n < 40; n++) store.commitTransition({ events: [agentEvent()] });
    const total = store.outbox('mqtt').pending;
    delivery.wake();
    const hub = (async () => {
      for (let n = 0; n < total; n++) {
        const [number = 0] = await received(1);
        void acknowledge({ schemaVersion: 1, epoch: store.epoch, ranges: [[number, number]] });
      }
    })();
    // Each once, and none waits for a probe.
    expect(await delivery.drain(10_000)).toBe(true);
    await hub;
    expect(delivery.delivered).toBe(total);
  });

  test('new events go out while the hub keeps silent', async () => {
    const { store, delivery, received } = await scene();
    for (let n = 1; n <= 5; n++) {
      store.commitTransition({ events: [alert('info')] });
      delivery.wake();
      expect(await received(1)).toEqual([n]);
    }
    expect(store.outbox('mqtt').pending).toBe(5);
  });
});

/** Looks again at each turn of the event loop, for some seconds at the most. */
async function settled(holds: () => boolean): Promise<boolean> {
  const end = performance.now() + 5000;
  while (!holds() && performance.now() < end) await new Promise((resolve) => setImmediate(resolve));
  return holds();
}
