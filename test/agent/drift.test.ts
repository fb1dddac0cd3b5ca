import { describe, expect, test } from 'vitest';
import { exposition } from '../../agent/exposition.ts';
import { Figures } from '../../agent/figures.ts';
import type { StatusReport } from '../../agent/status.ts';
import { type AgentStatus, statusPage } from '../../cli/commands/status.ts';
import type { DriftState } from '../../core/drift/monitor.ts';
import type { DriftData } from '../../core/protocol/drift.ts';
import { driftLines } from '../../core/protocol/influx.ts';
import { validator } from '../support/schemas.ts';
import { ScriptedAgent } from '../support/scripted-agent.ts';
import { temporaryDirectory } from '../support/temporary.ts';

const MINUTE_MS = 60_000;
const HOUR_ROWS = 60;

/** Six hours of history at a sample a minute: windows of one hour, a decision every half. */
function learned(settings: Readonly<Record<string, unknown>> = {}): ScriptedAgent {
  const it = new ScriptedAgent(temporaryDirectory(), {
    settings: {
      interval: MINUTE_MS,
      'learning.warmup': 6 * 60 * MINUTE_MS,
      'learning.refit': 'off',
      ...settings,
    },
  });
  it.agent.start();
  run(it, 6 * HOUR_ROWS + 2);
  it.runFit();
  return it;
}

function run(it: ScriptedAgent, rows: number, change?: (values: Float64Array) => void): void {
  for (let i = 0; i < rows; i++) {
    it.sample(change, MINUTE_MS);
    it.runFit();
  }
}

const driftsOf = (it: ScriptedAgent): DriftData[] =>
  it.events('edgewood.drift').map(({ data }) => JSON.parse(data) as DriftData);
const statesOf = (it: ScriptedAgent): string[] => driftsOf(it).map(({ state }) => state);
const reportOf = (it: ScriptedAgent): NonNullable<StatusReport['drift']> => {
  const { drift } = it.agent.status();
  if (drift === null) throw new Error('no drift is watched');
  return drift;
};
const stateOf = (it: ScriptedAgent): DriftState =>
  (JSON.parse(it.memory.getState('drift') ?? 'null') as { monitor: DriftState }).monitor;

const moreMemory = (values: Float64Array): void => {
  values[1] = (values[1] as number) + 30;
};

