import { cpSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { agentTopics } from '../../core/protocol/topics.ts';
import { type AccessBroker, login, startAccessBroker } from '../support/access.ts';
import { hasExecutable, type Run, runExecutable } from '../support/executable.ts';
import { hasMosquitto } from '../support/mosquitto.ts';
import { writeRecording } from '../support/recording.ts';
import { temporaryDirectory } from '../support/temporary.ts';

/** The packaged executable makes the broker's files, enrols itself, and works under them. */

const SITE = 'berlin';
const HOST = '3f2a9c1d5b7e8f60';
const TOPICS = agentTopics(SITE, HOST);

async function edgewood(...args: string[]): Promise<Run> {
  const run = runExecutable(args);
  const code = await run.ended;
  expect([args, code, run.stderr()]).toEqual([args, 0, '']);
  return run;
}

function start(...args: string[]): Run {
  const run = runExecutable(args);
  onTestFinished(async () => {
    run.child.kill('SIGKILL');
    await run.ended;
  });
  return run;
}

interface Heard {
  readonly topics: string[];
  readonly online: boolean[];
  until(condition: () => boolean): Promise<void>;
}

/** A hub: hears everything, acknowledges each event as stored. */
async function startHub(running: AccessBroker, folder: string): Promise<Heard> {
  const secret = (name: string): string => readFileSync(join(folder, name), 'utf8').trim();
  const { client } = await login(running, {
    username: secret('mqtt.user'),
    password: secret('mqtt.password'),
  });
  const waiting: (() => void)[] = [];
  const heard: Heard = {
    topics: [],
    online: [],
    until: (condition) =>
      new Promise((resolve) => {
        const look = (): void => {
          if (condition()) resolve();
        };
        waiting.push(look);
        look();
      }),
  };
  client.on('message', (topic, payload) => {
    heard.topics.push(topic);
    // What doctor says to itself is no JSON.
    if (topic === TOPICS.selftest) return;
    const document = JSON.parse(payload.toString()) as {
      online: boolean;
      data?: { sequence?: { epoch: string; n: number } };
    };
    if (topic === TOPICS.status) heard.online.push(document.online);
    const sequence = document.data?.sequence;
    if (sequence !== undefined) {
      const ack = { schemaVersion: 1, epoch: sequence.epoch, ranges: [[sequence.n, sequence.n]] };
      client.publish(TOPICS.ack, JSON.stringify(ack), { qos: 1 });
    }
    for (const look of waiting) look();
  });
  await client.subscribeAsync(`edgewood/1/${SITE}/a/#`, { qos: 1 });
  return heard;
}

describe.skipIf(!hasExecutable || !hasMosquitto)('access of the packaged agent', () => {
  // Side by side: both mostly wait for the agent's next look at its files, and its next telemetry.
  test('by password and by certificate: birth, alerts, acknowledgements and will go through, nothing that it needs is refused, renewal needs no restart', async () => {
    await Promise.all([walk('password'), walk('certificate')]);
  });
});

async function walk(method: 'password' | 'certificate'): Promise<void> {
  const home = temporaryDirectory();
  const out = join(home, 'broker');
  const by = method === 'certificate' ? ['--certificate'] : [];
  const enroll = (...args: string[]) =>
    edgewood('fleet', 'enroll', HOST, '--site', SITE, '--broker-dir', out, ...args);
  await edgewood('fleet', 'broker', '--out', out, '--site', SITE, '--tls-name', 'localhost');
  await edgewood('fleet', 'enroll', 'main', '--role', 'hub', '--broker-dir', out, '--out', join(home, 'hub'));
  const made = await enroll('--out', join(home, 'host'), ...by);
  const secretFile = method === 'certificate' ? 'mqtt.key' : 'mqtt.password';
  expect(statSync(join(home, 'host', secretFile)).mode & 0o777).toBe(0o600);
  if (method === 'password')
    expect(made.stdout()).not.toContain(readFileSync(join(home, 'host', secretFile), 'utf8').trim());
  const running = await startAccessBroker(out);
  const hub = await startHub(running, join(home, 'hub'));

  const at = (name: string): string => join(home, 'host', name);
  const files =
    method === 'certificate'
      ? `certFile: ${at('mqtt.crt')}, keyFile: ${at('mqtt.key')}`
      : `usernameFile: ${at('mqtt.user')}, passwordFile: ${at('mqtt.password')}`;
  const port = method === 'certificate' ? running.certificatePort : running.passwordPort;
  const config = join(home, 'agent.yaml');
  writeFileSync(
    config,
    `site: ${SITE}\nhostId: ${HOST}\nlearning: { warmup: 20m }\nsinks:\n` +
      `  - { type: mqtt, url: "mqtts://localhost:${port}", caFile: ${at('ca.pem')}, ${files}, acknowledge: hub }\n`,
  );
  const common = ['--config', config];
  const recording = writeRecording(join(home, 'recording.csv'));
  const replay = start(
    'agent',
    ...common,
    '--state-dir',
    join(home, 'past'),
    '--source',
    `replay:${recording}`,
    '--pace',
    'max',
  );
  // It ends when every event of its was acknowledged by the hub.
  expect(await replay.ended).toBe(0);
  expect(hub.online).toEqual([true, false]);
  expect(hub.topics).toContain(TOPICS.event);
  expect(hub.topics.some((topic) => /\/alert\/(info|warning|critical)$/.test(topic))).toBe(true);

  const live = start('agent', ...common, '--state-dir', join(home, 'state'), '--interval', '1s');
  await hub.until(() => hub.online.length === 3);
  const doctor = start('doctor', ...common, '--state-dir', join(home, 'state'));
  await doctor.ended;
  expect(doctor.stdout()).toMatch(/✓ sink mqtt: .*came back/);

  await enroll('--renew', '--out', join(home, 'next'));
  await running.mosquitto.reload();
  cpSync(join(home, 'next'), join(home, 'host'), { recursive: true });
  // Birth after birth: nobody hears of an absence.
  await hub.until(() => hub.online.length === 4);
  await enroll('--finish');
  await running.mosquitto.reload();
  const before = hub.topics.length;
  await hub.until(() => hub.topics.slice(before).includes(TOPICS.telemetry));
  expect(hub.online).toEqual([true, false, true, true]);

  live.child.kill('SIGKILL');
  await hub.until(() => hub.online.length === 5);
  expect(hub.online.at(-1)).toBe(false);
  const logs = replay.stderr() + live.stderr();
  expect(logs).not.toMatch(/Refused|not authorised|inboundRejected|mqtt\.disconnected/);
  expect(logs).toContain('mqtt.credentialsChanged');
  expect(running.mosquitto.said()).not.toContain('Denied');
}
