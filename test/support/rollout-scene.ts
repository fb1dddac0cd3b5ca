import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { connectAsync } from 'mqtt';
import { BrokerClient } from '../../cli/broker/client.ts';
import type { Desk } from '../../cli/rollout/desk.ts';
import { FleetReader } from '../../cli/rollout/fleet.ts';
import { runToEnd } from '../../core/features.ts';
import type { Model } from '../../core/model.ts';
import { siteTopics } from '../../core/protocol/topics.ts';
import type { ReleaseDocument } from '../../core/protocol/trust.ts';
import { TRAINING_DEFAULTS, trainModel } from '../../core/train.ts';
import { artifactSha256 } from '../../models/artifact.ts';
import { chunksOf } from '../../models/release/release.ts';
import { RolloutStore } from '../../models/rollout/store.ts';
import { selfSignedRoot } from '../../models/trust/root.ts';
import { SimulatedHost, type SimulatedOptions } from './fleet.ts';
import { type Mosquitto, startMosquitto } from './mosquitto.ts';
import { PROVENANCE, SMALL_SCHEMA, smallSeries } from './series.ts';
import { signed, TestFleet, type TestKey, type TestRelease } from './signed.ts';

export const SITE = 'lab';
export const MODEL = 'host';
const HISTORY_ROWS = 700;
const HISTORIES = 8;

/** A broker, a registry with its keys, and a fleet of simulated hosts. */
export class RolloutScene {
  readonly mosquitto: Mosquitto;
  readonly directory = mkdtempSync(join(tmpdir(), 'edgewood-rollout-'));
  readonly keys = new TestFleet(Date.now());
  readonly hosts: SimulatedHost[] = [];
  readonly own: Model;
  readonly #histories: readonly Float64Array[][];
  readonly #clients: BrokerClient[] = [];
  readonly #stores: RolloutStore[] = [];

  private constructor(mosquitto: Mosquitto, seed: number) {
    this.mosquitto = mosquitto;
    this.own = smallModel(seed + 1);
    this.#histories = Array.from({ length: HISTORIES }, (_, i) => smallSeries(HISTORY_ROWS, seed + 100 + i));
    writeFileSync(join(this.directory, 'root.1.json'), this.keys.root);
  }

  /** @param seed of what its hosts are like; keys are drawn anew each time */
  static async open(seed = 0): Promise<RolloutScene> {
    return new RolloutScene(await startMosquitto(), seed);
  }

  get registry(): string {
    return join(this.directory, 'registry');
  }

  host(hostId: string, options: Partial<SimulatedOptions> = {}): SimulatedHost {
    const host = new SimulatedHost({
      port: this.mosquitto.port,
      site: SITE,
      hostId,
      labels: {},
      root: this.keys.root,
      pin: this.keys.pin,
      model: MODEL,
      schema: SMALL_SCHEMA,
      history: this.#histories[this.hosts.length % HISTORIES] as Float64Array[],
      own: this.own,
      alarms: () => 0,
      ...options,
    });
    this.hosts.push(host);
    return host;
  }

  async fleet(count: number, of: (i: number) => Partial<SimulatedOptions> = () => ({})): Promise<void> {
    for (let i = 0; i < count; i++) await this.host(`sim-${i}`, of(i)).start();
  }

  /** Publishes it, and writes its file. */
  async release(
    version: number,
    model: Model = smallModel(version + 1),
    change: (document: ReleaseDocument) => Partial<ReleaseDocument> = () => ({}),
    bytes: (artifact: Buffer) => Buffer = (artifact) => artifact,
  ): Promise<TestRelease & { readonly path: string }> {
    const provenance = { ...model.provenance, name: MODEL, version: String(version) };
    const made = this.keys.release({ ...model, provenance }, version);
    const release = this.#changed(made, change(made.document), bytes(made.artifact));
    const client = await connectAsync(`mqtt://127.0.0.1:${this.mosquitto.port}`, { protocolVersion: 5 });
    const topics = siteTopics(SITE);
    await client.publishAsync(topics.release(MODEL, version), release.envelope, { qos: 1, retain: true });
    for (const [i, chunk] of release.chunks.entries()) {
      const topic = topics.chunk(release.document.artifact.sha256, i);
      await client.publishAsync(topic, chunk, { qos: 1, retain: true });
    }
    await client.endAsync();
    const path = join(this.directory, `${MODEL}-${version}.json`);
    writeFileSync(path, release.envelope);
    return { ...release, path };
  }

  /** Another document, or other bytes, signed as the first was. */
  #changed(release: TestRelease, change: Partial<ReleaseDocument>, artifact: Buffer): TestRelease {
    const chunks = chunksOf(artifact).map((chunk) => Buffer.from(chunk));
    const document = {
      ...release.document,
      ...change,
      artifact: {
        ...release.document.artifact,
        sha256: artifactSha256(artifact),
        chunks: chunks.map(artifactSha256),
      },
    };
    return { document, chunks, artifact, envelope: signed(document, this.keys.releaseKey) };
  }

  async desk(
    keys: readonly TestKey[] = [this.keys.operatorKey],
    registry = this.registry,
    nowMs: () => number = Date.now,
  ): Promise<{ readonly desk: Desk; readonly reader: FleetReader }> {
    const reader = new FleetReader();
    const broker = await BrokerClient.connect(
      { type: 'mqtt', name: 'broker', url: `mqtt://127.0.0.1:${this.mosquitto.port}` },
      { purpose: 'test', messages: reader.take, answerMs: 5000 },
    );
    this.#clients.push(broker);
    const store = RolloutStore.open(registry, {
      create: true,
      nowMs,
      actor: 'tester@bench',
      openDatabase: (path) => new Database(path),
    });
    this.#stores.push(store);
    const root = { ...selfSignedRoot(this.keys.root), bytes: this.keys.root };
    return { desk: { store, broker, root, keys: keys.map((key) => key.private), nowMs }, reader };
  }

  async close(): Promise<void> {
    await Promise.all(this.hosts.map((host) => host.stop()));
    for (const client of this.#clients) await client.close();
    for (const store of this.#stores) store.close();
    await this.mosquitto.stop();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

const models = new Map<number, Model>();

/** Fitted to hosts like those of the scene, once. */
export function smallModel(seed: number): Model {
  const made = models.get(seed) ?? fitted(seed);
  models.set(seed, made);
  return made;
}

function fitted(seed: number): Model {
  const options = { ...TRAINING_DEFAULTS, forest: { trees: 4, rowsPerTree: 64, maxDepth: 5 } };
  return runToEnd(trainModel(SMALL_SCHEMA, smallSeries(2000, seed), { ...PROVENANCE, seed }, options));
}
