import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import Database from 'better-sqlite3';
import { MqttClient } from 'mqtt';
import { ROOT } from '../../../core/protocol/topics.ts';
import { runExecutable } from '../../support/executable.ts';
import { type FleetBroker, startFleetBroker } from '../../support/fleet-broker.ts';
import { usageOf } from '../../support/usage.ts';
import { firstTries } from './backoff.ts';
import { ProtocolClient } from './client.ts';
import { type Spread, spreadOf } from './histogram.ts';

export interface ReconnectOptions {
  readonly clients: number;
  readonly downMs: number;
  /** Between the first connections and the kill; after 30 s a connection counts as one that held. */
  readonly steadyMs: number;
  /** Over how long the alerts after the restart are spread. */
  readonly afterMs: number;
  readonly deadlineMs: number;
  /** A packaged hub has the last word; else the broker's is enough. */
  readonly hub: boolean;
}

const MOMENTS = ['before', 'atTheKill', 'during', 'after'] as const;
type Moment = (typeof MOMENTS)[number];

export interface ReconnectResult extends ReconnectOptions {
  readonly reconnects: Spread;
  /** What the backoff alone would do, at a broker and on a machine that take any number at once. */
  readonly byBackoffAlone: Spread;
  readonly failedAttempts: number;
  readonly brokerCpuSeconds: number;
  readonly clientsLoopDelayP99Ms: number;
  readonly alerts: Readonly<
    Record<Moment, { committed: number; acknowledged: number; lastMs: number; p50Ms: number; p95Ms: number }>
  >;
  /** From the restart on. */
  readonly lastAcknowledgedMs: number;
  readonly acknowledgedInTime: boolean;
  readonly hubStored: number | null;
  readonly hubLost: number | null;
  /** A viewer that comes back within 0.1 s; no one keeps for it what passes meanwhile. */
  readonly viewer: { readonly unique: number; readonly again: number; readonly missed: number };
  readonly passed: boolean;
}

/** Alerts are committed from half of this before the kill to half of it after. */
const KILL_MS = 1000;
const SITE = 'lab';
const VIEWER = 'watcher';
const HUB = 'main';