describe('drift', () => {
  test('is watched from the first model on that has a reference, and silent while nothing moves', () => {
    const it = learned();
    expect(reportOf(it)).toMatchObject({ phase: 'steady', severity: 1, filled: true, provisional: true });
    run(it, 6 * HOUR_ROWS);
    expect(statesOf(it)).toEqual([]);
    expect(reportOf(it)).toMatchObject({ phase: 'steady', windowMs: 60 * MINUTE_MS });
  });

  test('is warned of, asks for a new model once, and ends; each in an event that is valid', () => {
    const it = learned();
    run(it, 2 * HOUR_ROWS);
    expect(statesOf(it)).toEqual([]);
    run(it, 7 * HOUR_ROWS, moreMemory);
    const [warning, retrain, ...heldBack] = driftsOf(it);
    expect(warning).toMatchObject({ state: 'warning', provisional: true });
    expect(warning?.kinds).toContain('input');
    expect(warning?.streams[0]).toMatchObject({ name: 'memory', direction: 'higher', over: true });
    expect(warning?.streams[0]?.d).toBeGreaterThan(warning?.streams[0]?.threshold as number);
    expect(warning?.sentence).toMatch(
      /^This host is no longer as in training \(severity \d.*: memory higher \(D /,
    );
    expect(retrain?.state).toBe('retrain');
    expect(new Set(heldBack.map(({ state }) => state))).toEqual(new Set(['heldBack']));
    expect(it.logs('drift.warning')).toHaveLength(1);
    expect(reportOf(it)).toMatchObject({ phase: 'drifting' });
    run(it, 3 * HOUR_ROWS);
    expect(statesOf(it).at(-1)).toBe('ended');
    for (const data of driftsOf(it)) expect(validator('drift')(data)).toEqual([]);
  });

  test('goes on after a restart as if there had been none', () => {
    const steady = learned();
    const restarted = learned();
    for (const it of [steady, restarted]) run(it, HOUR_ROWS + 45);
    restarted.restart(0);
    restarted.runFit();
    expect(reportOf(restarted)).toEqual(reportOf(steady));
    for (const it of [steady, restarted]) run(it, HOUR_ROWS + 45, moreMemory);
    restarted.restart(0);
    restarted.runFit();
    expect(reportOf(restarted).phase).toBe('drifting');
    for (const it of [steady, restarted]) run(it, 6 * HOUR_ROWS, moreMemory);
    expect(statesOf(restarted)).toEqual(statesOf(steady));
    expect(statesOf(steady)).toContain('retrain');
    expect(stateOf(restarted)).toEqual(stateOf(steady));
  });

  test('the windows are refilled in slices, and samples meanwhile are not lost', () => {
    const it = learned();
    run(it, 2 * HOUR_ROWS);
    it.restart(0);
    expect(reportOf(it).filled).toBe(false);
    expect(it.runFit(3)).toBe(3);
    expect(reportOf(it).filled).toBe(false);
    for (let i = 0; i < 5; i++) it.sample(undefined, MINUTE_MS);
    it.runFit();
    const twin = learned();
    run(twin, 2 * HOUR_ROWS + 5);
    expect(reportOf(it).streams).toEqual(reportOf(twin).streams);
  });

  test('a sensor that stands still is named, once', () => {
    const it = learned();
    run(it, HOUR_ROWS);
    run(it, 5 * HOUR_ROWS, (values) => {
      values[1] = 41.25;
    });
    const [first, ...others] = driftsOf(it).filter(({ state }) => state === 'sensor');
    expect(first?.faults).toEqual([{ fault: 'stuck', metric: 'memory' }]);
    expect(first?.kinds).toContain('sensor');
    expect(first?.sentence).toBe('Not to be believed: memory stands still as never in training.');
    expect(others).toEqual([]);
  });

  test('a fit of the same host does not begin counting anew; the next request is still a day off', () => {
    const it = learned({ 'learning.refit': 'auto', 'learning.warmup': 24 * 60 * MINUTE_MS });
    run(it, 19 * HOUR_ROWS);
    run(it, 3 * HOUR_ROWS, moreMemory);
    const { streaks } = stateOf(it);
    it.agent.night();
    run(it, 1, moreMemory);
    it.agent.stop();
    expect(stateOf(it).streaks).toEqual(streaks);
  });

  test('is shown in status and /metrics, and goes to the sinks', () => {
    const it = learned();
    run(it, 4 * HOUR_ROWS, moreMemory);
    const status = it.agent.status();
    expect(statusPage(status as AgentStatus, false)).toMatch(
      / {2}drift {6}drifting for .*, severity \d of 10, provisional; D .*memory 1\.00 of 0\.\d\d, .*; next decision in /,
    );
    const text = exposition(
      status,
      new Figures(() => 0),
      { cpuSeconds: 0, residentBytes: 0, proportionalBytes: null, openDescriptors: null, startSeconds: 0 },
      true,
    );
    expect(text).toMatch(/^edgewood_drift_severity \d+$/m);
    expect(text).toMatch(/^edgewood_drift_distance\{metric="memory"\} 1$/m);
    expect(text).toMatch(/^edgewood_drift_threshold\{metric="score"\} 0\.\d+$/m);
    const batches = it.telemetry as {
      drift?: { streams: { name: string }[] };
      health: { driftSeverity: number };
    }[];
    const told = batches.filter(({ drift }) => drift !== undefined);
    expect(told.length).toBeLessThan(batches.length);
    expect(told.at(-1)?.drift?.streams[0]?.name).toBe('memory');
    expect(batches.at(-1)?.health.driftSeverity).toBeGreaterThan(3);
    for (const batch of batches) expect(validator('telemetry')(batch)).toEqual([]);
  });

  test('a line a metric for InfluxDB', () => {
    const streams = [
      { name: 'cpu', d: 0.5, threshold: 0.25, over: true },
      { name: 'score', d: null, threshold: null, over: false },
    ];
    expect(driftLines({ host: 'a' }, 5, { phase: 'drifting', severity: 4, streams })).toEqual([
      'edgewood_drift,host=a,metric=cpu distance=0.5,threshold=0.25,over=true,severity=4 5000000',
      'edgewood_drift,host=a,metric=score over=false,severity=4 5000000',
    ]);
  });
});
