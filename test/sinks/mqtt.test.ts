import { createServer } from 'node:net';
import { describe, expect, test } from 'vitest';
import { hasMosquitto } from '../support/mosquitto.ts';
import { validator } from '../support/schemas.ts';
import { HEALTH, storedEvent } from '../support/sinks.ts';
import {
  BASE,
  broker,
  listen,
  NOW_MS,
  onCleanup,
  proxy,
  REAL,
  serve,
  start,
  subscribe,
  url,
} from './harness.ts';

interface Envelope {
  readonly id: string;
  readonly data: Record<string, unknown>;
}
const envelope = (text: string): Envelope => JSON.parse(text) as Envelope;
const delivered = { outcome: 'delivered' };

describe.skipIf(!hasMosquitto)(`MQTT sink ${REAL}`, () => {
  test('birth is retained, alerts and events go to their topics with their properties', async () => {
    const mosquitto = await broker();
    const events = await subscribe(mosquitto.port, 'edgewood/1/#');
    const { sink, ready } = start({ url: url(mosquitto.port) });
    await ready();
    const birth = await events.next();
    expect(birth.topic).toBe(`${BASE}/status`);
    expect(JSON.parse(birth.text)).toMatchObject({ online: true, bootId: 'boot-1' });
    expect(validator('status')(JSON.parse(birth.text))).toEqual([]);
    expect(await sink.deliver([storedEvent(1, 'warning'), storedEvent(2)])).toEqual([delivered, delivered]);
    const alert = await events.next();
    expect(alert).toMatchObject({
      topic: `${BASE}/alert/warning`,
      retain: false,
      contentType: 'application/cloudevents+json',
    });
    expect(alert.expiry).toBeGreaterThan(6 * 86_400);
    expect(validator('event')(JSON.parse(alert.text))).toEqual([]);
    expect(envelope(alert.text)).toMatchObject({ id: 'e1-1', sequence: '1', sequenceepoch: 'e1' });
    expect(envelope(alert.text).data).toMatchObject({
      publishedAt: new Date(NOW_MS).toISOString(),
      replayed: true,
    });
    expect((await events.next()).topic).toBe(`${BASE}/event`);
    const late = await subscribe(mosquitto.port, 'edgewood/1/lab/a/+/status');
    expect((await late.next()).retain).toBe(true);
  });

  test('an orderly close says goodbye, and is no failure', async () => {
    const mosquitto = await broker();
    const status = await subscribe(mosquitto.port, `${BASE}/status`);
    const { sink, ready, logged } = start({ url: url(mosquitto.port) });
    await ready();
    await status.next();
    await sink.close(2000);
    const goodbye = JSON.parse((await status.next()).text) as Record<string, unknown>;
    expect(goodbye).toMatchObject({ online: false, bootId: 'boot-1' });
    expect(goodbye['at']).toBe(new Date(NOW_MS).toISOString());
    expect(sink.status()).toMatchObject({ connected: false, lastError: null, counters: {} });
    expect(logged.map((line) => line.event)).toEqual(['mqtt.connected']);
  });

  test('a cut connection leaves the will, retained, with the bootId; then the next birth', async () => {
    const mosquitto = await broker();
    const network = await proxy(mosquitto.port);
    const status = await subscribe(mosquitto.port, `${BASE}/status`);
    const { sink, ready } = start({ url: url(network.port) });
    await ready();
    await status.next();
    network.cut();
    const will = JSON.parse((await status.next()).text) as Record<string, unknown>;
    expect(will).toMatchObject({ online: false, bootId: 'boot-1' });
    expect(will['at']).toBeUndefined();
    expect(validator('status')(will)).toEqual([]);
    expect(JSON.parse((await status.next()).text)).toMatchObject({ online: true });
    await ready();
    expect(sink.status().counters['connectionsLost']).toBe(1);
  });

  test('a broker that only hangs up when a second client takes over: the log asks about a cloned host', async () => {
    const mosquitto = await broker();
    const { sink, ready, logs } = start({ url: url(mosquitto.port) });
    await ready();
    const twin = start({ url: url(mosquitto.port) });
    await twin.ready();
    await logs('mqtt.disconnected');
    expect(sink.status().lastError).toMatch(
      /does another client use this host id \(a cloned host\)\?|took over/,
    );
  });

  test('kill -9 in the middle of a batch: one retry each, nothing sent behind our back, then all of it', async () => {
    const mosquitto = await broker();
    const { sink, ready, logs } = start({ url: url(mosquitto.port) });
    await ready();
    mosquitto.pause();
    const batch = Array.from({ length: 40 }, (_, i) => storedEvent(i + 1, 'info'));
    const open = sink.deliver(batch);
    await mosquitto.kill();
    expect((await open).map(({ outcome }) => outcome)).toEqual(batch.map(() => 'retry'));
    await logs('mqtt.disconnected');
    expect(sink.status().lastError).toMatch(/broker/);
    await mosquitto.restart();
    const events = await subscribe(mosquitto.port, `${BASE}/alert/+`);
    await ready();
    // Had the client kept an outbox, its first events would be there before this one.
    expect(await sink.deliver([storedEvent(99, 'info')])).toEqual([delivered]);
    expect(envelope((await events.next()).text).id).toBe('e1-99');
    expect(await sink.deliver(batch)).toEqual(batch.map(() => delivered));
    for (const event of batch) {
      const { id, data } = envelope((await events.next()).text);
      expect(id).toBe(event.id);
      expect(data['replayed']).toBe(true);
    }
  });

  test('telemetry is fire and forget, and dropped where it is too large', async () => {
    const mosquitto = await broker();
    const events = await subscribe(mosquitto.port, `${BASE}/telemetry`);
    const { sink, ready } = start({ url: url(mosquitto.port) });
    await ready();
    sink.telemetry({ timeMs: 1, payload: '{"a":1}', health: HEALTH });
    const received = await events.next();
    expect(received.text).toBe('{"a":1}');
    expect(received.expiry).toBeLessThanOrEqual(300);
    // Counted in bytes: 40,000 characters of two bytes each.
    sink.telemetry({ timeMs: 1, payload: 'é'.repeat(40_000), health: HEALTH });
    expect(sink.status().counters['telemetryDropped']).toBe(1);
  });

  test("a broker's own packet limit makes an event poison, and nothing else", async () => {
    const mosquitto = await broker(['allow_anonymous true', 'max_packet_size 4000']);
    const { sink, ready } = start({ url: url(mosquitto.port) });
    await ready();
    const large = { ...storedEvent(1), data: JSON.stringify({ text: 'x'.repeat(4000) }) };
    const settlements = await sink.deliver([large, storedEvent(2)]);
    expect(settlements[0]).toMatchObject({ outcome: 'poison', reason: expect.stringContaining('4000') });
    expect(settlements[1]).toEqual(delivered);
    expect(sink.status().connects).toBe(1);
  });

  test('an event that the broker ends the connection over is found, and set aside; the others arrive', async () => {
    const mosquitto = await broker(['allow_anonymous true', 'message_size_limit 2000']);
    const { sink, ready } = start({ url: url(mosquitto.port) });
    await ready();
    const large = { ...storedEvent(20), data: JSON.stringify({ text: 'x'.repeat(4000) }) };
    let pending = [...Array.from({ length: 19 }, (_, i) => storedEvent(i + 1)), large, storedEvent(21)];
    const outcomes = new Map<string, string>();
    while (pending.length > 0) {
      await ready();
      const settlements = await sink.deliver(pending);
      pending = pending.filter((event, i) => {
        const outcome = settlements[i]?.outcome ?? 'retry';
        if (outcome !== 'retry') outcomes.set(event.id, outcome);
        return outcome === 'retry';
      });
    }
    expect(outcomes.get('e1-20')).toBe('poison');
    expect([...outcomes.values()].filter((outcome) => outcome === 'delivered')).toHaveLength(20);
  });

  test('no more in flight than the broker asks for', async () => {
    // A client that ignores the receive maximum is disconnected (MQTT 5, section 3.3.4).
    const mosquitto = await broker(['allow_anonymous true', 'max_inflight_messages 3']);
    const { sink, ready } = start({ url: url(mosquitto.port) });
    await ready();
    const batch = Array.from({ length: 30 }, (_, i) => storedEvent(i + 1));
    expect(await sink.deliver(batch)).toEqual(batch.map(() => delivered));
    expect(sink.status().connects).toBe(1);
  });
});