/** Real clients on a real broker, which is killed and comes back with nothing. */
export async function reconnect(
  options: ReconnectOptions,
  say: (line: string) => void,
): Promise<ReconnectResult> {
  const directory = mkdtempSync(join(tmpdir(), 'edgewood-reconnect-'));
  const hostIds = Array.from({ length: options.clients }, (_, i) => `host-${i}`);
  const broker = await startFleetBroker(directory, {
    site: SITE,
    identities: [...hostIds.map((id) => ['agent', id] as const), ['hub', HUB], ['viewer', VIEWER]],
    persistence: false,
  });
  const hub = options.hub ? await startHub(broker, join(directory, 'hub')) : null;
  const viewer = new Viewer(broker);
  const settledAt = new Map<string, number>();
  const connectedAt = new Map<string, number>();
  const clients = hostIds.map(
    (hostId) =>
      new ProtocolClient(
        {
          url: broker.url,
          ...broker.credentials('agent', hostId),
          ...(options.hub && { acknowledge: 'hub' as const }),
        },
        SITE,
        hostId,
        {
          connected: () => void connectedAt.set(hostId, performance.now()),
          settled: (ids) => {
            for (const id of ids) settledAt.set(id, performance.now());
          },
        },
      ),
  );
  const committed = new Map<string, { readonly moment: Moment; readonly atMs: number }>();
  const commit = (client: ProtocolClient, moment: Moment): void =>
    void committed.set(client.alert(), { moment, atMs: performance.now() });
  const spread = (ms: number, moment: Moment): Promise<unknown> =>
    Promise.all(
      clients.map(async (client) => {
        await sleep(Math.random() * ms);
        commit(client, moment);
      }),
    );
  const settled = async (deadlineMs: number): Promise<boolean> => {
    const end = performance.now() + deadlineMs;
    while (settledAt.size < committed.size && performance.now() < end) await sleep(50);
    return settledAt.size === committed.size;
  };
  try {
    await viewer.ready();
    for (const [i, client] of clients.entries()) {
      client.start();
      if (i % 50 === 49) await sleep(200);
    }
    while (connectedAt.size < clients.length) await sleep(50);
    say(`${clients.length} connected`);
    await spread(options.steadyMs / 2, 'before');
    await sleep(options.steadyMs / 2);
    if (!(await settled(options.deadlineMs)))
      throw new Error('alerts from before the kill were not acknowledged');
    // The kill comes while they go out: that is the point of it.
    const aroundTheKill = spread(KILL_MS, 'atTheKill');
    await sleep(KILL_MS / 2);
    await broker.mosquitto.kill();
    const settledAtKill = settledAt.size;
    say(`killed; ${committed.size - settledAtKill} of ${committed.size} alerts unacknowledged`);
    connectedAt.clear();
    const failedBefore = failures(clients);
    await aroundTheKill;
    await spread(options.downMs, 'during');
    await broker.mosquitto.restart();
    const backMs = performance.now();
    const delay = monitorEventLoopDelay({ resolution: 10 });
    delay.enable();
    say('back');
    await spread(options.afterMs, 'after');
    const acknowledgedInTime = await settled(options.deadlineMs);
    while (connectedAt.size < clients.length) await sleep(50);
    delay.disable();
    // What the broker has taken is on its way to the viewer.
    await sleep(500);
    const stored = hub === null ? null : storedIds(join(directory, 'hub'));
    const hubLost = stored && [...committed.keys()].filter((id) => !stored.has(id)).length;
    const fromBack = (ms: number): number => ms - backMs;
    const reconnects = spreadOf([...connectedAt.values()].map(fromBack));
    return {
      ...options,
      reconnects,
      byBackoffAlone: firstTries(options.clients, options.downMs, 1),
      failedAttempts: failures(clients) - failedBefore,
      brokerCpuSeconds: usageOf(broker.mosquitto.pid).cpuSeconds,
      clientsLoopDelayP99Ms: Math.round(delay.percentile(99) / 1e6),
      alerts: Object.fromEntries(
        MOMENTS.map((moment) => {
          const of = [...committed].filter(([, one]) => one.moment === moment);
          const took = of.flatMap(([id, { atMs }]) => {
            const ms = settledAt.get(id);
            return ms === undefined ? [] : [ms - atMs];
          });
          const { p50Ms, p95Ms, lastMs } = spreadOf(took);
          return [moment, { committed: of.length, acknowledged: took.length, p50Ms, p95Ms, lastMs }];
        }),
      ) as unknown as ReconnectResult['alerts'],
      lastAcknowledgedMs: Math.round(fromBack(Math.max(...settledAt.values()))),
      acknowledgedInTime,
      hubStored: stored?.size ?? null,
      hubLost,
      viewer: viewer.account(committed.keys()),
      passed: acknowledgedInTime && reconnects.count === clients.length && (hubLost ?? 0) === 0,
    };
  } finally {
    await Promise.all(clients.map((client) => client.close()));
    viewer.close();
    hub?.child.kill('SIGTERM');
    await hub?.ended;
    await broker.mosquitto.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

const failures = (clients: readonly ProtocolClient[]): number =>
  clients.reduce((sum, { sink }) => sum + (sink.status().counters['connectFailures'] ?? 0), 0);

async function startHub(broker: FleetBroker, stateDir: string) {
  const { username, passwordFile, caFile } = broker.credentials('hub', HUB);
  const hub = runExecutable([
    ...['hub', '--broker', broker.url, '--site', SITE, '--state-dir', stateDir],
    ...[
      '--username',
      username as string,
      '--password-file',
      passwordFile as string,
      '--ca-file',
      caFile as string,
    ],
  ]);
  await Promise.race([
    hub.logged('hub.listening'),
    hub.ended.then(() => Promise.reject(new Error(`the hub ended: ${hub.stderr()}`))),
  ]);
  return hub;
}

/** Read beside the hub, as `fleet` does. */
function storedIds(stateDir: string): Set<string> {
  const database = new Database(join(stateDir, 'hub.db'), { readonly: true });
  try {
    const sql = "SELECT epoch || '-' || n FROM events WHERE type = 'edgewood.incident'";
    return new Set(database.prepare<[], string>(sql).pluck().all());
  } finally {
    database.close();
  }
}

/** Reads alerts and nothing else, on a session that dies with the broker. */
class Viewer {
  readonly #broker: FleetBroker;
  readonly #seen = new Map<string, number>();
  #client: MqttClient | null = null;
  #closed = false;
  #subscribed: () => void = () => {};
  readonly #ready = new Promise<void>((resolve) => {
    this.#subscribed = resolve;
  });

  constructor(broker: FleetBroker) {
    this.#broker = broker;
    this.#connect();
  }

  ready(): Promise<void> {
    return this.#ready;
  }

  #connect(): void {
    const { username, passwordFile, caFile } = this.#broker.credentials('viewer', VIEWER);
    const read = (path: string | undefined): string => readFileSync(path as string, 'utf8');
    const { port } = this.#broker.mosquitto;
    const client = new MqttClient(() => connectTls({ port, host: 'localhost', ca: read(caFile) }), {
      protocolVersion: 5,
      reconnectPeriod: 0,
      username: username as string,
      password: read(passwordFile),
    });
    this.#client = client;
    client.on('error', () => {});
    client.on('connect', () =>
      client.subscribe(`${ROOT}/${SITE}/a/+/alert/+`, { qos: 1 }, () => this.#subscribed()),
    );
    client.on('message', (_topic, payload) => {
      const { id } = JSON.parse(payload.toString()) as { id: string };
      this.#seen.set(id, (this.#seen.get(id) ?? 0) + 1);
    });
    client.once('close', () => {
      if (!this.#closed) setTimeout(() => this.#connect(), 100);
    });
  }

  account(ids: Iterable<string>): ReconnectResult['viewer'] {
    const counts = [...ids].map((id) => this.#seen.get(id) ?? 0);
    return {
      unique: counts.filter((count) => count > 0).length,
      again: counts.reduce((sum, count) => sum + Math.max(0, count - 1), 0),
      missed: counts.filter((count) => count === 0).length,
    };
  }

  close(): void {
    this.#closed = true;
    this.#client?.end(true);
  }
}
