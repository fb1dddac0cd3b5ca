import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectTcp, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MqttClient } from 'mqtt';
import { afterEach, describe, expect, test } from 'vitest';
import type { SinkConfig } from '../../agent/config/config.ts';
import { MqttSink } from '../../agent/sinks/mqtt/mqtt-sink.ts';
import { MAX_INBOUND_PACKET_BYTES } from '../../core/protocol/limits.ts';
import { hasMosquitto, type Mosquitto, makeCertificates, startMosquitto } from '../support/mosquitto.ts';
import { IDENTITY, storedEvent } from '../support/sinks.ts';

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function broker(...args: Parameters<typeof startMosquitto>): Promise<Mosquitto> {
  const mosquitto = await startMosquitto(...args);
  cleanups.push(() => mosquitto.stop());
  return mosquitto;
}

interface Started {
  readonly sink: MqttSink;
  readonly logged: { event: string; fields: Record<string, unknown> }[];
  /** Resolves at the next time that the sink is ready. */
  ready(): Promise<void>;
  logs(event: string, count?: number): Promise<void>;
}

/** Backoff takes no time here: timers fire at once, unless held. */
function start(config: Partial<SinkConfig> & { url: string }): Started {
  const logged: Started['logged'] = [];
  const waiting: (() => void)[] = [];
  const watching: (() => void)[] = [];
  const sink = new MqttSink({ type: 'mqtt', name: 'mqtt', ...config }, IDENTITY, {
    nowMs: () => 1_700_000_100_000,
    random: () => 0.02,
    setTimer: (callback, ms) => {
      const timer = setTimeout(callback, ms);
      return () => clearTimeout(timer);
    },
    log: (_level, event, fields = {}) => {
      logged.push({ event, fields });
      for (const look of watching) look();
    },
  });
  cleanups.push(() => sink.close(500));
  sink.start(() => {
    for (const resolve of waiting.splice(0)) resolve();
  });
  return {
    sink,
    logged,
    ready: () => (sink.connected() ? Promise.resolve() : new Promise((resolve) => waiting.push(resolve))),
    logs: (event, count = 1) =>
      new Promise((resolve) => {
        const look = (): void => {
          if (logged.filter((line) => line.event === event).length >= count) resolve();
        };
        watching.push(look);
        look();
      }),
  };
}

interface Received {
  readonly topic: string;
  readonly text: string;
  readonly retain: boolean;
  readonly expiry: number | undefined;
}

async function subscribe(
  port: number,
  filter: string,
): Promise<{ client: MqttClient; next(): Promise<Received> }> {
  const client = new MqttClient(() => connectTcp(port, '127.0.0.1'), {
    protocolVersion: 5,
    reconnectPeriod: 0,
  });
  cleanups.push(() => void client.end(true));
  const queue: Received[] = [];
  const waiting: ((received: Received) => void)[] = [];
  client.on('message', (topic, payload, packet) => {
    const received = {
      topic,
      text: payload.toString(),
      retain: packet.retain,
      expiry: packet.properties?.messageExpiryInterval,
    };
    const resolve = waiting.shift();
    if (resolve === undefined) queue.push(received);
    else resolve(received);
  });
  await new Promise<void>((resolve, reject) => {
    client.once('connect', () => resolve());
    client.once('error', reject);
  });
  await client.subscribeAsync(filter, { qos: 1 });
  return {
    client,
    next: () => {
      const received = queue.shift();
      return received === undefined
        ? new Promise((resolve) => waiting.push(resolve))
        : Promise.resolve(received);
    },
  };
}

const url = (port: number): string => `mqtt://127.0.0.1:${port}`;

