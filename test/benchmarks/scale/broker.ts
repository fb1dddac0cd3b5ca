import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { MqttClient } from 'mqtt';
import type { Channel } from '../../../agent/central/channel.ts';
import { agentTopics, ROOT, siteTopics } from '../../../core/protocol/topics.ts';
import type { Role } from '../../../models/access/roles.ts';
import { ProtocolClient } from '../../proofs/reconnect/client.ts';
import { type FleetBroker, startFleetBroker } from '../../support/fleet-broker.ts';
import { startMosquitto } from '../../support/mosquitto.ts';
import { HEALTH } from '../../support/sinks.ts';
import { type Cost, costOf, cpuMs, residentBytes, round, until } from './processes.ts';

/** What a Mosquitto pays for a host: connections, messages, what is retained, documents and chunks. */

const SITE = 'lab';
const IDLE_MS = 60_000;
const ALERTS_EACH = 2;
/** Connections being made at a time: more would time out where this process is slower than the broker. */
const CONNECTING = 100;
const TELEMETRY_EACH = 5;

/** Sizes of payloads, in bytes. */
export interface Sizes {
  readonly telemetry: number;
  readonly reported: number;
  readonly rollout: number;
  readonly chunk: number;
}

export interface BrokerCosts {
  readonly clients: number;
  readonly sizes: Sizes;
  /** TCP, no rules: one connection, with its birth and two subscriptions. */
  readonly plainConnection: Cost;
  /** As `fleet broker` configures it: TLS, password, rules. */
  readonly connection: Cost;
  /** That one processor takes: a full handshake each, the password, CONNECT, birth and subscriptions. */
  readonly connectionsASecondACore: number;
  readonly residentBytesWithoutClients: number;
  /** One connection that says nothing but its keepalive. */
  readonly idleCpuUsASecond: number;
  readonly alert: Cost;
  readonly telemetryToNobody: Cost;
  readonly telemetryToOne: Cost;
  readonly reported: Cost;
  /** One host that is given a new document. */
  readonly rollout: Cost;
  /** One host that subscribes to a chunk and gets it. */
  readonly chunk: Cost;
}

