import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import Database from 'better-sqlite3';
import { MqttClient } from 'mqtt';
import type { StatusReport } from '../../../agent/status.ts';
import { openSqliteStore } from '../../../agent/store/sqlite-store.ts';
import { askAgent } from '../../../cli/local.ts';
import { siteTopics } from '../../../core/protocol/topics.ts';
import { runExecutable } from '../../support/executable.ts';
import { startMosquitto } from '../../support/mosquitto.ts';
import { referenceTo, signed, TestFleet, type TestRelease } from '../../support/signed.ts';
import { releaseOf } from './verification.ts';

/** A real agent on this machine takes two releases, one after the other, and goes back. */

const TOPICS = siteTopics('default');
const GATE = { shadowRows: 200, probationMs: 2000, watchdogMs: 0, timeoutMs: 3_600_000 };
const WARM_SAMPLES = 60;

export interface Taken {
  readonly what: string;
  /** Of TCP payload at the agent's socket, from the publishing of the rollout until it is committed. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly seconds: number;
}

export interface WireResult {
  readonly intervalMs: number;
  readonly taken: readonly Taken[];
  readonly samples: number;
  /** Steps of more than one and a half intervals, of all, and of those that hold a switch. */
  readonly missed: number;
  readonly longestStepMs: number;
  /** At each switch, the longest step of the five around it. */
  readonly atSwitchMs: readonly number[];
  /** Of the loop, over the whole run. */
  readonly lateMs: { readonly p50: number | null; readonly p95: number | null; readonly p99: number | null };
}

/** Counts what goes through. */
async function meter(target: number): Promise<{ port: number; in: number; out: number; stop(): void }> {
  const sockets = new Set<Socket>();
  const counted = { port: 0, in: 0, out: 0, stop: (): void => {} };
  const server = createServer((near) => {
    const far = connect(target, '127.0.0.1');
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => {});
    }
    near.on('data', (chunk) => {
      counted.out += chunk.length;
    });
    far.on('data', (chunk) => {
      counted.in += chunk.length;
    });
    near.pipe(far);
    far.pipe(near);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  counted.port = (server.address() as { port: number }).port;
  counted.stop = () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };
  return counted;
}

export async function takeTwo(artifacts: readonly [Buffer, Buffer], intervalMs: number): Promise<WireResult> {
  const work = mkdtempSync(join(tmpdir(), 'edgewood-wire-'));
  const stateDir = join(work, 'state');
  const fleet = new TestFleet(Date.now());
  const mosquitto = await startMosquitto();
  const metered = await meter(mosquitto.port);
  writeFileSync(join(work, 'root.json'), fleet.root);
  writeFileSync(
    join(work, 'agent.yaml'),
    `hostId: host\ninterval: ${intervalMs}ms\nsource: procfs\nstateDir: ${stateDir}\nlearning: {warmup: 1h}\n` +
      `sinks:\n  - {type: mqtt, url: "mqtt://127.0.0.1:${metered.port}"}\n` +
      `central: {root: ${join(work, 'root.json')}, rootSha256: ${fleet.pin}}\n`,
  );
  const client = new MqttClient(() => connect(mosquitto.port, '127.0.0.1'), {
    protocolVersion: 5,
    reconnectPeriod: 0,
  });
  const run = runExecutable(['agent', '--config', join(work, 'agent.yaml'), '--log-format', 'json']);
  const status = (): Promise<StatusReport> => askAgent(join(stateDir, 'agent.sock'), { method: 'status' });
  const put = (topic: string, payload: Buffer) =>
    client.publishAsync(topic, payload, { qos: 1, retain: true });
  const until = async (condition: (status: StatusReport) => boolean): Promise<StatusReport> => {
    for (const end = Date.now() + 120_000; ; ) {
      const now = await status();
      if (condition(now)) return now;
      if (Date.now() > end) throw new Error(`not within two minutes: ${JSON.stringify(now.central)}`);
      await sleep(20);
    }
  };
  try {
    await run.logged('mqtt.connected');
    await until(({ counters }) => (counters['samples'] ?? 0) > WARM_SAMPLES);
    const releases = artifacts.map((artifact, i) => releaseOf(fleet, artifact, i + 1)) as [
      TestRelease,
      TestRelease,
    ];
    for (const { document, envelope, chunks } of releases) {
      await put(TOPICS.release('host', document.version), envelope);
      for (const [i, chunk] of chunks.entries()) await put(TOPICS.chunk(document.artifact.sha256, i), chunk);
    }
    const taken: Taken[] = [];
    const switches: number[] = [];
    const [one, two] = releases;
    const step = async (
      what: string,
      version: number,
      release: TestRelease,
      aborted: boolean,
    ): Promise<void> => {
      const before = { in: metered.in, out: metered.out, ms: performance.now() };
      const baseline = release === two ? referenceTo(one) : null;
      const document = fleet.rollout(version, release, {
        gate: GATE,
        baseline,
        ...(aborted && { state: 'aborted' }),
      });
      await put(TOPICS.rollout('host'), signed(document, fleet.operatorKey));
      const running = aborted ? one : release;
      await until(({ central }) => {
        if (central === null || 'unavailable' in central) return false;
        const there = central.running?.sha256 === running.document.artifact.sha256;
        return there && (central.state === 'committed' || central.state === 'rolled_back');
      });
      switches.push(Date.now());
      const seconds = (performance.now() - before.ms) / 1000;
      taken.push({ what, bytesIn: metered.in - before.in, bytesOut: metered.out - before.out, seconds });
      const { counters } = await status();
      await until((now) => (now.counters['samples'] ?? 0) > (counters['samples'] ?? 0) + 20);
    };
    await step('a first release', 1, one, false);
    await step('a second over it', 2, two, false);
    await step('back to the first', 3, two, true);
    const { latencyMs } = await status();
    run.child.kill('SIGTERM');
    await run.ended;
    return { intervalMs, taken, ...steps(stateDir, intervalMs, switches), lateMs: latencyMs.loopLag };
  } finally {
    run.child.kill('SIGKILL');
    await run.ended;
    await client.endAsync(true);
    metered.stop();
    await mosquitto.stop();
    rmSync(work, { recursive: true, force: true });
  }
}

function steps(stateDir: string, intervalMs: number, switches: readonly number[]) {
  const store = openSqliteStore({
    stateDir,
    openDatabase: (path) => new Database(path),
    nowMs: Date.now,
    randomHex: (bytes) => '0'.repeat(2 * bytes),
  });
  const times = Array.from(store.samples(0, Number.MAX_SAFE_INTEGER), ({ timeMs }) => timeMs);
  store.close();
  const lengths = times.slice(1).map((timeMs, i) => ({ timeMs, ms: timeMs - (times[i] as number) }));
  const atSwitchMs = switches.map((at) => {
    const i = lengths.findIndex(({ timeMs }) => timeMs >= at);
    return Math.max(...lengths.slice(Math.max(0, i - 3), i + 2).map(({ ms }) => ms));
  });
  return {
    samples: times.length,
    missed: lengths.filter(({ ms }) => ms > 1.5 * intervalMs).length,
    longestStepMs: Math.max(...lengths.map(({ ms }) => ms)),
    atSwitchMs,
  };
}