/** What a broker of version 5 sends, for what mosquitto never does. */
const CONNACK = [0x20, 0x03, 0x00, 0x00, 0x00];

test("a second client under the same id is named by a broker's DISCONNECT", async () => {
  const port = await serve((socket) => void socket.end(Buffer.from([...CONNACK, 0xe0, 0x01, 0x8e])));
  const { sink, logs } = start({ url: url(port) });
  await logs('mqtt.disconnected');
  expect(sink.status().lastError).toMatch(/another client took over/);
});

describe('MQTT sink and versions', () => {
  const aedesPort = async (settings: object = {}): Promise<number> => {
    const { Aedes } = await import('aedes');
    const aedes = await Aedes.createBroker(settings);
    onCleanup(() => new Promise<void>((resolve) => aedes.close(resolve)));
    return listen(createServer(aedes.handle));
  };

  test('a broker that speaks 3.1.1 only is spoken to in 3.1.1', async () => {
    const { sink, ready, logged } = start({ url: url(await aedesPort()) });
    await ready();
    expect(await sink.deliver([storedEvent(1, 'info')])).toEqual([delivered]);
    expect(logged.find((line) => line.event === 'mqtt.connected')?.fields['version']).toBe('3.1.1');
  });

  test('subscriptions that are refused are told, and alerts go out all the same', async () => {
    const port = await aedesPort({
      authorizeSubscribe: (_client: unknown, _subscription: unknown, answer: (e: null, s: null) => void) =>
        answer(null, null),
    });
    const { sink, ready, logged } = start({ url: url(port) });
    await ready();
    expect(logged.some((line) => line.event === 'mqtt.subscriptionRefused')).toBe(true);
    expect(await sink.deliver([storedEvent(1, 'info')])).toEqual([delivered]);
  });

  test('a version that is configured is never left', async () => {
    const { sink, logs } = start({ url: url(await aedesPort()), protocolVersion: 5 });
    await logs('mqtt.disconnected');
    expect(sink.status().lastError).toMatch(/does not speak this MQTT version/);
  });

  test('a closed port says nothing about versions', async () => {
    const { sink, logged } = start({ url: 'mqtt://127.0.0.1:1' });
    // Any later connection would be worse off in 3.1.1.
    const failed = (): number => sink.status().counters['connectFailures'] ?? 0;
    await new Promise<void>((resolve) => {
      const look = (): void => void (failed() >= 3 ? resolve() : setImmediate(look));
      look();
    });
    expect(sink.status().lastError).toMatch(/127\.0\.0\.1:1: nothing listens there/);
    expect(logged.map((line) => line.event)).toEqual(['mqtt.disconnected']);
  });

  test('hung up on without a word, 3.1.1 is tried once, then 5 again', async () => {
    const versions: (number | undefined)[] = [];
    let third = (): void => {};
    const seen = new Promise<void>((resolve) => {
      third = resolve;
    });
    const port = await serve((socket, nth) => {
      socket.once('data', (connect: Buffer) => {
        versions.push(connect[connect.indexOf('MQTT') + 4]);
        socket.end();
        if (nth === 3) third();
      });
    });
    start({ url: url(port) });
    await seen;
    expect(versions).toEqual([5, 4, 5]);
  });
});
