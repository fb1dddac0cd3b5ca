import { writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { BrokerClient, type BrokerClientOptions } from '../../../cli/broker/client.ts';
import { BrokerError } from '../../../cli/broker/errors.ts';
import type { Message } from '../../../hub/broker.ts';
import {
  freePort,
  hasMosquitto,
  type Mosquitto,
  makeCertificates,
  startMosquitto,
} from '../../support/mosquitto.ts';

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function broker(...args: Parameters<typeof startMosquitto>): Promise<Mosquitto> {
  const mosquitto = await startMosquitto(...args);
  cleanups.push(() => mosquitto.stop());
  return mosquitto;
}

interface Inbox {
  readonly got: Message[];
  next(): Promise<Message>;
}

async function client(
  url: string,
  options: Partial<BrokerClientOptions> & { readonly settings?: object } = {},
): Promise<BrokerClient & { readonly inbox: Inbox }> {
  const got: Message[] = [];
  const queue: Message[] = [];
  const waiting: ((message: Message) => void)[] = [];
  const { settings, ...rest } = options;
  const made = await BrokerClient.connect(
    { type: 'mqtt', name: 'broker', url, ...settings },
    {
      purpose: 'test',
      random: () => 0.01,
      answerMs: 10_000,
      messages: (message) => {
        got.push(message);
        const waits = waiting.shift();
        if (waits === undefined) queue.push(message);
        else waits(message);
      },
      ...rest,
    },
  );
  cleanups.push(() => made.close());
  const next = (): Promise<Message> => {
    const [first] = queue.splice(0, 1);
    return first === undefined ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve(first);
  };
  return Object.assign(made, { inbox: { got, next } });
}

const url = (port: number): string => `mqtt://127.0.0.1:${port}`;
const text = (bytes: Uint8Array | undefined): string => new TextDecoder().decode(bytes);

describe.skipIf(!hasMosquitto)('the client of central commands, against a real mosquitto', () => {
  test('publishes, subscribes with and without what is retained, and is subscribed again after a broker died', async () => {
    const mosquitto = await broker();
    const lost: string[] = [];
    const one = await client(url(mosquitto.port), { onDisconnected: (words) => lost.push(words) });
    await one.publish('a/r', 'there before', { retain: true });
    expect(await one.subscribe(['a/+'], { retained: false })).toEqual([
      { filter: 'a/+', granted: true, code: 1 },
    ]);
    await one.publish('a/x', new Uint8Array([0, 255]));
    const { topic, payload, retained } = await one.inbox.next();
    expect([topic, [...payload], retained]).toEqual(['a/x', [0, 255], false]);

    const two = await client(url(mosquitto.port));
    await two.subscribe(['a/+']);
    expect(await two.inbox.next()).toMatchObject({ topic: 'a/r', retained: true });

    await mosquitto.restart();
    // Sent again on the connection after; the order of the two clients is open.
    await two.publish('a/y', 'after');
    await one.publish('a/z', 'after');
    expect((await one.inbox.next()).topic).toMatch(/^a\/[yz]$/);
    expect(lost[0]).toMatch(/closed the connection/);
  });

  test('5,000 retained topics and 700 that hold nothing, from a broker as it is installed: every one', async () => {
    const mosquitto = await broker();
    const one = await client(url(mosquitto.port));
    const topics = Array.from({ length: 5000 }, (_, i) => `edgewood/1/lab/a/host-${i}/status`);
    await Promise.all(topics.map((topic, i) => one.publish(topic, `state ${i}`, { retain: true })));
    const reader = await client(url(mosquitto.port));
    const absent = Array.from({ length: 700 }, (_, i) => `edgewood/1/lab/a/nobody-${i}/status`);
    const read = await reader.readRetained([...absent, ...topics]);
    expect(read.found.size).toBe(5000);
    expect(topics.every((topic, i) => text(read.found.get(topic)) === `state ${i}`)).toBe(true);
    expect(read.absent).toEqual(absent);
    expect(read.refused).toEqual([]);
    // Nothing of it went to the others, and nothing is subscribed any more.
    expect(reader.inbox.got).toEqual([]);
    await one.publish(topics[0] as string, 'later', { retain: true });
    await reader.subscribe(['b']);
    await one.publish('b', 'marker');
    expect(await reader.inbox.next()).toMatchObject({ topic: 'b' });
    // What a wildcard would have brought.
    const naive = await client(url(mosquitto.port));
    await naive.subscribe(['edgewood/1/lab/a/+/status', 'end']);
    // While its queue is full, what is new is dropped as well.
    do await naive.publish('end', '');
    while (naive.inbox.got.at(-1)?.topic !== 'end');
    expect(naive.inbox.got.length).toBeLessThan(1100);
  });

  test('a session holds what came while nobody was there', async () => {
    const mosquitto = await broker();
    const session = { clientId: 'the-hub', expirySeconds: 60 };
    const before = await client(url(mosquitto.port), { session });
    await before.subscribe(['a']);
    await before.close();
    const other = await client(url(mosquitto.port));
    await other.publish('a', 'meanwhile');
    const after = await client(url(mosquitto.port), { session });
    expect(text((await after.inbox.next()).payload)).toBe('meanwhile');
  });

  test('what the broker forbids is said, with its reason', async () => {
    const acl = 'topic write mine\ntopic read mine\n';
    const mosquitto = await broker(['allow_anonymous true', 'acl_file @/acl'], { acl });
    const one = await client(url(mosquitto.port));
    await one.publish('mine', 'x');
    await expect(one.publish('yours', 'x')).rejects.toMatchObject({
      name: 'BrokerError',
      code: 135,
      exitCode: 3,
    });
    await one.publish('mine', 'x', { retain: true });
    expect(await one.readRetained(['mine', 'yours'])).toMatchObject({ absent: ['yours'], refused: [] });
  });

  test('an unreachable broker, a wrong password: words, and exit code 3', async () => {
    const port = await freePort();
    await expect(client(url(port))).rejects.toThrow(/nothing listens there/);
    const mosquitto = await broker(['allow_anonymous false', 'password_file @/none'], { none: '' });
    const failed = client(url(mosquitto.port));
    await expect(failed).rejects.toThrow(BrokerError);
    await expect(failed).rejects.toMatchObject({
      exitCode: 3,
      message: expect.stringMatching(/not authorised/),
    });
    await expect(client('http://x')).rejects.toMatchObject({ exitCode: 2 });
  });

  test('a port that hangs up without a word (TLS, spoken to in plain): one try in each version, then it waits', async () => {
    let connections = 0;
    let failures = 0;
    const server = createServer((socket) => {
      connections++;
      socket.on('error', () => {});
      socket.once('data', () => socket.destroy());
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    cleanups.push(() => void server.close());
    const { port } = server.address() as AddressInfo;
    await expect(client(`mqtt://127.0.0.1:${port}`)).rejects.toThrow(/does port \d+ speak TLS\? Then mqtts:/);
    expect(connections).toBe(2);
    // A hub goes on trying: twice after each wait, and no more.
    const hub = new BrokerClient(
      { type: 'mqtt', name: 'broker', url: `mqtt://127.0.0.1:${port}` },
      { purpose: 'test', random: () => 1, answerMs: 2000, onDisconnected: () => void failures++ },
    );
    cleanups.push(() => hub.close());
    await expect(hub.publish('t', 'x')).rejects.toThrow('speak TLS');
    expect(failures).toBe(1);
    // Waits of 0.5, 1, 2, 4 s, whatever the load: at most three of them begin within two seconds.
    expect(connections).toBeLessThanOrEqual(2 + 2 * 3);
  });

  test('a broker that holds its connections and says nothing: given up in time', async () => {
    const mosquitto = await broker();
    const one = await client(url(mosquitto.port), { answerMs: 300 });
    mosquitto.pause();
    await expect(one.publish('a', 'x')).rejects.toThrow(/no answer within 0.3 s/);
    mosquitto.resume();
    await one.publish('a', 'x');
  });

  test('speaks 3.1.1 to a broker that knows nothing newer, and TLS with a client certificate', async () => {
    const mosquitto = await broker();
    const certificates = makeCertificates(mosquitto.directory);
    if (certificates === null) throw new Error('openssl is missing');
    const { ca, cert, key, clientCert, clientKey } = certificates;
    const tls = await broker(['allow_anonymous true'], {}, [
      `cafile ${ca}`,
      `certfile ${cert}`,
      `keyfile ${key}`,
      'require_certificate true',
    ]);
    const settings = { caFile: ca, certFile: clientCert, keyFile: clientKey, protocolVersion: 4 };
    const one = await client(`mqtts://localhost:${tls.port}`, { settings });
    await one.publish('a', 'x', { retain: true, expirySeconds: 5 });
    expect((await one.readRetained(['a'])).found.size).toBe(1);
    await expect(client(`mqtts://localhost:${tls.port}`, { settings: { caFile: ca } })).rejects.toMatchObject(
      {
        exitCode: 3,
      },
    );
    const empty = join(mosquitto.directory, 'empty');
    writeFileSync(empty, '');
    await expect(client(url(1), { settings: { passwordFile: empty } })).rejects.toMatchObject({
      exitCode: 2,
    });
  });
});
