import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { hasExecutable, type Run, runExecutable } from '../support/executable.ts';
import { hasMosquitto, startMosquitto } from '../support/mosquitto.ts';
import { writeRecording } from '../support/recording.ts';

let directory = '';
const cleanups: (() => Promise<unknown> | unknown)[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'edgewood-config-'));
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  rmSync(directory, { recursive: true, force: true });
});

function start(args: readonly string[], env: Readonly<Record<string, string>> = {}): Run {
  const run = runExecutable(args, env);
  cleanups.push(() => {
    run.child.kill('SIGKILL');
    return run.ended;
  });
  return run;
}

async function run(...args: string[]): Promise<{ code: number | string; out: string; err: string }> {
  const started = start(args, { EDGEWOOD_LOG_LEVEL: 'debug' });
  const code = await started.ended;
  return { code, out: started.stdout(), err: started.stderr() };
}

describe.skipIf(!hasExecutable)('config', () => {
  test('init writes a file for its group only, once; check takes it; show says where each value comes from', async () => {
    const file = join(directory, 'etc', 'agent.yaml');
    expect(await run('config', 'init', file, '--mqtt', 'mqtt://broker:1883')).toMatchObject({ code: 0 });
    expect(statSync(file).mode & 0o777).toBe(0o640);
    const again = await run('config', 'init', file);
    expect(again).toMatchObject({ code: 2 });
    expect(again.err).toMatch(/--force/);
    expect((await run('config', 'check', file)).out).toMatch(/fine\..*mqtt:\/\/broker:1883/);
    const hook = 'https://hooks.example/T0P/s3cret?key=s3cret';
    writeFileSync(file, `interval: 7s\nsinks:\n  - type: webhook\n    url: ${hook}\n    tokenFile: /t\n`);
    const { out } = await run('config', 'show', '--config', file);
    expect(out).toMatch(new RegExp(`interval +7s +${file}:1\n`));
    expect(out).toMatch(/log\.level +debug +EDGEWOOD_LOG_LEVEL\n/);
    expect(out).toMatch(/site +default +default\n/);
    expect(out).toMatch(/sinks\[0\]\.url +https:\/\/hooks\.example\/\*\*\*\?key=\*\*\* /);
    expect(out).not.toMatch(/s3cret/);
    const rows = JSON.parse((await run('config', 'show', '--config', file, '--json')).out) as object[];
    expect(rows).toContainEqual({ setting: 'interval', value: '7s', from: `${file}:1` });
  });

  test('a faulty file: the place, what was expected, what may have been meant', async () => {
    const file = join(directory, 'agent.yaml');
    writeFileSync(file, 'intervall: 5s\n');
    const checked = await run('config', 'check', file);
    expect(checked.code).toBe(2);
    expect(checked.err).toBe(
      `edgewood: ${file}:1:1: unknown setting "intervall"; did you mean "interval"?\n`,
    );
  });
});

describe.skipIf(!hasExecutable)('SIGHUP', () => {
  test('not a sample is lost, and a faulty file changes nothing', async () => {
    const file = join(directory, 'agent.yaml');
    const rows =
      readFileSync(writeRecording(join(directory, 'r.csv')), 'utf8')
        .trim()
        .split('\n').length - 1;
    writeFileSync(file, 'labels: {turn: 0}\n');
    const agent = start([
      'agent',
      ...['--config', file, '--source', `replay:${join(directory, 'r.csv')}`, '--pace', 'max'],
      ...['--state-dir', join(directory, 'state'), '--log-format', 'json'],
    ]);
    await agent.logged('agent.started');
    let turn = 0;
    const said = (event: string): number => agent.stderr().split(`"${event}"`).length - 1;
    while (agent.child.exitCode === null && agent.child.signalCode === null && turn < 200) {
      turn++;
      writeFileSync(file, turn % 3 === 0 ? 'nonsense: {\n' : `labels: {turn: ${turn}}\n`);
      agent.child.kill('SIGHUP');
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(await agent.ended).toBe(0);
    expect(said('config.reloaded')).toBeGreaterThan(0);
    expect(agent.stderr()).toContain(`"event":"agent.stopped","samples":${rows}`);
  });

  test.skipIf(!hasMosquitto)(
    'another broker, from now on, and what waited for the old one goes there',
    async () => {
      const broker = await startMosquitto();
      cleanups.push(() => broker.stop());
      const file = join(directory, 'agent.yaml');
      const state = join(directory, 'state');
      const sink = (port: number): string => `sinks:\n  - {type: mqtt, url: "mqtt://127.0.0.1:${port}"}\n`;
      writeFileSync(file, sink(1));
      const agent = start(['agent', '--config', file, '--interval', '200ms', '--state-dir', state]);
      await agent.logged('mqtt.disconnected');
      writeFileSync(file, sink(broker.port));
      agent.child.kill('SIGHUP');
      await agent.logged('mqtt.connected');
      agent.child.kill('SIGTERM');
      expect(await agent.ended).toBe(0);
      expect(agent.stderr()).not.toMatch(/delivery\.unfinished/);
      expect(agent.stderr()).toMatch(/"config\.reloaded","changed":\["sinks"\]/);
    },
  );
});
