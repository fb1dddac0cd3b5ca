import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import Database from 'better-sqlite3';
import { type IClientOptions, type IClientPublishOptions, MqttClient } from 'mqtt';
import type { StatusReport } from '../../../agent/status.ts';
import { openSqliteStore } from '../../../agent/store/sqlite-store.ts';
import type { Store } from '../../../agent/store/store.ts';
import { askAgent } from '../../../cli/local.ts';
import { replaySchema } from '../../../collector/replay.ts';
import { runToEnd } from '../../../core/features.ts';
import type { Model } from '../../../core/model.ts';
import type { ReportedDocument } from '../../../core/protocol/reported.ts';
import { agentTopics, siteTopics } from '../../../core/protocol/topics.ts';
import type { RolloutDocument } from '../../../core/protocol/trust.ts';
import { TRAINING_DEFAULTS, trainModel } from '../../../core/train.ts';
import { type Run, runExecutable } from '../../support/executable.ts';
import { signed, TestFleet, type TestKey, type TestRelease, testKey } from '../../support/signed.ts';
import { steadyRows, trainingRows } from '../kill/rows.ts';

/** The packaged agent at a real broker, under attack: what it runs, what it counted, and whether an alert was lost. */

export const HOST = 'host';
/** One incident in two seconds. */
const ROW_MS = 20;
const WAIT_MS = 60_000;
const AGAIN_MS = 5000;
/** As soon as it is there: the way in is what is attacked, not what the gate finds. */
export const GATE = { shadowRows: 0, probationMs: 0, watchdogMs: 0, timeoutMs: 86_400_000 };
const LIMITS = { scoreMs: 10_000, memoryBytes: 1e9, flagShare: 1 };

export interface Message {
  readonly topic: string;
  readonly payload: Buffer | string;
  readonly retain?: boolean;
  readonly properties?: IClientPublishOptions['properties'];
}

/** A fleet in which two keys of two sign roots and rollouts, from root 2 on. */
export class PairFleet extends TestFleet {
  readonly second = testKey('second');
  readonly rootSecond = testKey('root second');

  rootTwo(version = 2): ReturnType<TestFleet['rootOf']> {
    const root = this.rootOf(version);
    const keys = { ...root.keys };
    for (const { id, name, raw } of [this.second, this.rootSecond]) keys[id] = { name, ed25519: raw };
    const pair = (...of: TestKey[]): { threshold: number; keys: string[] } => ({
      threshold: 2,
      keys: of.map(({ id }) => id),
    });
    const roles = {
      ...root.roles,
      root: pair(this.rootKey, this.rootSecond),
      rollout: pair(this.operatorKey, this.second),
    };
    return { ...root, keys, roles };
  }

  signRollout(document: RolloutDocument): Buffer {
    return signed(document, this.operatorKey, this.second);
  }

  releaseOf(model: Model, version: number): TestRelease {
    const provenance = { ...model.provenance, name: 'host', version: String(version) };
    return this.release({ ...model, provenance }, version, { limits: LIMITS });
  }
}

/** What the centre would have learned of the host, with more trees: an artifact of several chunks. */
function severalChunks(): Model {
  const [head = '', ...lines] = trainingRows().trim().split('\n');
  const [, ...names] = head.split(',');
  const rows = lines.map((line) => line.split(',').map(Number));
  const columns = names.map((_, i) => Float64Array.from(rows, (row) => row[i + 1] ?? Number.NaN));
  const times = rows.map(([timeMs = 0]) => timeMs);
  const provenance = {
    ...{ name: 'host', version: '0', seed: 1, rows: rows.length, intervalMs: 100 },
    ...{
      trainedFromMs: times[0] ?? 0,
      trainedToMs: times.at(-1) ?? 0,
      dataSha256: '00',
      toolVersion: 'proof',
    },
  };
  const forest = { trees: 30, rowsPerTree: 256, maxDepth: 8 };
  return runToEnd(trainModel(replaySchema(names), columns, provenance, { ...TRAINING_DEFAULTS, forest }));
}

