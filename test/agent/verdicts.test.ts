import { describe, expect, test } from 'vitest';
import { Performance } from '../../agent/performance.ts';
import { MemoryStore } from '../../agent/store/memory-store.ts';
import { Verdicts } from '../../agent/verdicts.ts';
import { type AgentStatus, statusPage } from '../../cli/commands/status.ts';
import type { DriftData } from '../../core/protocol/drift.ts';
import { performanceLine } from '../../core/protocol/influx.ts';
import type { VerdictData } from '../../core/protocol/verdict.ts';
import { validator } from '../support/schemas.ts';
import { busy, ScriptedAgent } from '../support/scripted-agent.ts';
import { temporaryDirectory } from '../support/temporary.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
const MONDAY_MS = Date.UTC(2026, 0, 5);
const store = (): MemoryStore => new MemoryStore({ nowMs: () => 0, randomHex: () => '0' });

function verdicts(memory = store()): {
  all: Verdicts;
  give: (day: number, verdict: 'true' | 'false' | 'benign', id?: string) => void;
} {
  const all = new Verdicts(memory);
  let ids = 0;
  return {
    all,
    give: (day, verdict, id = `i${ids++}`) => {
      const openedAtMs = MONDAY_MS + day * DAY_MS;
      all.give({ incidentId: id, verdict, note: '', atMs: openedAtMs, openedAtMs, modelSha256: 'a' });
    },
  };
}

describe('verdicts', () => {
  test('precision by week, from Monday on; benign counts as false, the last word counts', () => {
    const memory = store();
    const { all, give } = verdicts(memory);
    give(0, 'true');
    give(6, 'benign');
    give(7, 'false', 'x');
    give(7, 'true', 'x');
    const none = { judged: 0, trueAlerts: 0, falseAlerts: 0, benignAlerts: 0, missed: 0 };
    const unknown = { precision: null, recall: null, f1: null };
    const nowMs = MONDAY_MS + 14 * DAY_MS - 1;
    const weeks = [
      { fromMs: MONDAY_MS + 7 * DAY_MS, ...none, judged: 1, trueAlerts: 1, precision: 1, recall: 1, f1: 1 },
      {
        fromMs: MONDAY_MS,
        ...none,
        judged: 2,
        trueAlerts: 1,
        benignAlerts: 1,
        precision: 0.5,
        recall: 1,
        f1: 2 / 3,
      },
      { fromMs: MONDAY_MS - 7 * DAY_MS, ...none, ...unknown },
    ];
    expect(all.weeks(nowMs, 3)).toEqual(weeks);
    expect(new Verdicts(memory).weeks(nowMs, 3)).toEqual(weeks);
    memory.putState('verdicts', '[{');
    expect(new Verdicts(memory).week(MONDAY_MS)).toEqual({ fromMs: MONDAY_MS, ...none, ...unknown });
  });

  test('the oldest go when there are very many', () => {
    const { all, give } = verdicts();
    for (let i = 0; i < 520; i++) give(0, 'true', `n${i}`);
    expect(all.of('n7')).toBeNull();
    expect(all.of('n8')?.verdict).toBe('true');
  });
});

describe('concept drift', () => {
  const model = { sha256: 'a', trainedToMs: 0 };
  const nowMs = MONDAY_MS + 30 * DAY_MS;

  test('falling precision is told of once, until it is over', () => {
    const memory = store();
    const { give } = verdicts(memory);
    for (let i = 0; i < 10; i++) give(5, 'true');
    for (let i = 0; i < 8; i++) give(28, 'false');
    const performance = new Performance(memory, null);
    const judgement = performance.judge(model, 1, false, nowMs);
    expect(judgement?.signs).toEqual(['precision']);
    expect(performance.judge(model, 1, false, nowMs)).toBeNull();
    const restarted = new Performance(memory, performance.document);
    expect(restarted.judge(model, 1, false, nowMs)).toBeNull();
    expect(new Performance(memory, null).judge({ ...model, sha256: 'b' }, 1, false, nowMs)).toBeNull();
  });

  test('more incidents than the budget explains, unless the input has drifted', () => {
    const performance = new Performance(store(), null);
    for (let i = 0; i < 40; i++) performance.incidentOpened(nowMs - DAY_MS + i * 60_000);
    expect(performance.judge(model, 1, true, nowMs)).toBeNull();
    expect(performance.judge(model, 1, false, nowMs)?.signs).toEqual(['alertRate']);
    expect(performance.report(nowMs, []).incidentsPerHour).toBeCloseTo(39 / 24, 10);
  });
});

