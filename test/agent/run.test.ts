import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, describe, expect, test } from 'vitest';
import { type AgentConfig, resolveConfig } from '../../agent/config/config.ts';
import { ask, converse } from '../../agent/local-api.ts';
import type { Fields } from '../../agent/log.ts';
import { startAgent } from '../../agent/run.ts';
import { openSqliteStore } from '../../agent/store/sqlite-store.ts';
import { createDetector } from '../../core/create-detector.ts';
import type { AlertData } from '../../core/protocol/events.ts';
import { ModelSlots } from '../../models/slots.ts';
import { BUSY_FROM_ROW, RECORDING_START_MS, writeRecording } from '../support/recording.ts';
import { validator } from '../support/schemas.ts';

const cleanups: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function folder(): string {
  const directory = mkdtempSync(join(tmpdir(), 'edgewood-agent-'));
  cleanups.push(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

function configure(directory: string, more: Readonly<Record<string, unknown>> = {}): AgentConfig {
  const values = new Map<string, unknown>([
    ['stateDir', join(directory, 'state')],
    ['source', `replay:${writeRecording(join(directory, 'recording.csv'))}`],
    ['pace', 'max'],
    ['learning.warmup', 1_900_000],
    ['learning.refit', 'off'],
    ...Object.entries(more),
  ]);
  return resolveConfig([{ values, sinks: [] }]);
}

interface Line {
  readonly event: string;
  readonly fields: Fields;
}

async function start(
  config: AgentConfig,
  lines: Line[] = [],
): Promise<Awaited<ReturnType<typeof startAgent>>> {
  const agent = await startAgent(config, {
    version: '0.0.0',
    log: (_level, event, fields = {}) => lines.push({ event, fields }),
  });
  cleanups.push(() => agent.stop());
  return agent;
}

describe('a replay through the whole agent', () => {
  test('learns, opens, explains and resolves an incident; the alert scores to the same bits', async () => {
    const config = configure(folder());
    const lines: Line[] = [];
    const agent = await start(config, lines);
    await agent.ended;
    const alerts = await ask<AlertData[]>(config.socket, { method: 'alerts', limit: 5 });
    const alert = await ask<AlertData>(config.socket, {
      method: 'alert',
      id: alerts[0]?.incidentId.slice(0, 6),
    });
    expect(alert.state).toBe('resolved');
    expect(alert.openedAt).toBe(new Date(RECORDING_START_MS + 5000 * BUSY_FROM_ROW).toISOString());
    expect(lines.map((line) => line.event)).toContain('incident.opened');
    const status = agent.status() as Record<string, unknown>;
    expect(status).toMatchObject({ state: 'watching', next: { kind: 'none' }, counters: { samples: 610 } });
    await agent.stop();

    const loaded = new ModelSlots(config.stateDir).load(() => {});
    const store = openSqliteStore({
      stateDir: config.stateDir,
      openDatabase: (path) => new Database(path),
      nowMs: () => 0,
      randomHex: () => '00',
    });
    const events = store.events(0, 100).filter((event) => event.type === 'edgewood.incident');
    expect(events.length).toBeGreaterThanOrEqual(2);
    if (loaded === null) throw new Error('no model was kept');
    const detector = createDetector(loaded.model);
    for (const event of events) {
      const data = JSON.parse(event.data) as AlertData;
      expect(validator('alert')(data)).toEqual([]);
      expect(detector.scoreInputs(data.features.flatMap((f) => f.inputs.map((x) => x ?? Number.NaN)))).toBe(
        data.score,
      );
      const sum = data.features.reduce((total, feature) => total + feature.contribution, detector.baseValue);
      expect(sum).toBeCloseTo(data.score ?? Number.NaN, 9);
    }
    expect(store.samples(0, Number.MAX_SAFE_INTEGER)[Symbol.iterator]().next().done).toBe(false);
    store.close();
  });

  test('what was learned survives a restart, and the same metrics are asked for', async () => {
    const directory = folder();
    const config = configure(directory);
    const first = await start(config);
    await first.ended;
    await first.stop();
    const lines: Line[] = [];
    const second = await start(config, lines);
    expect(lines.map((line) => line.event)).toContain('model.loaded');
    await second.stop();
    await expect(
      startAgent(configure(directory, { source: 'procfs' }), { version: '0', log: () => {} }),
    ).rejects.toThrow(/other metrics/);
  });
});

describe('a live agent', () => {
  test('says what it does and what comes next, to many at once, and turns garbage away', async () => {
    const directory = folder();
    const config = configure(directory, { source: 'procfs', interval: 100, 'learning.warmup': 10_000 });
    const agent = await start(config);
    expect(statSync(config.socket).mode & 0o777).toBe(0o660);
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => ask<object>(config.socket, { method: 'status' })),
    );
    for (const answer of answers)
      expect(answer).toMatchObject({ state: 'warming-up', next: { kind: 'first' } });
    await expect(ask(config.socket, { method: 'nonsense' })).rejects.toThrow(/unknown method/);
    await expect(ask(config.socket, [])).rejects.toThrow(/unknown method/);
    for (const garbage of ['not json\n', 'null\n', '\0\n']) {
      const answer = await new Promise<string>((resolve, reject) => {
        const socket = connect(config.socket, () => socket.write(garbage));
        socket.once('data', (chunk) => {
          resolve(chunk.toString());
          socket.destroy();
        });
        socket.once('error', reject);
      });
      expect(JSON.parse(answer)).toMatchObject({ ok: false });
    }
    const cut = new Promise<void>((resolve) => {
      const socket = connect(config.socket, () => socket.write('x'.repeat(20_000)));
      socket.on('error', () => {});
      socket.once('close', () => resolve());
    });
    await cut;
    const followed = converse(config.socket, { method: 'follow' });
    await followed.next();
    let telemetry = false;
    const stopping = agent.stop();
    for await (const message of followed)
      telemetry ||= typeof message === 'object' && message !== null && 'telemetry' in message;
    await stopping;
    expect(telemetry).toBe(true);
    await expect(ask(config.socket, { method: 'status' })).rejects.toThrow(/ENOENT/);
  });

  test('a second agent on the same state is refused', async () => {
    const config = configure(folder(), { source: 'procfs' });
    await start(config);
    await expect(startAgent(config, { version: '0', log: () => {} })).rejects.toThrow(/state/);
  });
});