/** Where the agent connects, and how. */
export interface Way {
  /** Of the `mqtt` sink, YAML in braces. */
  readonly sink: string;
  readonly site: string;
  /** A command line that starts the agent. */
  readonly behind?: readonly string[];
  /** Between two samples. */
  readonly rowMs?: number;
  /** A stream to the broker for the proof's own clients. */
  readonly connect: () => Socket;
  readonly options?: IClientOptions;
}

export const openWay = (port: number, more = ''): Way => ({
  sink: `url: "mqtt://127.0.0.1:${port}"${more}`,
  site: 'default',
  connect: () => connectTcp(port, '127.0.0.1'),
});

export type Status = Omit<StatusReport, 'central'> & { readonly central: ReportedDocument | null };

export interface Snapshot {
  /** What it runs and believes: none of it may change. */
  readonly holds: object;
  /** All that it has turned away, by word. */
  readonly counts: Readonly<Record<string, number>>;
}

export class Scene {
  readonly work = mkdtempSync(join(tmpdir(), 'edgewood-attack-'));
  readonly stateDir = join(this.work, 'state');
  readonly fleet = new PairFleet(Date.now());
  readonly way: Way;
  readonly topics: ReturnType<typeof siteTopics>;
  readonly own: ReturnType<typeof agentTopics>;
  /** Ids of events that somebody who only listens has heard, and answers to commands. */
  readonly heard = new Set<string>();
  readonly replies = new Map<string, unknown>();
  reported: ReportedDocument | null = null;
  reportedDigest = '';
  client!: MqttClient;
  run!: Run;
  #observer!: MqttClient;
  #commands = 0;
  /** Number of the last event before there was a sink. */
  #before = 0;
  #seconds = 0;
  #learned = false;
  model!: Model;

  constructor(way: Way) {
    this.way = way;
    this.topics = siteTopics(way.site);
    this.own = agentTopics(way.site, HOST);
  }

  /** A host that has learned a model of its own, of a time without a sink: nobody is to hear of that. */
  async learn(): Promise<void> {
    const training = join(this.work, 'training.csv');
    writeFileSync(training, trainingRows());
    writeFileSync(join(this.work, 'root.json'), this.fleet.root);
    const config = this.#write('learn', this.stateDir, `source: "replay:${training}"\npace: max\n`);
    const learned = runExecutable(['agent', '--config', config]);
    const code = await learned.ended;
    if (code !== 0) throw new Error(`the agent ended with ${code}: ${learned.stderr()}`);
    this.#before = this.#store((store) => store.events(0, 1_000_000).length);
    this.#learned = true;
  }

  /** @param seconds until its samples end */
  async begin(seconds: number): Promise<void> {
    if (!this.#learned) await this.learn();
    this.model = severalChunks();
    this.#observer = await this.login();
    this.#observer.on('message', (topic, payload) => this.#hear(topic, payload));
    const { alert, event, reported, reply } = this.own;
    const all = [...(['info', 'warning', 'critical'] as const).map(alert), event, reported];
    await this.#observer.subscribeAsync([...all, reply('x').replace(/x$/, '+')], { qos: 1 });
    this.client = await this.login();
    this.#seconds = seconds;
    this.configFor(this.stateDir);
    await this.start();
  }

  /** Of an agent that listens to the centre. @returns its path */
  configFor(stateDir: string): string {
    return this.#write(
      'agent',
      stateDir,
      `source: "replay:${join(this.work, 'live.csv')}"\npace: realtime\n` +
        `sinks:\n  - {name: mqtt, type: mqtt, ${this.way.sink}}\n` +
        `central: {root: ${join(this.work, 'root.json')}, rootSha256: ${this.fleet.pin}}\n`,
    );
  }

