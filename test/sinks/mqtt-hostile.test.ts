import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MAX_INBOUND_PACKET_BYTES } from '../../core/protocol/limits.ts';
import { hasMosquitto } from '../support/mosquitto.ts';
import { storedEvent } from '../support/sinks.ts';
import { BASE, broker, onCleanup, queue, REAL, serve, start, subscribe, url } from './harness.ts';

const delivered = { outcome: 'delivered' };

describe.skipIf(!hasMosquitto)(`MQTT sink and hostile input, ${REAL}`, () => {
  test('garbage on every subscribed topic: still connected, counted, one line a reason', async () => {
    const mosquitto = await broker();
    const { sink, ready, logged } = start({ url: url(mosquitto.port) });
    await ready();
    const publisher = await subscribe(mosquitto.port, 'nothing');
    const payloads = [
      Buffer.alloc(0),
      Buffer.from([0xff, 0xfe, 0]),
      Buffer.from('{"a":'),
      Buffer.from('[1]'),
      Buffer.from('{"a":1}'),
      Buffer.alloc(100_000, 65),
    ];
    for (let round = 0; round < 5; round++) {
      for (const topic of [`${BASE}/ack`, `${BASE}/cmd/snooze`, `${BASE}/cmd/NOT A NAME`]) {
        for (const payload of payloads) await publisher.client.publishAsync(topic, payload, { qos: 1 });
      }
    }
    // What was published before this event is handled before its acknowledgement.
    expect(await sink.deliver([storedEvent(1)])).toEqual([delivered]);
    const { counters } = sink.status();
    expect(counters).toEqual({
      'inbound.notUtf8': 10,
      'inbound.notJson': 20,
      'inbound.notAnObject': 10,
      'inbound.tooLarge': 10,
      'inbound.unsupported': 10,
      'inbound.unknownTopic': 30,
    });
    expect(logged.filter((line) => line.event === 'mqtt.inboundRejected').length).toBeLessThan(40);
    expect(sink.status()).toMatchObject({ connected: true, connects: 1 });
  });

  test('whatever bytes come to a subscribed topic, the connection stands and each is counted', async () => {
    const mosquitto = await broker();
    const { sink, ready } = start({ url: url(mosquitto.port) });
    await ready();
    const publisher = await subscribe(mosquitto.port, 'nothing');
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 500 }),
      fc.json().map((text) => Buffer.from(text)),
    );
    const payloads = fc.sample(bytes, 200);
    for (const payload of payloads)
      await publisher.client.publishAsync(`${BASE}/cmd/x`, Buffer.from(payload), { qos: 1 });
    expect(await sink.deliver([storedEvent(1)])).toEqual([delivered]);
    const counted = Object.values(sink.status().counters).reduce((sum, count) => sum + count, 0);
    expect(counted).toBe(payloads.length);
    expect(sink.status().connects).toBe(1);
  });

  test('an oversized packet is cut at its header, and the sink comes back', async () => {
    const mosquitto = await broker();
    const { sink, ready, logs } = start({ url: url(mosquitto.port), protocolVersion: 4 });
    await ready();
    const publisher = await subscribe(mosquitto.port, 'nothing');
    const packet = Buffer.alloc(MAX_INBOUND_PACKET_BYTES + 1);
    await publisher.client.publishAsync(`${BASE}/ack`, packet, { qos: 1 });
    await logs('mqtt.packetRefused');
    expect(sink.status().counters['oversizedPackets']).toBe(1);
    // The broker kept it for the session, and would send it again and again.
    await logs('mqtt.connected', 2);
    expect(await sink.deliver([storedEvent(2)])).toEqual([delivered]);
  });

  test('a retained oversized packet cannot keep alerts from going out', async () => {
    const mosquitto = await broker();
    const publisher = await subscribe(mosquitto.port, 'nothing');
    const packet = Buffer.alloc(MAX_INBOUND_PACKET_BYTES + 1);
    await publisher.client.publishAsync(`${BASE}/ack`, packet, { qos: 1, retain: true });
    const { sink, logs } = start({ url: url(mosquitto.port), protocolVersion: 4 });
    await logs('mqtt.notListening');
    expect(sink.status().counters['oversizedPackets']).toBe(3);
    expect(await sink.deliver([storedEvent(2)])).toEqual([delivered]);
    // In version 5, retained messages are not asked for at all.
    const five = start({ url: url(mosquitto.port) });
    await five.ready();
    expect(await five.sink.deliver([storedEvent(3)])).toEqual([delivered]);
    expect(five.sink.status().counters).toEqual({});
  });

  test('it listens again when the packet is gone', async () => {
    const mosquitto = await broker();
    const publisher = await subscribe(mosquitto.port, 'nothing');
    const packet = Buffer.alloc(MAX_INBOUND_PACKET_BYTES + 1);
    await publisher.client.publishAsync(`${BASE}/ack`, packet, { qos: 1, retain: true });
    const lasts = (ms: number): number => (ms >= 60_000 ? 500 : ms);
    const { sink, logs } = start({ url: url(mosquitto.port), protocolVersion: 4 }, lasts);
    await logs('mqtt.notListening');
    await publisher.client.publishAsync(`${BASE}/ack`, '', { qos: 1, retain: true });
    const before = sink.status().connects;
    await logs('mqtt.connected', before + 1);
    await publisher.client.publishAsync(`${BASE}/cmd/snooze`, '[', { qos: 1 });
    await logs('mqtt.inboundRejected');
    expect(await sink.deliver([storedEvent(2)])).toEqual([delivered]);
  });

  test('200 MB published to a subscribed topic cost less than 5 MB', async () => {
    const mosquitto = await broker(['allow_anonymous true', 'message_size_limit 0']);
    const child = spawn(
      process.execPath,
      [new URL('./memory-child.ts', import.meta.url).pathname, url(mosquitto.port), '4'],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    onCleanup(() => void child.kill('SIGKILL'));
    const lines = queue<string>();
    createInterface(child.stdout).on('line', lines.put);
    const read = async (what: string): Promise<{ rss: number; peak: number }> => {
      const [said, json = ''] = (await lines.next()).split(' ');
      expect(said).toBe(what);
      return JSON.parse(json) as { rss: number; peak: number };
    };
    const before = await read('ready');
    const publisher = await subscribe(mosquitto.port, 'nothing');
    publisher.client.publish(`${BASE}/ack`, Buffer.alloc(200_000_000), { qos: 0 });
    await read('refused');
    const after = await read('back');
    expect(after.peak - before.rss).toBeLessThan(5 * 1024);
  });
});

