import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { MqttClient } from 'mqtt';
import { ROOT } from '../../../core/protocol/topics.ts';
import { runExecutable } from '../../support/executable.ts';
import { startFleetBroker } from '../../support/fleet-broker.ts';
import { writeRecording } from '../../support/recording.ts';
import { TestFleet } from '../../support/signed.ts';
import { usageOf } from '../../support/usage.ts';
import { round } from './processes.ts';

/** What one packaged agent puts on the wire, as installed: TLS, password, its default interval, a root of the fleet. */

const SITE = 'lab';
const HOST = 'host-1';
const SETTLE_MS = 100_000;

export interface AgentCosts {
  /** From the first byte of TCP's payload to the end of the greeting. */
  readonly connecting: { readonly upBytes: number; readonly downBytes: number };
  readonly seconds: number;
  /** With TLS's own bytes, without those of TCP and IP. */
  readonly upBytesASecond: number;
  readonly downBytesASecond: number;
  readonly messages: Readonly<Record<string, { readonly count: number; readonly meanBytes: number }>>;
  readonly cpuPercent: number;
  readonly pssMb: number;
}

export async function measureAgent(seconds: number): Promise<AgentCosts> {
  const directory = mkdtempSync(join(tmpdir(), 'edgewood-scale-agent-'));
  const broker = await startFleetBroker(directory, {
    site: SITE,
    identities: [
      ['agent', HOST],
      ['hub', 'hub'],
    ],
    persistence: false,
  });
  const hub = broker.credentials('hub', 'hub');
  const { port } = broker.mosquitto;
  const read = (path: string | undefined): string => readFileSync(path as string, 'utf8');
  const observer = new MqttClient(() => connectTls({ port, host: 'localhost', ca: read(hub.caFile) }), {
    protocolVersion: 5,
    reconnectPeriod: 0,
    username: hub.username as string,
    password: read(hub.passwordFile),
  });
  const seen: { kind: string; bytes: number }[] = [];
  observer.on('message', (topic, payload) => {
    seen.push({ kind: topic.split('/').slice(5).join('/'), bytes: payload.length });
  });
  await observer.subscribeAsync(`${ROOT}/${SITE}/a/#`, { qos: 1 });
  const wire = await countingProxy(port);
  const fleet = new TestFleet(Date.now());
  const root = join(directory, 'root.json');
  writeFileSync(root, fleet.root);
  const { username, passwordFile, caFile } = broker.credentials('agent', HOST);
  const sink = {
    type: 'mqtt',
    name: 'mqtt',
    url: `mqtts://localhost:${wire.port}`,
    username,
    passwordFile,
    caFile,
  };
  const config = join(directory, 'agent.yaml');
  // JSON is YAML.
  const central = { root, rootSha256: fleet.pin };
  writeFileSync(
    config,
    JSON.stringify({ site: SITE, hostId: HOST, learning: { warmup: '1m' }, sinks: [sink], central }),
    { mode: 0o600 },
  );
  const agent = runExecutable(['agent', '--config', config, '--state-dir', join(directory, 'state')]);
  const pid = agent.child.pid as number;
  try {
    await Promise.race([
      agent.logged('mqtt.connected'),
      agent.ended.then(() => Promise.reject(new Error(`the agent ended: ${agent.stderr()}`))),
    ]);
    await sleep(1000);
    const connecting = wire.bytes();
    await sleep(SETTLE_MS);
    seen.length = 0;
    const from = { ...wire.bytes(), cpu: usageOf(pid).cpuSeconds };
    await sleep(seconds * 1000);
    const to = { ...wire.bytes(), cpu: usageOf(pid).cpuSeconds };
    const messages = summary(seen);
    const { pssMb } = usageOf(pid);
    return {
      connecting,
      seconds,
      upBytesASecond: round((to.upBytes - from.upBytes) / seconds),
      downBytesASecond: round((to.downBytes - from.downBytes) / seconds),
      messages,
      cpuPercent: round((100 * (to.cpu - from.cpu)) / seconds),
      pssMb: round(pssMb),
    };
  } finally {
    agent.child.kill('SIGKILL');
    await agent.ended;
    observer.end(true);
    wire.close();
    await broker.mosquitto.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Bytes of the alerts of a recording with one incident, four metrics, by state: CloudEvents as on the wire. */
export async function alertBytes(): Promise<Readonly<Record<string, number>>> {
  const directory = mkdtempSync(join(tmpdir(), 'edgewood-scale-alerts-'));
  const config = join(directory, 'agent.yaml');
  writeFileSync(config, 'learning: {warmup: 20m}', { mode: 0o600 });
  const recording = writeRecording(join(directory, 'recording.csv'));
  const replay = ['--source', `replay:${recording}`, '--pace', 'max', '--stdout'];
  const agent = runExecutable([
    ...['agent', '--config', config, '--state-dir', join(directory, 'state')],
    ...replay,
  ]);
  await agent.ended;
  rmSync(directory, { recursive: true, force: true });
  const lines = agent
    .stdout()
    .split('\n')
    .filter((line) => line.includes('"edgewood.incident"'));
  if (lines.length === 0) throw new Error(`the recording raised no alert: ${agent.stderr()}`);
  return Object.fromEntries(
    lines.map((line) => [
      (JSON.parse(line) as { data: { state: string } }).data.state,
      Buffer.byteLength(line),
    ]),
  );
}

function summary(seen: readonly { kind: string; bytes: number }[]): AgentCosts['messages'] {
  const kinds = [...new Set(seen.map(({ kind }) => kind))].sort();
  return Object.fromEntries(
    kinds.map((kind) => {
      const sizes = seen.filter((one) => one.kind === kind).map(({ bytes }) => bytes);
      const meanBytes = Math.round(sizes.reduce((sum, bytes) => sum + bytes, 0) / sizes.length);
      return [kind, { count: sizes.length, meanBytes }];
    }),
  );
}

interface CountingProxy {
  readonly port: number;
  bytes(): { readonly upBytes: number; readonly downBytes: number };
  close(): void;
}

/** Passes on everything, and counts it. */
async function countingProxy(target: number): Promise<CountingProxy> {
  let upBytes = 0;
  let downBytes = 0;
  const sockets: Socket[] = [];
  const server = createServer((near) => {
    const far = connect(target, '127.0.0.1');
    sockets.push(near, far);
    near.on('data', (chunk) => {
      upBytes += chunk.length;
      far.write(chunk);
    });
    far.on('data', (chunk) => {
      downBytes += chunk.length;
      near.write(chunk);
    });
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      one.on('error', () => {});
      one.on('close', () => other.destroy());
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    bytes: () => ({ upBytes, downBytes }),
    close: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