  #write(name: string, stateDir: string, more: string): string {
    const path = join(this.work, `${name}.yaml`);
    const text = `site: ${this.way.site}\nhostId: ${HOST}\ninterval: 100ms\nstateDir: ${stateDir}\nlearning: {warmup: 50s, refit: "off"}\n${more}`;
    writeFileSync(path, text);
    return path;
  }

  /** From now on two keys of two sign roots and rollouts. */
  async trustTwo(): Promise<void> {
    const { rootKey, rootSecond } = this.fleet;
    const payload = signed(this.fleet.rootTwo(), rootKey, rootSecond);
    await this.publish({ topic: this.topics.root(2), payload, retain: true });
    await this.until('root 2', ({ central }) => central?.root === 2);
  }

  /** In order, whatever it was started behind. Its last words are acknowledged: a replay waits a minute for a hub that is asked for. */
  async stop(): Promise<void> {
    this.#observer.on('message', (topic, payload) => {
      if (topic === this.own.event) void this.#acknowledge(payload);
    });
    process.kill(this.#agentPid(), 'SIGTERM');
    await this.run.ended;
  }

  async #acknowledge(event: Buffer): Promise<void> {
    const { data } = JSON.parse(event.toString()) as { data: { sequence: { epoch: string; n: number } } };
    const { epoch, n } = data.sequence;
    const payload = JSON.stringify({ schemaVersion: 1, epoch, ranges: [[n, n]] });
    await this.#observer.publishAsync(this.own.ack, payload, { qos: 1 });
  }

  #agentPid(): number {
    const pid = this.run.child.pid as number;
    if (this.way.behind === undefined) return pid;
    return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0]);
  }

  #kill(): void {
    if (this.run.child.exitCode === null && this.run.child.signalCode === null)
      process.kill(this.#agentPid(), 'SIGKILL');
  }

  #starts = 0;

  async start(env: Readonly<Record<string, string>> = {}): Promise<void> {
    const { rowMs = ROW_MS, behind = [] } = this.way;
    writeFileSync(
      join(this.work, 'live.csv'),
      steadyRows(++this.#starts, (this.#seconds * 1000) / rowMs, rowMs),
    );
    const args = ['agent', '--config', join(this.work, 'agent.yaml'), '--log-format', 'json'];
    this.run = runExecutable(args, env, behind);
    await Promise.race([this.run.logged('mqtt.connected'), this.#ended()]);
  }

  async #ended(): Promise<never> {
    const code = await this.run.ended;
    throw new Error(`the agent ended with ${code}: ${this.run.stderr().slice(-2000)}`);
  }

  /** As a power cut ends it, and anew. */
  async restart(env: Readonly<Record<string, string>> = {}): Promise<void> {
    this.#kill();
    await this.run.ended;
    await this.start(env);
  }

  async login(options: IClientOptions = {}): Promise<MqttClient> {
    const client = new MqttClient(() => this.way.connect(), {
      protocolVersion: 5,
      reconnectPeriod: 0,
      ...this.way.options,
      ...options,
    });
    client.on('error', () => {});
    await new Promise<void>((resolve, reject) => {
      client.once('connect', () => resolve());
      client.once('close', () => reject(new Error('the broker does not let us in')));
    });
    return client;
  }

  #hear(topic: string, payload: Buffer): void {
    const document = JSON.parse(payload.toString()) as Record<string, unknown>;
    if (topic === this.own.reported) {
      this.reported = document as unknown as ReportedDocument;
      this.reportedDigest = createHash('sha256').update(payload).digest('hex');
    } else if (topic.includes('/reply/')) this.replies.set(String(document['commandId']), document);
    else this.heard.add(String(document['id']));
  }

  async publish(...messages: readonly Message[]): Promise<void> {
    for (const { topic, payload, retain = false, properties } of messages) {
      await this.client.publishAsync(topic, payload, {
        qos: 1,
        retain,
        ...(properties !== undefined && { properties }),
      });
    }
  }

  /** A release as its releaser puts it there. */
  async publishRelease(release: TestRelease, chunks: readonly Buffer[] = release.chunks): Promise<void> {
    const { document, envelope } = release;
    await this.publish({
      topic: this.topics.release('host', document.version),
      payload: envelope,
      retain: true,
    });
    for (const [i, chunk] of chunks.entries()) {
      await this.publish({
        topic: this.topics.chunk(document.artifact.sha256, i),
        payload: chunk,
        retain: true,
      });
    }
  }

  async publishRollout(document: RolloutDocument): Promise<void> {
    await this.publish({
      topic: this.topics.rollout('host'),
      payload: this.fleet.signRollout(document),
      retain: true,
    });
  }

  async status(): Promise<Status> {
    const status = await askAgent<StatusReport>(join(this.stateDir, 'agent.sock'), { method: 'status' });
    const { central } = status;
    if (central !== null && 'unavailable' in central) throw new Error('the agent has no root');
    return { ...status, central };
  }

  async until(what: string, condition: (status: Status) => boolean): Promise<Status> {
    const end = Date.now() + WAIT_MS;
    for (;;) {
      const status = await this.status();
      if (condition(status)) return status;
      if (Date.now() > end)
        throw new Error(`${what}: not within ${WAIT_MS / 1000} s; ${JSON.stringify(status.central)}`);
      await sleep(20);
    }
  }

  /**
   * A signed command, answered: what was published before has been looked at, and what is right is still done. One that
   * a flooded broker drops is given again.
   */
  async alive(): Promise<void> {
    for (;;) {
      const id = `alive-${++this.#commands}`;
      const command = this.fleet.command('self-test', id, { site: this.way.site, hostId: HOST });
      const payload = signed(command, this.fleet.operatorKey);
      await this.publish({ topic: this.own.command('self-test'), payload });
      const end = Date.now() + AGAIN_MS;
      while (Date.now() < end && !this.replies.has(id)) await sleep(10);
      if (this.replies.has(id)) return;
      if (this.run.child.exitCode !== null) await this.#ended();
    }
  }

  async snapshot(): Promise<Snapshot> {
    const { central, sinks } = await this.status();
    if (central === null) throw new Error('the agent does not listen to the centre');
    const { root, rollout, desired, state, release, running, slots, refused } = central;
    const counts: Record<string, number> = {};
    for (const [word, n] of Object.entries(refused)) counts[word] = n;
    for (const [word, n] of Object.entries(sinks[0]?.counters ?? {})) counts[`sink.${word}`] = n;
    const stray = sinks[0]?.strayAcknowledgements ?? 0;
    if (stray > 0) counts['sink.strayAcknowledgements'] = stray;
    return { holds: { root, rollout, desired, state, release, running, slots }, counts };
  }

  peakMb(): number {
    const text = readFileSync(`/proc/${this.run.child.pid}/status`, 'utf8');
    return Number(/^VmHWM:\s+(\d+)/m.exec(text)?.[1]) / 1024;
  }

  /** Ends the agent in order, and holds what it stored against what was heard. */
  async account(): Promise<{ stored: number; heard: number; pending: number; lost: number; gaps: number }> {
    const { sinks } = await this.status();
    await this.stop();
    // What the broker still has for the observer comes before its answer.
    await this.#observer.subscribeAsync('edgewood-proof/settled', { qos: 1 });
    const settled = new Promise<void>((resolve) => {
      this.#observer.on('packetreceive', (packet) => {
        if (packet.cmd === 'publish' && packet.topic === 'edgewood-proof/settled') resolve();
      });
    });
    this.#observer.removeAllListeners('message');
    this.#observer.on('message', (topic, payload) => {
      if (topic !== 'edgewood-proof/settled') this.#hear(topic, payload);
    });
    await this.#observer.publishAsync('edgewood-proof/settled', '', { qos: 1 });
    await settled;
    const sink = sinks[0]?.name ?? '';
    const [events, pending] = this.#store((store) => [
      store.events(this.#before, 1_000_000),
      new Set(store.pending(sink, 1_000_000).map(({ id }) => id)),
    ]);
    return {
      stored: events.length,
      heard: events.filter(({ id }) => this.heard.has(id)).length,
      pending: pending.size,
      lost: events.filter(({ id }) => !this.heard.has(id) && !pending.has(id)).length,
      gaps: (events.at(-1)?.sequence.n ?? 0) - this.#before - events.length,
    };
  }

  #store<T>(look: (store: Store) => T): T {
    const store = openSqliteStore({
      stateDir: this.stateDir,
      openDatabase: (path) => new Database(path),
      nowMs: Date.now,
      randomHex: (bytes) => '0'.repeat(2 * bytes),
    });
    try {
      return look(store);
    } finally {
      store.close();
    }
  }

  async end(): Promise<void> {
    if (this.run !== undefined) this.#kill();
    await this.run?.ended;
    await this.client?.endAsync(true);
    await this.#observer?.endAsync(true);
    rmSync(this.work, { recursive: true, force: true });
  }
}