describe('MQTT sink and a server that is no broker', () => {
  test.each([
    ['a length of five bytes', [0x20, 0x80, 0x80, 0x80, 0x80, 0x01], /malformed/],
    ['a length without end', [0x20, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3], /oversized/],
    ['a web server', [...Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')], /./],
  ])('%s is survived and told', async (_what, bytes, words) => {
    const port = await serve((socket) => void socket.write(Buffer.from(bytes)));
    const { sink, logs } = start({ url: url(port) });
    await logs('mqtt.disconnected');
    expect(sink.status().lastError).toMatch(words);
    expect(sink.connected()).toBe(false);
    expect((await sink.deliver([storedEvent(1)]))[0]?.outcome).toBe('retry');
  });

  test('arbitrary answers never throw, and never make it ready', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 60 }), async (bytes) => {
        // A CONNACK that says yes is the one answer that would be right.
        fc.pre(bytes[0] !== 0x20);
        const port = await serve((socket) => void socket.end(bytes));
        const { sink, logs } = start({ url: url(port) });
        await logs('mqtt.disconnected');
        expect(sink.connected()).toBe(false);
        await sink.close(10);
      }),
      { numRuns: 60 },
    );
  });

  test('a broker that answers nothing more is left after a while', async () => {
    const { vi } = await import('vitest');
    const port = await serve((socket) => {
      // Accepts the connection, and then only swallows.
      socket.once('data', () => void socket.write(Buffer.from([0x20, 0x02, 0x00, 0x00])));
      socket.on('data', () => {});
    });
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onCleanup(() => void vi.useRealTimers());
    const { sink, logs } = start({ url: url(port), protocolVersion: 4 });
    const told = logs('mqtt.disconnected');
    while (sink.status().lastError === null) {
      await vi.advanceTimersByTimeAsync(1000);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await told;
    expect(sink.status().lastError).toMatch(/no acknowledgement within 30 s/);
  });
});
