import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { MqttClient } from 'mqtt';
import { afterEach, describe, expect, test } from 'vitest';
import { hasExecutable, type Run, runExecutable } from '../support/executable.ts';
import { hasMosquitto, startMosquitto } from '../support/mosquitto.ts';

const cleanups: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function folder(): string {
  const directory = mkdtempSync(join(tmpdir(), 'edgewood-hostile-'));
  cleanups.push(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

function start(...args: string[]): Run {
  const run = runExecutable(args);
  cleanups.push(() => {
    run.child.kill('SIGKILL');
    return run.ended;
  });
  return run;
}

/** Greatest resident size so far. */
const peakMb = (run: Run): number =>
  Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${run.child.pid}/status`, 'utf8'))?.[1]) / 1024;

const linesWith = (run: Run, text: string): string[] =>
  run
    .stderr()
    .split('\n')
    .filter((line) => line.includes(text));

describe.skipIf(!hasExecutable)('the packaged agent and hostile input', () => {
  test.skipIf(!hasMosquitto).each([4, 5])(
    'on every subscribed topic, MQTT version %i: it stays, bounded, with one line a reason',
    async (protocolVersion) => {
      const mosquitto = await startMosquitto();
      cleanups.push(() => mosquitto.stop());
      const directory = folder();
      const config = join(directory, 'agent.yaml');
      const url = `mqtt://127.0.0.1:${mosquitto.port}`;
      writeFileSync(
        config,
        `site: lab\nsinks:\n  - {type: mqtt, url: "${url}", protocolVersion: ${protocolVersion}}\n`,
      );
      const run = start(
        'agent',
        '--config',
        config,
        '--interval',
        '1s',
        '--state-dir',
        join(directory, 'state'),
        '--log-format',
        'json',
      );
      await run.logged('mqtt.connected');
      const hostId = /"host":"([^"]+)"/.exec(run.stderr())?.[1];
      const client = new MqttClient(() => connectTcp(mosquitto.port, '127.0.0.1'), { reconnectPeriod: 0 });
      cleanups.push(() => client.endAsync(true));
      await new Promise<void>((resolve) => client.once('connect', () => resolve()));
      const base = `edgewood/1/lab/a/${hostId}`;
      const before = peakMb(run);
      for (let i = 0; i < 50; i++) {
        const topic = `${base}/${i % 2 === 0 ? 'cmd/snooze' : 'ack'}`;
        await client.publishAsync(topic, randomBytes(i * 100), { qos: 1 });
        await client.publishAsync(`${base}/cmd/${'x'.repeat(i + 1)}`, '{"a":', { qos: 1 });
      }
      await run.logged('mqtt.inboundRejected');
      await client.publishAsync(`${base}/cmd/snooze`, Buffer.alloc(50_000_000, 'a'), { qos: 1 });
      // Version 5 tells the broker what is too large: it never comes.
      if (protocolVersion === 4) await run.logged('mqtt.packetRefused');
      expect(run.child.exitCode).toBeNull();
      expect(peakMb(run) - before).toBeLessThan(20);
      // A line at 1, 2, 4, … of each reason.
      expect(linesWith(run, 'mqtt.inboundRejected').length).toBeLessThanOrEqual(4 * 7);
    },
  );

  test('in a replay file: what can be read is, the rest is counted', async () => {
    const directory = folder();
    const rows = ['timestamp,cpu,memory,network'];
    for (let t = 0; t < 200; t++) rows.push(`${1_700_000_000 + 5 * t},${t % 7},40,${t * 10}`);
    rows.splice(50, 0, 'not a time,1,2,3', ',,,', '"', `1700000251,${'9'.repeat(1000)},x,\u0000`);
    rows.splice(100, 0, 'y'.repeat(5_000_000));
    const file = join(directory, 'hostile.csv.gz');
    const packed = gzipSync(rows.join('\n'));
    writeFileSync(file, Buffer.concat([packed, randomBytes(64)]));
    const run = start(
      'agent',
      '--source',
      `replay:${file}`,
      '--pace',
      'max',
      '--stdout',
      '--state-dir',
      join(directory, 'state'),
      '--log-format',
      'json',
    );
    expect([0, 2]).toContain(await run.ended);
    expect(run.stderr()).not.toMatch(/\n\s+at /);
    expect(run.stderr().length).toBeLessThan(10_000);
  });

  test('a replay that is no table ends with a word, not a trace', async () => {
    const directory = folder();
    const file = join(directory, 'noise.csv');
    writeFileSync(file, randomBytes(300_000));
    const run = start('agent', '--source', `replay:${file}`, '--state-dir', join(directory, 'state'));
    expect(await run.ended).toBe(2);
    expect(run.stderr()).toContain('noise.csv');
    expect(run.stderr()).not.toMatch(/\n\s+at /);
  });
});