describe.skipIf(!hasMosquitto)('MQTT sink against a real mosquitto', () => {
  test('birth is retained, alerts and events go to their topics with their expiry', async () => {
    const mosquitto = await broker();
    const events = await subscribe(mosquitto.port, 'edgewood/1/#');
    const { sink, ready } = start({ url: url(mosquitto.port) });
    await ready();
    const birth = await events.next();
    expect(birth.topic).toBe('edgewood/1/lab/a/host-1/status');
    expect(JSON.parse(birth.text)).toMatchObject({ online: true, bootId: 'boot-1' });
    expect(await sink.deliver([storedEvent(1, 'warning'), storedEvent(2)])).toEqual([
      { outcome: 'delivered' },
      { outcome: 'delivered' },
    ]);
    const alert = await events.next();
    expect(alert.topic).toBe('edgewood/1/lab/a/host-1/alert/warning');
    expect(alert.expiry).toBeGreaterThan(6 * 86_400);
    const cloudEvent = JSON.parse(alert.text) as { id: string; data: Record<string, unknown> };
    expect(cloudEvent).toMatchObject({ specversion: '1.0', id: 'e1-1', sequence: '1', sequenceepoch: 'e1' });
    expect(cloudEvent.data).toMatchObject({ publishedAt: '2023-11-14T22:15:00.000Z', replayed: true });
    expect((await events.next()).topic).toBe('edgewood/1/lab/a/host-1/event');
    const late = await subscribe(mosquitto.port, 'edgewood/1/lab/a/+/status');
    expect((await late.next()).retain).toBe(true);
  });

  test('an orderly close says goodbye; a cut connection leaves the will', async () => {
    const mosquitto = await broker();
    const status = await subscribe(mosquitto.port, 'edgewood/1/lab/a/host-1/status');
    const first = start({ url: url(mosquitto.port) });
    await first.ready();
    await status.next();
    await first.sink.close(2000);
    const goodbye = JSON.parse((await status.next()).text) as Record<string, unknown>;
    expect(goodbye).toMatchObject({ online: false });
    expect(goodbye['at']).toBeDefined();
    await first.sink.close(2000);
    expect(first.sink.connected()).toBe(false);
  });

  test('a broker killed and restarted: open publishes settle as retry, then delivery goes on', async () => {
    const mosquitto = await broker();
    const { sink, ready } = start({ url: url(mosquitto.port) });
    await ready();
    await mosquitto.kill();
    const [settlement] = await sink.deliver([storedEvent(1, 'info')]);
    expect(settlement?.outcome).toBe('retry');
    await mosquitto.restart();
    await ready();
    const events = await subscribe(mosquitto.port, 'edgewood/1/lab/a/host-1/alert/+');
    expect(await sink.deliver([storedEvent(1, 'info')])).toEqual([{ outcome: 'delivered' }]);
    expect(JSON.parse((await events.next()).text)).toMatchObject({ id: 'e1-1' });
  });

  test('user and password from files; a wrong one is named, not shown', async () => {
    const passwords = 'agent:$7$101$';
    const directory = mkdtempSync(join(tmpdir(), 'edgewood-secret-'));
    cleanups.push(() => rmSync(directory, { recursive: true }));
    writeFileSync(join(directory, 'good'), 'correct horse\n');
    writeFileSync(join(directory, 'bad'), 'wrong horse\n');
    const { execFileSync } = await import('node:child_process');
    writeFileSync(join(directory, 'passwords'), '');
    execFileSync('mosquitto_passwd', ['-b', join(directory, 'passwords'), 'agent', 'correct horse']);
    expect(readFileSync(join(directory, 'passwords'), 'utf8')).toContain(passwords.slice(0, 9));
    const mosquitto = await broker([
      'allow_anonymous false',
      `password_file ${join(directory, 'passwords')}`,
    ]);
    const good = start({
      url: url(mosquitto.port),
      username: 'agent',
      passwordFile: join(directory, 'good'),
    });
    await good.ready();
    const bad = start({ url: url(mosquitto.port), username: 'agent', passwordFile: join(directory, 'bad') });
    await bad.logs('mqtt.disconnected');
    expect(bad.sink.status().lastError).toMatch(/not authorised|user name or password/);
    expect(JSON.stringify(bad.logged)).not.toContain('horse');
  });

  test('an ACL that forbids publishing is a retry that says so', async () => {
    const mosquitto = await broker(['allow_anonymous true', 'acl_file @/acl'], {
      acl: 'topic readwrite edgewood/1/lab/a/host-1/status\ntopic read edgewood/1/lab/a/host-1/#\n',
    });
    const { sink, ready } = start({ url: url(mosquitto.port) });
    await ready();
    const [settlement] = await sink.deliver([storedEvent(1, 'critical')]);
    expect(settlement).toMatchObject({ outcome: 'retry' });
    expect(sink.status().lastError).toMatch(/not authori[sz]ed/i);
  });

  test('TLS with a client certificate; without the authority the problem is named', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'edgewood-tls-'));
    cleanups.push(() => rmSync(directory, { recursive: true }));
    const made = makeCertificates(directory);
    if (made === null) throw new Error('openssl is needed to make certificates');
    const mosquitto = await broker(['allow_anonymous true'], {}, [
      `cafile ${made.ca}`,
      `certfile ${made.cert}`,
      `keyfile ${made.key}`,
      'require_certificate true',
    ]);
    const secure = `mqtts://localhost:${mosquitto.port}`;
    const good = start({ url: secure, caFile: made.ca, certFile: made.clientCert, keyFile: made.clientKey });
    await good.ready();
    expect(await good.sink.deliver([storedEvent(1)])).toEqual([{ outcome: 'delivered' }]);
    const bad = start({ url: secure });
    await bad.logs('mqtt.disconnected');
    expect(bad.sink.status().lastError).toMatch(/caFile/);
  });

  test('garbage on every subscribed topic: still connected, counted, one line a reason', async () => {
    const mosquitto = await broker();
    const { sink, ready, logged } = start({ url: url(mosquitto.port) });
    await ready();
    const publisher = await subscribe(mosquitto.port, 'nothing');
    const base = 'edgewood/1/lab/a/host-1';
    const payloads = [
      Buffer.alloc(0),
      Buffer.from([0xff, 0xfe, 0]),
      Buffer.from('{"a":'),
      Buffer.from('[1]'),
      Buffer.from('{"a":1}'),
      Buffer.alloc(100_000, 65),
    ];
    for (let round = 0; round < 5; round++) {
      for (const topic of [`${base}/ack`, `${base}/cmd/snooze`, `${base}/cmd/NOT A NAME`]) {
        for (const payload of payloads) await publisher.client.publishAsync(topic, payload, { qos: 1 });
      }
    }
    // What was published before this event is handled before its acknowledgement.
    expect(await sink.deliver([storedEvent(1)])).toEqual([{ outcome: 'delivered' }]);
    const { counters } = sink.status();
    expect(counters['inbound.notUtf8']).toBe(10);
    expect(counters['inbound.notJson']).toBe(20);
    expect(counters['inbound.notAnObject']).toBe(10);
    expect(counters['inbound.tooLarge']).toBe(10);
    expect(counters['inbound.unsupported']).toBe(10);
    expect(counters['inbound.unknownTopic']).toBe(30);
    expect(logged.filter((line) => line.event === 'mqtt.inboundRejected').length).toBeLessThan(40);
    expect(sink.connected()).toBe(true);
  });

  test('an oversized packet is cut at its header, and the sink comes back', async () => {
    const mosquitto = await broker();
    const { sink, ready, logs } = start({ url: url(mosquitto.port), protocolVersion: 4 });
    await ready();
    const publisher = await subscribe(mosquitto.port, 'nothing');
    await publisher.client.publishAsync(
      'edgewood/1/lab/a/host-1/ack',
      Buffer.alloc(MAX_INBOUND_PACKET_BYTES + 1),
      { qos: 1 },
    );
    await logs('mqtt.packetRefused');
    expect(sink.status().counters['oversizedPackets']).toBe(1);
    // The broker kept it for the session, and would send it again and again.
    await logs('mqtt.connected', 2);
    expect(await sink.deliver([storedEvent(2)])).toEqual([{ outcome: 'delivered' }]);
  });

  test('telemetry is fire and forget, and dropped where there is no connection', async () => {
    const mosquitto = await broker();
    const events = await subscribe(mosquitto.port, 'edgewood/1/lab/a/host-1/telemetry');
    const { sink, ready } = start({ url: url(mosquitto.port) });
    await ready();
    sink.telemetry({ timeMs: 1, payload: '{"a":1}' });
    expect((await events.next()).text).toBe('{"a":1}');
    sink.telemetry({ timeMs: 1, payload: 'x'.repeat(70_000) });
    expect(sink.status().counters['telemetryDropped']).toBe(1);
  });
});

