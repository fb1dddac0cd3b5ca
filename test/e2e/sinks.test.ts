import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { exported, hasVictoriaMetrics, startVictoriaMetrics } from '../support/daemons.ts';
import { hasExecutable, type Run, runExecutable } from '../support/executable.ts';
import { fakeServer } from '../support/http-server.ts';
import { RECORDING_START_MS, writeRecording } from '../support/recording.ts';
import { validator } from '../support/schemas.ts';

const cleanups: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function folder(): string {
  const directory = mkdtempSync(join(tmpdir(), 'edgewood-sinks-'));
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

interface Event {
  readonly type: string;
  readonly data: { readonly reason?: string; readonly findings?: string[]; readonly state?: string };
}
const eventsOf = (text: string): Event[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Event);

describe.skipIf(!hasExecutable)('sinks of the packaged agent', () => {
  test.skipIf(!hasVictoriaMetrics)(
    'a recording reaches InfluxDB and a webhook, whole, with the token and the labels',
    async () => {
      const victoria = await startVictoriaMetrics();
      cleanups.push(() => victoria.stop());
      const hook = await fakeServer(({ headers, body }) => {
        expect(headers.authorization).toBe('Bearer t0ken');
        expect(validator('event')(JSON.parse(body))).toEqual([]);
        return { status: 200 };
      });
      cleanups.push(() => hook.stop());
      const directory = folder();
      const recording = writeRecording(join(directory, 'recording.csv'));
      const token = join(directory, 'token');
      writeFileSync(token, 't0ken\n', { mode: 0o600 });
      const config = join(directory, 'agent.yaml');
      writeFileSync(
        config,
        `labels: {role: web}\nlearning: {warmup: 20m}\nsinks:\n` +
          `  - {type: influx, url: "${victoria.url}", bucket: b}\n` +
          `  - {type: webhook, url: "http://127.0.0.1:${hook.port}/hook", tokenFile: ${token}}\n`,
      );
      const run = start(
        'agent',
        '--config',
        config,
        '--source',
        `replay:${recording}`,
        '--pace',
        'max',
        '--state-dir',
        join(directory, 'state'),
      );
      expect(await run.ended).toBe(0);
      const [cpu] = await exported(victoria, 'edgewood_sample_cpu');
      expect(cpu?.values).toHaveLength(610);
      expect(cpu?.timestamps[0]).toBe(RECORDING_START_MS);
      expect(cpu?.metric).toMatchObject({ role: 'web', site: 'default' });
      const incidents = await exported(victoria, 'edgewood_incident_trigger_value');
      expect(incidents.map(({ metric }) => metric['state'])).toContain('opened');
      const types = hook.seen.map(({ body }) => (JSON.parse(body) as Event).type);
      expect(types[0]).toBe('edgewood.agent.started');
      expect(types).toContain('edgewood.incident');
      expect(run.stderr() + run.stdout()).not.toContain('t0ken');
    },
  );

  test('a damaged database is set aside, a new one begun, and an alert says so', async () => {
    const stateDir = join(folder(), 'state');
    const args = ['agent', '--interval', '1s', '--stdout', '--state-dir', stateDir];
    const first = start(...args);
    await first.logged('agent.started');
    first.child.kill('SIGKILL');
    await first.ended;
    const path = join(stateDir, 'edgewood.db');
    writeFileSync(path, Buffer.alloc(8192, 'x'));
    // From its log alone SQLite would mend the file.
    rmSync(`${path}-wal`);
    const second = start(...args);
    await second.logged('store.finding');
    await second.logged('agent.started');
    second.child.kill('SIGTERM');
    expect(await second.ended).toBe(0);
    const aside = readdirSync(stateDir).filter((name) => /corrupt-/.test(name) && !/-(wal|shm)$/.test(name));
    expect(aside).toHaveLength(1);
    expect(
      readFileSync(join(stateDir, aside[0] as string))
        .subarray(0, 4)
        .toString(),
    ).toBe('xxxx');
    const [replaced, started] = eventsOf(second.stdout());
    expect(replaced).toMatchObject({ type: 'edgewood.store.replaced', data: { reason: 'quarantined' } });
    expect(validator('event')(replaced)).toEqual([]);
    expect(validator('store-replaced')(replaced?.data)).toEqual([]);
    expect(replaced?.data.findings?.[0]).toContain('is kept as');
    expect(started?.type).toBe('edgewood.agent.started');
  });
});
