import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MqttClient } from 'mqtt';
import { afterEach, describe, expect, test } from 'vitest';
import type { AlertData } from '../../core/protocol/events.ts';
import { hasExecutable, type Run, runExecutable } from '../support/executable.ts';
import { hasMosquitto, startMosquitto } from '../support/mosquitto.ts';
import { RECORDING_START_MS, writeRecording } from '../support/recording.ts';
import { validator } from '../support/schemas.ts';

const cleanups: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function folder(): string {
  const directory = mkdtempSync(join(tmpdir(), 'edgewood-e2e-'));
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

const recording = (directory: string): string => writeRecording(join(directory, 'recording.csv'));

interface CloudEvent {
  readonly id: string;
  readonly type: string;
  readonly time: string;
  readonly sequence: string;
  readonly data: AlertData;
}

const SCHEMA_OF: Readonly<Record<string, string>> = {
  'edgewood.incident': 'alert',
  'edgewood.agent.started': 'lifecycle',
  'edgewood.agent.stopped': 'lifecycle',
  'edgewood.model.activated': 'model-activated',
};

/** What every run has to show: valid documents, no gap, an incident that opens and resolves. */
function check(events: readonly CloudEvent[]): void {
  expect(events.length).toBeGreaterThan(3);
  for (const event of events) expect(validator(SCHEMA_OF[event.type] ?? event.type)(event.data)).toEqual([]);
  const numbers = events.map((event) => Number(event.sequence)).sort((a, b) => a - b);
  expect(numbers).toEqual(numbers.map((_, i) => i + 1));
  const alerts = events.filter((event) => event.type === 'edgewood.incident').map((event) => event.data);
  const opened = alerts.find((alert) => alert.state === 'opened');
  expect(opened?.openedAt).toBe(new Date(RECORDING_START_MS + 2_000_000).toISOString());
  expect(opened?.explanation.top[0]?.feature).toBe('cpu');
  expect(opened?.explanation.sentence).toMatch(/CPU 99 % \(usually \d+-\d+ %\)/);
  expect(alerts.some((alert) => alert.state === 'resolved' && alert.incidentId === opened?.incidentId)).toBe(
    true,
  );
}

describe.skipIf(!hasExecutable)('the packaged agent', () => {
  test('a replay tells on stdout what it would have said', async () => {
    const directory = folder();
    const run = start(
      'agent',
      '--source',
      `replay:${recording(directory)}`,
      '--pace',
      'max',
      '--warmup',
      '1900s',
      '--refit',
      'off',
      '--stdout',
      '--state-dir',
      join(directory, 'state'),
      '--log-format',
      'json',
    );
    expect(await run.ended).toBe(0);
    check(
      run
        .stdout()
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as CloudEvent),
    );
  });

  test.skipIf(!hasMosquitto)('a subscriber of a real mosquitto gets every event', async () => {
    const directory = folder();
    const mosquitto = await startMosquitto();
    cleanups.push(() => mosquitto.stop());
    const events: CloudEvent[] = [];
    const client = new MqttClient(() => connectTcp(mosquitto.port, '127.0.0.1'), {
      protocolVersion: 5,
      reconnectPeriod: 0,
    });
    cleanups.push(() => client.end(true));
    const stopped = new Promise<void>((resolve) => {
      client.on('message', (_topic, payload) => {
        events.push(JSON.parse(payload.toString()) as CloudEvent);
        if (events.at(-1)?.type === 'edgewood.agent.stopped') resolve();
      });
    });
    await new Promise<void>((resolve) => client.once('connect', () => resolve()));
    await client.subscribeAsync(['edgewood/1/lab/a/+/alert/+', 'edgewood/1/lab/a/+/event'], { qos: 1 });
    const run = start(
      'agent',
      '--source',
      `replay:${recording(directory)}`,
      '--pace',
      'max',
      '--warmup',
      '1900s',
      '--refit',
      'off',
      '--site',
      'lab',
      '--mqtt',
      `mqtt://127.0.0.1:${mosquitto.port}`,
      '--state-dir',
      join(directory, 'state'),
    );
    expect(await run.ended).toBe(0);
    await stopped;
    check(events);
  });

  test('on this host: status, alerts and their words, until it is told to stop', async () => {
    const directory = folder();
    const state = join(directory, 'state');
    const run = start('agent', '--interval', '200ms', '--state-dir', state);
    await run.logged('agent.started');
    expect(statSync(join(state, 'agent.sock')).mode & 0o777).toBe(0o660);
    const ask = async (...args: string[]): Promise<{ code: number | string; out: string; err: string }> => {
      const asked = start(...args);
      const code = await asked.ended;
      return { code, out: asked.stdout(), err: asked.stderr() };
    };
    const status = await ask('status', '--state-dir', state);
    expect(status.out).toMatch(/Warming up/);
    expect(status.code).toBe(0);
    const json = await ask('status', '--state-dir', state, '--json');
    expect(JSON.parse(json.out)).toMatchObject({ state: 'warming-up', source: { kind: 'procfs' } });
    expect((await ask('alerts', 'list', '--state-dir', state)).out).toBe('No incident so far.\n');
    expect((await ask('snooze', '1h', '--reason', 'disk swap', '--state-dir', state)).code).toBe(0);
    const silent = await ask('alerts', 'list', '--state-dir', state);
    expect(silent.err).toMatch(/^No alerts: snoozed: disk swap, for another /);
    expect(silent.out).toBe('No incident so far.\n');
    const unknown = await ask('alerts', 'show', 'nothing', '--state-dir', state);
    expect(unknown).toMatchObject({ code: 1 });
    const second = await ask('agent', '--state-dir', state);
    expect(second.code).toBe(2);
    expect(second.err).not.toMatch(/ at /);
    run.child.kill('SIGTERM');
    expect(await run.ended).toBe(0);
    const gone = await ask('status', '--state-dir', state);
    expect(gone).toMatchObject({ code: 3 });
    expect(gone.err).toMatch(/edgewood agent/);
  });

  test('it goes on in a second image of the same process, and takes no other one for its first', async () => {
    const state = join(folder(), 'state');
    const stale = { EDGEWOOD_HANDED_OVER: `1 ${JSON.stringify({ stdout: false, interval: 'soon' })}` };
    const run = runExecutable(['agent', '--interval', '200ms', '--state-dir', state], stale);
    cleanups.push(() => {
      run.child.kill('SIGKILL');
      return run.ended;
    });
    await run.logged('agent.started');
    const environment = readFileSync(`/proc/${run.child.pid}/environ`, 'utf8').split('\0');
    const own = environment.find((line) => line.startsWith(`EDGEWOOD_HANDED_OVER=${run.child.pid} `));
    expect(own).toContain('200ms');
    run.child.kill('SIGTERM');
    expect(await run.ended).toBe(0);
  });

  test.each([
    [['agent', '--interval', 'soon'], /--interval: expected a duration/],
    [['agent', '--mqtt', 'mqtt://user:hunter2@host'], /passwordFile/],
    [['agent', '--source', 'replay:/nonexistent.csv'], /nonexistent\.csv/],
    [['agent', '--config', '/nonexistent.yaml'], /no such file/],
    [['agent', '--state-dir', '/proc/edgewood'], /--state-dir/],
    [['agent', '--colour'], /colour/],
    [['config', 'check', '/'], /is a folder/],
  ])('a mistake gets a word that leads to its mend: %j', async (args, words) => {
    const run = start(
      ...args,
      ...(args.includes('--state-dir') || args[0] !== 'agent' ? [] : ['--state-dir', folder()]),
    );
    expect(await run.ended).toBe(2);
    expect(run.stderr()).toMatch(words);
    expect(run.stderr()).not.toMatch(/hunter2|\n {4}at /);
  });
});