describe('in the agent', () => {
  function withIncident(): ScriptedAgent {
    const it = new ScriptedAgent(temporaryDirectory());
    it.learn();
    it.samples(30);
    it.samples(3, busy);
    it.samples(30);
    return it;
  }

  test('a word on an incident is kept, is an event, and counts in status, over a restart too', () => {
    const it = withIncident();
    expect(it.agent.operators.verdict('nothing', 'true', '')).toBeNull();
    expect(it.agent.operators.verdict('incident-1', 'false', 'backup')).toMatchObject({
      verdict: 'false',
      note: 'backup',
    });
    it.agent.operators.verdict('incident', 'true', '');
    const said = it.events('edgewood.verdict');
    const [first, second] = said.map(({ data }) => JSON.parse(data) as VerdictData);
    expect(first).toMatchObject({ incidentId: 'incident-1', verdict: 'false', before: null, note: 'backup' });
    expect(second).toMatchObject({ verdict: 'true', before: 'false' });
    expect(said[0]).toMatchObject({ subject: 'incident-1', severity: null });
    for (const data of [first, second]) expect(validator('verdict')(data)).toEqual([]);
    it.agent.stop();
    it.restart(0);
    it.samples(1);
    expect(it.agent.status().performance).toMatchObject({
      verdicts: 1,
      precision: 1,
      incidentsPerHour: 1 / 24,
    });
    expect(statusPage(it.agent.status() as AgentStatus, false)).toMatch(
      /alarms {5}0\.04 incidents an hour over a day; 100 % of 1 alerts true in 7 days/,
    );
  });

  test('more incidents than the budget explains become a drift event of its own kind', () => {
    const it = new ScriptedAgent(temporaryDirectory(), {
      settings: { interval: MINUTE_MS, 'learning.warmup': 360 * MINUTE_MS, 'learning.refit': 'off' },
    });
    it.agent.start();
    const run = (rows: number, change?: typeof busy): void => {
      for (let row = 0; row < rows; row++) {
        it.sample(change, MINUTE_MS);
        it.runFit();
      }
    };
    run(420);
    for (let i = 0; i < 6; i++) {
      run(4, busy);
      run(30);
    }
    const [told, ...others] = it
      .events('edgewood.drift')
      .map(({ data }) => JSON.parse(data) as DriftData)
      .filter(({ state }) => state === 'concept');
    expect(told?.kinds).toEqual(['concept']);
    expect(told?.sentence).toMatch(
      /^The model no longer fits, although no metric has drifted: \d+ incidents/,
    );
    expect(validator('drift')(told)).toEqual([]);
    expect(others).toEqual([]);
  });

  test('goes out with the telemetry, and to InfluxDB', () => {
    const it = withIncident();
    const told = (it.telemetry as { performance?: object }[]).filter(({ performance }) => performance);
    expect(told[0]?.performance).toMatchObject({ precision: null, verdicts: 0 });
    for (const batch of it.telemetry) expect(validator('telemetry')(batch)).toEqual([]);
    const performance = { incidentsPerHour: 0.5, verdicts: 3, precision: null, retrainings: 1, weeks: [] };
    expect(performanceLine(',host=a', 5, performance)).toBe(
      'edgewood_performance,host=a incidents_per_hour=0.5,verdicts=3i,retrainings=1i 5000000',
    );
  });
});
