import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import Database from 'better-sqlite3';
import { MqttClient } from 'mqtt';
import { openSqliteStore } from '../../../agent/store/sqlite-store.ts';
import { DEFAULT_STORE_LIMITS } from '../../../agent/store/store.ts';
import { Random } from '../../../core/random.ts';
import { type Daemon, exported, startVictoriaMetrics } from '../../support/daemons.ts';
import { runExecutable } from '../../support/executable.ts';
import { startMosquitto } from '../../support/mosquitto.ts';
import { LINK_STATES, type LinkState, startLink } from '../../support/proxy.ts';
import { eventfulRows, trainingRows } from './rows.ts';

/**
 * kill -9 of the packaged agent at random instants, while the ways to a mosquitto with its subscriber, and to a
 * VictoriaMetrics, are up, down, refusing and hanging in turns. The host is a replay in
 * real time in which one metric after another leaves its constant, so that about ten events a second come.
 */

/** Latest instant of a kill after the start, which itself takes about a quarter of a second. */
const LATEST_KILL_MS = 2500;

export interface KillResult {
  readonly seed: number;
  readonly kills: number;
  /** How many of them struck before the agent said that it had started. */
  readonly killsDuringStart: number;
  readonly stored: number;
  readonly received: number;
  /** Received again, recognised by their id. */
  readonly duplicates: number;
  /** Stored and never received. */
  readonly lost: number;
  /** Received and not in the store. */
  readonly unknown: number;
  /** Stored, and neither event nor incident of that number in VictoriaMetrics. */
  readonly lostToInflux: number;
  /** Samples that are stored and not in VictoriaMetrics. */
  readonly samplesLostToInflux: number;
  readonly links: Readonly<Record<LinkState, number>>;
  /** Numbers missing between the first and the last. */
  readonly gaps: number;
  readonly epochs: number;
  /** Redeliveries that differ in more than `publishedAt` and `replayed`. */
  readonly altered: number;
  /** Incidents told to have opened and never to have ended. */
  readonly unended: number;
  readonly databaseFaults: number;
  readonly passed: boolean;
}

interface Received {
  readonly id: string;
  readonly sequence: string;
  readonly sequenceepoch: string;
  readonly data: Record<string, unknown>;
}

export async function killRepeatedly(kills: number, seed: number): Promise<KillResult> {
  const work = mkdtempSync(join(tmpdir(), 'edgewood-kill-'));
  const stateDir = join(work, 'state');
  const mosquitto = await startMosquitto();
  const victoria = await startVictoriaMetrics();
  const links = { mqtt: await startLink(mosquitto.port), influx: await startLink(victoria.port) };
  const states: Record<LinkState, number> = { up: 0, down: 0, refusing: 0, hanging: 0 };
  const received: Received[] = [];
  const client = new MqttClient(() => connectTcp(mosquitto.port, '127.0.0.1'), {
    protocolVersion: 5,
    reconnectPeriod: 0,
  });
  try {
    client.on('message', (_topic, payload) => received.push(JSON.parse(payload.toString()) as Received));
    await new Promise<void>((resolve) => client.once('connect', () => resolve()));
    await client.subscribeAsync(['edgewood/1/+/a/+/alert/+', 'edgewood/1/+/a/+/event'], { qos: 1 });

    const start = (round: number, ...more: string[]): ReturnType<typeof runExecutable> => {
      const file = join(work, `round-${round}.csv`);
      writeFileSync(file, round === 0 ? trainingRows() : eventfulRows(round));
      return runExecutable([
        'agent',
        '--source',
        `replay:${file}`,
        '--interval',
        '100ms',
        '--warmup',
        '50s',
        '--refit',
        'off',
        '--mqtt',
        `mqtt://127.0.0.1:${links.mqtt.port}`,
        '--influx',
        `http://127.0.0.1:${links.influx.port}`,
        '--state-dir',
        stateDir,
        '--log-format',
        'json',
        ...more,
      ]);
    };
    await ended(start(0, '--pace', 'max'));

    const random = new Random(seed);
    let killsDuringStart = 0;
    let databaseFaults = 0;
    for (let round = 1; round <= kills; round++) {
      for (const link of Object.values(links)) {
        const state = LINK_STATES[random.uint32() % LINK_STATES.length] as LinkState;
        states[state]++;
        await link.set(state);
      }
      const run = start(round);
      await sleep(50 + random.float() * (LATEST_KILL_MS - 50));
      run.child.kill('SIGKILL');
      await run.ended;
      if (!run.stderr().includes('"agent.started"')) killsDuringStart++;
      if (run.stderr().includes('"store.finding"')) databaseFaults++;
    }
    for (const link of Object.values(links)) await link.set('up');
    // Once more and to the end: what is still in the outbox goes out.
    const last = start(kills + 1, '--pace', 'max');
    await ended(last);
    if (last.stderr().includes('"store.finding"')) databaseFaults++;
    await settled(client);
    const influx = await readBack(victoria);
    return judge(received, influx, stateDir, {
      seed,
      kills,
      killsDuringStart,
      databaseFaults,
      links: states,
    });
  } finally {
    await client.endAsync(true);
    for (const link of Object.values(links)) await link.stop();
    await victoria.stop();
    await mosquitto.stop();
    rmSync(work, { recursive: true, force: true });
  }
}