export async function measureBroker(count: number, sizes: Sizes): Promise<BrokerCosts> {
  const ids = Array.from({ length: count }, (_, i) => `host-${i}`);
  const plain = await startMosquitto();
  const plainClients = ids.map(
    (id) => new ProtocolClient({ url: `mqtt://127.0.0.1:${plain.port}` }, SITE, id, { connected: () => {} }),
  );
  const plainConnection = await costOf(plain.pid, count, () => connectAll(plainClients));
  await Promise.all(plainClients.map((client) => client.close()));
  await plain.stop();

  const directory = mkdtempSync(join(tmpdir(), 'edgewood-scale-'));
  const broker = await startFleetBroker(directory, {
    site: SITE,
    identities: [
      ...ids.map((id) => ['agent', id] as const),
      ['hub', 'hub'],
      ['operator', 'op'],
      ['releaser', 're'],
    ],
    persistence: false,
  });
  const { pid } = broker.mosquitto;
  const channels: Channel[] = [];
  let documents = 0;
  const clients = ids.map(
    (hostId, i) =>
      new ProtocolClient({ url: broker.url, ...broker.credentials('agent', hostId) }, SITE, hostId, {
        connected: () => {},
        channel: (channel) => {
          channels[i] = channel;
        },
        document: () => void documents++,
      }),
  );
  const got = (): Promise<void> => until(() => documents === count, 'a document to every host');
  try {
    const residentBytesWithoutClients = residentBytes(pid);
    const connection = await costOf(pid, count, () => connectAll(clients));
    const idle = cpuMs(pid);
    await sleep(IDLE_MS);
    const idleCpuUsASecond = round(((cpuMs(pid) - idle) * 1000) / (IDLE_MS / 1000) / count);

    const batch = { timeMs: 0, payload: 'x'.repeat(sizes.telemetry), health: HEALTH };
    const tell = async (): Promise<void> => {
      for (let i = 0; i < TELEMETRY_EACH; i++) await each(clients, ({ sink }) => sink.telemetry(batch));
      await quiet(pid);
    };
    const telemetryToNobody = await costOf(pid, TELEMETRY_EACH * count, tell);
    const hub = await login(broker, 'hub', 'hub');
    const heard = new Map<string, number>();
    hub.on('message', (topic) => {
      const kind = topic.split('/')[5] as string;
      heard.set(kind, (heard.get(kind) ?? 0) + 1);
    });
    await hub.subscribeAsync(
      ['telemetry', 'alert/+'].map((kind) => `${ROOT}/${SITE}/a/+/${kind}`),
      { qos: 1 },
    );
    const telemetryToOne = await costOf(pid, TELEMETRY_EACH * count, tell);
    const alert = await costOf(pid, ALERTS_EACH * count, async () => {
      for (let i = 0; i < ALERTS_EACH; i++) await each(clients, (client) => void client.alert());
      await until(() => heard.get('alert') === ALERTS_EACH * count, 'every alert');
    });
    const report = 'x'.repeat(sizes.reported);
    const reported = await costOf(pid, count, async () => {
      const taken: Promise<boolean>[] = [];
      await each(
        channels,
        (channel, i) =>
          void taken.push(channel.publish(agentTopics(SITE, ids[i] as string).reported, report, true)),
      );
      if ((await Promise.all(taken)).includes(false)) throw new Error('a report was refused');
    });

    const topics = siteTopics(SITE);
    await each(channels, (channel) => channel.subscribe([topics.rollout('host')]));
    await quiet(pid);
    const operator = await login(broker, 'operator', 'op');
    const rollout = await costOf(pid, count, async () => {
      await operator.publishAsync(topics.rollout('host'), Buffer.alloc(sizes.rollout, 120), {
        qos: 1,
        retain: true,
      });
      await got();
    });
    documents = 0;
    const releaser = await login(broker, 'releaser', 're');
    const chunkTopic = topics.chunk('0'.repeat(64), 0);
    await releaser.publishAsync(chunkTopic, Buffer.alloc(sizes.chunk, 120), { qos: 1, retain: true });
    const chunk = await costOf(pid, count, async () => {
      await each(channels, (channel) => channel.subscribe([chunkTopic]));
      await got();
    });
    for (const client of [hub, operator, releaser]) client.end(true);
    return {
      clients: count,
      sizes,
      plainConnection,
      connection,
      connectionsASecondACore: Math.round(1e6 / connection.cpuUs),
      residentBytesWithoutClients,
      idleCpuUsASecond,
      alert,
      telemetryToNobody,
      telemetryToOne,
      reported,
      rollout,
      chunk,
    };
  } finally {
    await Promise.all(clients.map((client) => client.close()));
    await broker.mosquitto.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** In small crowds, with room for the other side to work. */
async function each<T>(items: readonly T[], work: (item: T, index: number) => void): Promise<void> {
  for (const [i, item] of items.entries()) {
    work(item, i);
    if (i % 20 === 19) await sleep(10);
  }
}

async function connectAll(clients: readonly ProtocolClient[]): Promise<void> {
  for (const [i, client] of clients.entries()) {
    client.start();
    const early = clients[i - CONNECTING];
    if (early !== undefined) while (!early.sink.connected()) await sleep(5);
  }
  await until(() => clients.every(({ sink }) => sink.connected()), 'every client connected');
}

/** Until the broker has nothing more to do. */
async function quiet(pid: number): Promise<void> {
  let last = Number.NEGATIVE_INFINITY;
  await until(() => {
    const now = cpuMs(pid);
    const still = now - last < 0.5;
    last = now;
    return still;
  }, 'a quiet broker');
}

async function login(broker: FleetBroker, role: Role, name: string): Promise<MqttClient> {
  const { username, passwordFile, caFile } = broker.credentials(role, name);
  const { port } = broker.mosquitto;
  const client = new MqttClient(
    () => connectTls({ port, host: 'localhost', ca: readFileSync(caFile as string) }),
    {
      protocolVersion: 5,
      reconnectPeriod: 0,
      username: username as string,
      password: readFileSync(passwordFile as string, 'utf8'),
    },
  );
  await new Promise<void>((resolve, reject) => {
    client.once('connect', () => resolve());
    client.once('error', reject);
  });
  return client;
}