describe('MQTT sink, without a broker', () => {
  test('a broker that speaks 3.1.1 only is spoken to in 3.1.1', async () => {
    const { Aedes } = await import('aedes');
    const aedes = await Aedes.createBroker();
    const server = createServer(aedes.handle);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    cleanups.push(async () => {
      await new Promise<void>((resolve) => aedes.close(resolve));
      server.close();
    });
    const { port } = server.address() as { port: number };
    const { sink, ready } = start({ url: url(port) });
    await ready();
    expect(await sink.deliver([storedEvent(1, 'info')])).toEqual([{ outcome: 'delivered' }]);
  });

  test('a server that answers garbage, or nothing, is survived', async () => {
    const sockets: Socket[] = [];
    const server = createServer((socket) => {
      sockets.push(socket);
      socket.on('error', () => {});
      socket.write(Buffer.from([0x20, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3]));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    cleanups.push(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    const { port } = server.address() as { port: number };
    const { sink, logs } = start({ url: url(port) });
    await logs('mqtt.packetRefused');
    await logs('mqtt.disconnected');
    expect(sink.connected()).toBe(false);
    expect((await sink.deliver([storedEvent(1)]))[0]?.outcome).toBe('retry');
  });

  test('a closed port is named', async () => {
    const { sink, logs } = start({ url: 'mqtt://127.0.0.1:1' });
    await logs('mqtt.disconnected');
    expect(sink.status().lastError).toMatch(/127\.0\.0\.1:1: nothing listens there/);
  });

  test.each([
    [{ url: 'mqtt://user:secret@host' }, /passwordFile/],
    [{ url: 'mqtt://user@host' }, /usernameFile/],
    [{ url: 'http://host' }, /mqtt:\/\//],
    [{ url: 'mqtts://host', certFile: '/x' }, /go together/],
    [{ url: 'mqtt://host', passwordFile: '/nonexistent/x' }, /can't be read/],
  ])('settings that can never work are refused: %j', (config, message) => {
    const make = (): unknown => start(config as { url: string });
    expect(make).toThrow(message);
    expect(make).not.toThrow(/secret/);
  });
});