async function ended(run: ReturnType<typeof runExecutable>): Promise<void> {
  const code = await run.ended;
  if (code !== 0) throw new Error(`the agent ended with ${code}: ${run.stderr()}`);
}

/** What the broker still has for this subscriber comes before its answer. */
async function settled(client: MqttClient): Promise<void> {
  const topic = 'edgewood-proof/settled';
  const answered = new Promise<void>((resolve) => {
    client.once('packetreceive', () => {});
    client.on('packetreceive', (packet) => {
      if (packet.cmd === 'publish' && packet.topic === topic) resolve();
    });
  });
  client.removeAllListeners('message');
  await client.subscribeAsync(topic, { qos: 1 });
  await client.publishAsync(topic, '', { qos: 1 });
  await answered;
}

interface ReadBack {
  /** Of events and incidents. */
  readonly numbers: ReadonlySet<number>;
  readonly sampleTimes: ReadonlySet<number>;
}

async function readBack(victoria: Daemon): Promise<ReadBack> {
  const series = await exported(victoria, '{__name__=~"edgewood_(event|incident)_sequence"}');
  const samples = await exported(victoria, 'edgewood_sample_cpu');
  return {
    numbers: new Set(series.flatMap(({ values }) => values)),
    sampleTimes: new Set(samples.flatMap(({ timestamps }) => timestamps)),
  };
}

function judge(
  received: readonly Received[],
  influx: ReadBack,
  stateDir: string,
  counted: Pick<KillResult, 'seed' | 'kills' | 'killsDuringStart' | 'databaseFaults' | 'links'>,
): KillResult {
  const store = openSqliteStore({
    stateDir,
    openDatabase: (path) => new Database(path),
    nowMs: Date.now,
    randomHex: (bytes) => '0'.repeat(2 * bytes),
    limits: DEFAULT_STORE_LIMITS,
  });
  const stored = store.events(0, 1_000_000);
  const times = Array.from(store.samples(0, Number.MAX_SAFE_INTEGER), ({ timeMs }) => timeMs);
  store.close();
  const storedIds = new Set(stored.map((event) => event.id));
  const first = new Map<string, string>();
  let duplicates = 0;
  let altered = 0;
  for (const event of received) {
    const content = JSON.stringify({
      ...event,
      data: { ...event.data, publishedAt: null, replayed: null },
    });
    const before = first.get(event.id);
    if (before === undefined) first.set(event.id, content);
    else {
      duplicates++;
      if (before !== content) altered++;
    }
  }
  const numbers = [...new Set(stored.map((event) => event.sequence.n))].sort((a, b) => a - b);
  const gaps = (numbers.at(-1) ?? 0) - (numbers[0] ?? 1) + 1 - numbers.length + ((numbers[0] ?? 1) - 1);
  const result = {
    ...counted,
    stored: stored.length,
    received: first.size,
    duplicates,
    lost: stored.filter((event) => !first.has(event.id)).length,
    unknown: [...first.keys()].filter((id) => !storedIds.has(id)).length,
    lostToInflux: stored.filter((event) => !influx.numbers.has(event.sequence.n)).length,
    samplesLostToInflux: times.filter((timeMs) => !influx.sampleTimes.has(timeMs)).length,
    gaps,
    epochs: new Set(stored.map((event) => event.sequence.epoch)).size,
    altered,
    unended: unended(received),
  };
  const clean =
    result.lost + result.unknown + gaps + altered + result.unended + counted.databaseFaults === 0 &&
    result.lostToInflux + result.samplesLostToInflux === 0 &&
    result.epochs === 1;
  return { ...result, passed: clean && stored.length > counted.kills };
}

function unended(received: readonly Received[]): number {
  const open = new Set<unknown>();
  const over = new Set<unknown>();
  for (const { data } of received) {
    if (data['state'] === 'opened') open.add(data['incidentId']);
    if (data['state'] === 'resolved' || data['state'] === 'invalidated') over.add(data['incidentId']);
  }
  return [...open].filter((id) => !over.has(id)).length;
}
