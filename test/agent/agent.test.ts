import { writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { SAMPLE_AFTER_GAP, SAMPLE_IN_INCIDENT } from '../../agent/store/store.ts';
import { type AgentStatus, stateSentence } from '../../cli/commands/status.ts';
import { createDetector } from '../../core/create-detector.ts';
import type { AlertData, StoredEvent } from '../../core/protocol/events.ts';
import { SCHEMA_FILES } from '../../core/protocol/schemas.ts';
import { decodeModel, encodeModel } from '../../models/artifact.ts';
import { validator } from '../support/schemas.ts';
import { busy, INTERVAL_MS, ScriptedAgent } from '../support/scripted-agent.ts';
import { SMALL_SCHEMA } from '../support/series.ts';
import { temporaryDirectory } from '../support/temporary.ts';

const script = (options?: ConstructorParameters<typeof ScriptedAgent>[1]): ScriptedAgent =>
  new ScriptedAgent(temporaryDirectory(), options);
const dataOf = (event: StoredEvent | undefined): AlertData => JSON.parse(event?.data ?? 'null') as AlertData;
const alertsOf = (it: ScriptedAgent): AlertData[] => it.events('edgewood.incident').map(dataOf);
const statesOf = (it: ScriptedAgent): string[] =>
  alertsOf(it).map((alert) => `${alert.incidentId} ${alert.state}`);
const statusOf = (it: ScriptedAgent): AgentStatus => it.agent.status() as AgentStatus;
const sentenceOf = (it: ScriptedAgent): string => stateSentence(statusOf(it));

describe('what was running', () => {
  const found: NonNullable<AlertData['processes']> = {
    byCpu: [{ pid: 7, name: 'stress', cpuPercent: 97, memoryBytes: 1e6 }],
    byMemory: [{ pid: 8, name: 'hog', cpuPercent: null, memoryBytes: 9e9 }],
  };
  const surveyed = (): { it: ScriptedAgent; answer: (result: typeof found | Error) => Promise<void> } => {
    const survey = Promise.withResolvers<typeof found>();
    const it = script({ survey: () => survey.promise });
    it.learn();
    it.samples(30);
    return {
      it,
      answer: async (result) => {
        if (result instanceof Error) survey.reject(result);
        else survey.resolve(result);
        await new Promise((resolve) => setImmediate(resolve));
      },
    };
  };

  test('is found out as an incident opens, before it is stored, and stays with it to its end', async () => {
    const { it, answer } = surveyed();
    it.samples(3, busy);
    expect(statusOf(it).state).toBe('incident');
    expect(alertsOf(it)).toEqual([]);
    await answer(found);
    it.samples(30);
    expect(statesOf(it).at(0)).toBe('incident-1 opened');
    expect(statesOf(it).at(-1)).toBe('incident-1 resolved');
    for (const alert of alertsOf(it)) {
      expect(alert.processes).toEqual(found);
      expect(validator('alert')(alert)).toEqual([]);
    }
  });

  test('an alert goes without it where it can not be read', async () => {
    const { it, answer } = surveyed();
    it.samples(3, busy);
    await answer(new Error('no /proc'));
    expect(alertsOf(it)[0]).toMatchObject({ state: 'opened', processes: null });
    expect(it.logs('processes.unavailable')).toHaveLength(1);
  });

  test('an end of the agent does not wait for it', () => {
    const { it } = surveyed();
    it.samples(3, busy);
    it.agent.stop();
    expect(alertsOf(it)[0]).toMatchObject({ state: 'opened', processes: null });
    expect(it.events().at(-1)?.type).toBe('edgewood.agent.stopped');
  });

  test('a crash meanwhile costs nothing: the incident is found anew', () => {
    const { it } = surveyed();
    it.samples(2, busy);
    it.restart(INTERVAL_MS);
    it.samples(3, busy);
    it.agent.stop();
    expect(statesOf(it).filter((state) => state.endsWith('opened'))).toHaveLength(1);
  });

  test('is not asked for where it is switched off', () => {
    const it = script({ settings: { 'processes.count': 0 }, survey: () => expect.fail('asked') });
    it.learn();
    it.samples(30);
    it.samples(3, busy);
    expect(alertsOf(it)[0]).toMatchObject({ processes: null });
  });
});

describe('from nothing to an incident and its end', () => {
  test('says at each step what it does and what comes next', () => {
    const it = script();
    expect(statusOf(it)).toMatchObject({
      state: 'warming-up',
      next: { kind: 'first', dueMs: null },
      model: null,
    });
    it.agent.start();
    expect(sentenceOf(it)).toBe('Warming up: waiting for the first sample.');
    it.sample();
    const firstMs = it.nowMs;
    expect(statusOf(it)).toMatchObject({
      next: { kind: 'first', dueMs: firstMs + 1_000_000 },
      score: null,
      triggers: [],
    });
    expect(sentenceOf(it)).toMatch(/^Warming up: first model in 17 min/);

    it.samples(200);
    expect(statusOf(it)).toMatchObject({ state: 'warming-up', fitting: true });
    expect(sentenceOf(it)).toBe('Fitting a model to this host now.');
    // It goes on sampling beside the fit.
    let slices = 0;
    for (let i = 0; statusOf(it).fitting; i++) {
      slices += it.runFit(3);
      if (i % 5 === 0) it.sample();
    }
    expect(slices).toBeGreaterThan(20);

    expect(statusOf(it)).toMatchObject({
      state: 'watching',
      next: { kind: 'widening', dueMs: firstMs + 3_600_000 },
      model: { slot: 'current', name: 'self', provisional: true },
      incident: null,
      counters: { fits: 1, failedFits: 0, gaps: 0, notStored: 0 },
    });
    expect(sentenceOf(it)).toMatch(/^Watching; next fit, over more history, in \d+ min\.$/);
    it.samples(30);
    expect(statesOf(it)).toEqual([]);
    expect(statusOf(it).score).toBeGreaterThan(0);
    expect(statusOf(it).triggers.map((t) => t.name)).toEqual([
      'surprise',
      'forest',
      'constant',
      'range',
      'stuck',
    ]);

    it.samples(3, busy);
    expect(statusOf(it)).toMatchObject({ state: 'incident', incident: { id: 'incident-1' } });
    expect(sentenceOf(it)).toMatch(/^An incident stands; next fit/);
    it.samples(30);
    expect(statusOf(it)).toMatchObject({ state: 'watching', incident: null });
    expect(statesOf(it).at(0)).toBe('incident-1 opened');
    expect(statesOf(it).at(-1)).toBe('incident-1 resolved');
    it.agent.stop();
    expect(it.events().map((event) => event.type)).toEqual([
      'edgewood.agent.started',
      'edgewood.model.activated',
      ...it.events('edgewood.incident').map((event) => event.type),
      'edgewood.agent.stopped',
    ]);
  });

  test('the alert is valid, explained, and scores to the same bits in the centre', () => {
    const it = script();
    it.learn();
    it.samples(30);
    it.samples(3, busy);
    it.samples(30);
    const loaded = it.slots.load(() => expect.fail('a fault'));
    const central = createDetector(decodeModel(encodeModel(loaded?.model ?? expect.fail('no model'))));
    const alerts = it.events('edgewood.incident');
    expect(alerts.length).toBeGreaterThanOrEqual(2);
    for (const event of alerts) {
      const data = dataOf(event);
      expect(validator('alert')(data)).toEqual([]);
      expect(data).toMatchObject({
        sequence: event.sequence,
        host: { id: 'host' },
        agentVersion: '1.2.3',
        replayed: false,
        model: { sha256: loaded?.sha256, alias: null, name: 'self' },
      });
      const inputs = data.features.flatMap((feature) => feature.inputs.map((x) => x ?? Number.NaN));
      expect(central.scoreInputs(inputs)).toBe(data.score);
      const sum = data.features.reduce((total, feature) => total + feature.contribution, central.baseValue);
      expect(sum).toBeCloseTo(data.score ?? Number.NaN, 9);
      expect(data.context.lastScores.at(-1)).toBe(data.score);
    }
    const opened = dataOf(alerts[0]);
    expect(opened.explanation.top[0]?.feature).toBe('cpu');
    expect(opened.explanation.sentence).toMatch(/CPU 99 % \(usually \d+-\d+ %\)/);
    expect(opened.features[0]).toMatchObject({ name: 'cpu', value: 99, direction: 'high' });
    expect(opened.triggerValue).toBeGreaterThan(opened.threshold);
    const resolved = dataOf(alerts.at(-1));
    expect(resolved).toMatchObject({
      state: 'resolved',
      incidentId: opened.incidentId,
      openedAt: opened.openedAt,
    });
    expect(resolved.resolvedAt).toBe(resolved.sampledAt);
    // The row of the incident is the newest event, and the samples in it are marked.
    expect(it.memory.incident(opened.incidentId)).toMatchObject({
      state: 'resolved',
      data: alerts.at(-1)?.data,
    });
    const marked = it.memory.lastSamples(100).filter((row) => (row.flags & SAMPLE_IN_INCIDENT) !== 0);
    expect(marked[0]?.timeMs).toBe(Date.parse(opened.openedAt));
  });

  test('every event is valid, numbered without a gap, delivered and told to followers', async () => {
    const it = script();
    it.learn();
    it.samples(30);
    it.samples(3, busy);
    it.samples(30);
    it.agent.stop();
    await new Promise((resolve) => setImmediate(resolve));
    const events = it.events();
    expect(events.map((event) => event.sequence.n)).toEqual(events.map((_, i) => i + 1));
    for (const event of events) {
      expect(validator(SCHEMA_FILES[event.type])(JSON.parse(event.data))).toEqual([]);
    }
    expect(it.delivered.map((event) => event.id).sort()).toEqual(events.map((event) => event.id).sort());
    expect(it.published.filter((message) => 'event' in message)).toEqual(events.map((event) => ({ event })));
  });

  test('telemetry: every sample once, valid, about every ten seconds', () => {
    const it = script();
    it.learn();
    it.samples(60);
    it.agent.stop();
    for (const batch of it.telemetry) expect(validator('telemetry')(batch)).toEqual([]);
    const points = it.telemetry.flatMap((batch) => (batch as { samples: { t: number }[] }).samples);
    expect(points.length).toBe(261);
    expect(new Set(points.map((point) => point.t)).size).toBe(261);
    expect(it.telemetry.length).toBeGreaterThan(100);
    expect(it.telemetry.at(-1)).toMatchObject({
      bootId: 'boot',
      health: { state: 'watching', samples: 261 },
    });
  });

  test('after stop nothing more is taken', () => {
    const it = script();
    it.learn();
    it.agent.stop();
    const before = it.events().length;
    it.agent.stop();
    it.sample();
    expect(it.events().length).toBe(before);
    expect(it.agent.counters.samples).toBe(201);
  });
});

describe('a restart in the middle of an incident', () => {
  const standing = (): ScriptedAgent => {
    const it = script();
    it.learn();
    it.samples(30);
    it.samples(3, busy);
    expect(it.agent.state()).toBe('incident');
    return it;
  };

  test('soon enough: it goes on under the same id, and is not told again', () => {
    const it = standing();
    const before = statesOf(it);
    it.restart(60_000);
    expect(statusOf(it)).toMatchObject({ state: 'incident', incident: { id: 'incident-1' } });
    it.samples(30);
    expect(it.agent.state()).toBe('watching');
    const after = statesOf(it).slice(before.length);
    expect(after.at(-1)).toBe('incident-1 resolved');
    expect(after).not.toContain('incident-1 opened');
    expect(it.logs('model.loaded')).toHaveLength(1);
  });

  test('after five minutes: it ends as unwatched, with a valid alert', () => {
    const it = standing();
    it.restart(5 * 60_000 + INTERVAL_MS);
    expect(it.agent.state()).toBe('watching');
    const last = alertsOf(it).at(-1);
    expect(last).toMatchObject({
      incidentId: 'incident-1',
      state: 'invalidated',
      resolvedAt: new Date(it.nowMs).toISOString(),
    });
    expect(validator('alert')(last)).toEqual([]);
    expect(last?.explanation.sentence).toMatch(/^Ended unwatched/);
    expect(it.memory.incident('incident-1')?.state).toBe('invalidated');
    it.samples(30);
    expect(statesOf(it).at(-1)).toBe('incident-1 invalidated');
  });

  test('with the history gone: what was never measured is missing, not 0', () => {
    const it = standing();
    it.memory.maintain(it.nowMs + 400 * 86_400_000);
    expect(it.memory.sampleCount()).toBe(0);
    it.restart(10 * 60_000);
    const last = alertsOf(it).at(-1);
    expect(validator('alert')(last)).toEqual([]);
    expect(last).toMatchObject({ state: 'invalidated', score: null, percentile: null });
    for (const feature of last?.features ?? []) {
      expect(feature).toMatchObject({
        value: null,
        direction: 'missing',
        contribution: 0,
        inputs: [null, null, null, null],
      });
    }
  });

  test('a replay is another series each time: what stood is ended', () => {
    const it = script({ kind: 'replay' });
    it.learn();
    it.samples(30);
    it.samples(3, busy);
    expect(alertsOf(it)[0]).toMatchObject({ state: 'opened', replayed: true });
    it.restart(INTERVAL_MS);
    expect(statesOf(it).at(-1)).toBe('incident-1 invalidated');
  });

  test('the same samples give the same scores, restarted or not', () => {
    const through = script();
    const restarted = script();
    for (const it of [through, restarted]) {
      it.learn();
      it.samples(30);
    }
    restarted.restart(0);
    for (const it of [through, restarted]) it.samples(50);
    const scores = (it: ScriptedAgent): number[] => it.memory.lastSamples(50).map((row) => row.score);
    expect(scores(restarted)).toEqual(scores(through));
  });
});

describe('a full disk', () => {
  test('costs history, not detection; no alert is lost; said once, and when it is over', () => {
    const it = script();
    it.learn();
    it.samples(30);
    const before = it.memory.sampleCount();
    const n = it.events().length;
    it.full = true;
    it.samples(3, busy);
    expect(it.agent.state()).toBe('incident');
    it.samples(40);
    expect(it.agent.state()).toBe('watching');
    expect(it.memory.sampleCount()).toBe(before);
    expect(it.events().length).toBe(n);
    expect(it.logs('store.full')).toHaveLength(1);
    expect(it.agent.counters.notStored).toBeGreaterThan(43);

    it.full = false;
    it.sample();
    it.sample();
    expect(it.logs('store.recovered')).toHaveLength(1);
    const alerts = alertsOf(it);
    expect([alerts[0]?.state, alerts.at(-1)?.state]).toEqual(['opened', 'resolved']);
    expect(it.agent.lostEvents).toBe(0);
    // They say what was then, under the numbers of now.
    expect(alerts[0]?.features[0]?.value).toBe(99);
    for (const event of it.events('edgewood.incident')) {
      expect(dataOf(event).sequence).toEqual(event.sequence);
      expect(validator('alert')(dataOf(event))).toEqual([]);
    }
    expect(it.memory.incident('incident-1')?.state).toBe('resolved');
    it.full = true;
    it.samples(2);
    expect(it.logs('store.full')).toHaveLength(2);
  });

  test('from the first moment on: it starts, learns once there is history, and says so', () => {
    const it = script();
    it.full = true;
    it.agent.start();
    it.samples(260);
    expect(it.agent.state()).toBe('warming-up');
    it.full = false;
    it.samples(260);
    it.runFit();
    expect(it.agent.state()).toBe('watching');
    expect(it.events()[0]?.type).toBe('edgewood.agent.started');
  });

  test('beyond what is kept in memory the oldest go, and are counted', () => {
    const it = script({ settings: { 'incident.renotify': 10_000 } });
    it.learn();
    it.full = true;
    // Ever faster upwards: no window gets used to it, so that it is told again each ten seconds.
    for (let i = 0; i < 200; i++) it.sample((values) => void values.fill(100 * 1.3 ** i));
    it.full = false;
    it.agent.stop();
    const { lostEvents } = it.agent;
    expect(lostEvents).toBeGreaterThan(0);
    expect(it.events('edgewood.incident')).toHaveLength(64);
    expect(alertsOf(it)[0]?.state).toBe('updated');
    expect(it.events().at(-1)?.type).toBe('edgewood.agent.stopped');
    expect(it.events().map((event) => event.sequence.n)).toEqual(it.events().map((_, i) => i + 1));
  });

  test('any other fault of the store is not swallowed', () => {
    const it = script();
    it.learn();
    it.memory.appendSample = () => {
      throw new TypeError('a bug');
    };
    expect(() => it.sample()).toThrow('a bug');
  });
});

describe('odd samples', () => {
  test('a gap is counted, marked, and no incident of its own', () => {
    const it = script();
    it.learn();
    it.samples(30);
    it.sample(undefined, 10 * 60_000);
    expect(it.agent.counters.gaps).toBe(1);
    expect((it.memory.lastSamples(1)[0]?.flags ?? 0) & SAMPLE_AFTER_GAP).toBe(SAMPLE_AFTER_GAP);
    it.samples(30);
    expect(it.agent.counters.gaps).toBe(1);
    it.sample(undefined, -60_000);
    expect(it.agent.counters.gaps).toBe(2);
    it.samples(30);
    expect(statesOf(it)).toEqual([]);
  });

  test('a metric missing here and there is told as missing, and decides nothing', () => {
    const it = script();
    it.learn();
    it.samples(30);
    it.samples(20, (values) => {
      values[1] = Number.NaN;
    });
    expect(statesOf(it)).toEqual([]);
    it.samples(3, (values) => {
      busy(values);
      values[1] = Number.NaN;
    });
    const opened = alertsOf(it)[0];
    expect(opened?.features.find((f) => f.name === 'memory')).toMatchObject({
      value: null,
      direction: 'missing',
      contribution: 0,
    });
    expect(validator('alert')(opened)).toEqual([]);
    expect(statusOf(it).metrics[1]?.value).toBeNull();
  });

  test('with most of it missing nothing opens and nothing ends', () => {
    const it = script();
    it.learn();
    it.samples(30);
    const mostly = (values: Float64Array): void => void values.fill(Number.NaN, 1);
    it.samples(3, (values) => {
      busy(values);
      mostly(values);
    });
    expect(it.agent.state()).toBe('watching');
    it.samples(30);
    it.samples(3, busy);
    expect(it.agent.state()).toBe('incident');
    it.samples(60, mostly);
    expect(it.agent.state()).toBe('incident');
    it.samples(30);
    expect(it.agent.state()).toBe('watching');
  });

  test('failed reads are kept as missing ones, and do not begin the history', () => {
    const it = script();
    it.agent.start();
    it.sample((values) => void values.fill(Number.NaN), INTERVAL_MS, true);
    expect(statusOf(it).next.dueMs).toBeNull();
    it.sample();
    expect(statusOf(it).next.dueMs).toBe(it.nowMs + 1_000_000);
    expect(it.memory.sampleCount()).toBe(2);
  });

  test('a metric that this host does not have is not in its model', () => {
    const it = script();
    it.agent.start();
    const without = (values: Float64Array): void => {
      values[2] = Number.NaN;
    };
    it.samples(201, without);
    it.runFit();
    it.samples(30, without);
    it.samples(3, (values) => {
      without(values);
      busy(values);
    });
    expect(alertsOf(it)[0]?.features.map((f) => f.name)).toEqual(['cpu', 'memory', 'swap']);
    expect(SMALL_SCHEMA).toHaveLength(4);
  });
});

describe('learning', () => {
  test('too little history: tried again now and then, not at every sample', () => {
    const it = script({ settings: { 'learning.warmup': 10_000 } });
    it.agent.start();
    it.samples(45);
    it.runFit();
    expect(it.logs('model.notEnoughHistory').length).toBe(0);
    for (let i = 0; i < 20; i++) {
      it.sample();
      it.runFit();
    }
    expect(it.agent.state()).toBe('watching');

    const impatient = script({ settings: { 'learning.warmup': 10_000 } });
    impatient.agent.start();
    // Time that is not learned from does not count.
    const training = 'exclude';
    const untilMs = impatient.nowMs + 60 * INTERVAL_MS;
    impatient.agent.snooze({ fromMs: impatient.nowMs, untilMs, reason: '', training });
    for (let i = 0; i < 80; i++) {
      impatient.sample();
      impatient.runFit();
    }
    expect(impatient.agent.state()).toBe('warming-up');
    expect(impatient.logs('model.notEnoughHistory')[0]).toEqual({ leastRows: 40 });
    const tries = impatient.logs('model.notEnoughHistory').length;
    expect(tries).toBeGreaterThan(1);
    expect(tries).toBeLessThan(20);
    expect(impatient.agent.counters.failedFits).toBe(tries);
  });

  test('a fit that fails is said, and the model before goes on', () => {
    const it = script();
    it.learn();
    const loaded = statusOf(it).model;
    const { lastSamples } = it.memory;
    it.samples(520);
    it.memory.lastSamples = () => {
      throw new Error('unreadable');
    };
    it.samples(10);
    for (let i = 0; i < 10; i++) {
      it.runFit();
      it.sample();
    }
    it.memory.lastSamples = lastSamples;
    expect(it.logs('model.fitFailed')).toEqual([{ error: 'unreadable' }]);
    expect(statusOf(it)).toMatchObject({
      state: 'watching',
      model: { version: loaded?.version },
      fitting: false,
    });
    expect(it.agent.counters.failedFits).toBe(1);
  });

  test('a standing incident is carried over to the new model', () => {
    const it = script();
    it.learn();
    it.samples(516);
    const before = statusOf(it).model?.version;
    it.samples(3, busy);
    expect(it.agent.state()).toBe('incident');
    it.runFit();
    it.sample(busy);
    it.runFit();
    expect(statusOf(it)).toMatchObject({ state: 'incident', incident: { id: 'incident-1' } });
    expect(statusOf(it).model?.version).not.toBe(before);
    it.samples(30);
    expect(statesOf(it).at(-1)).toBe('incident-1 resolved');
  });

  test('every night, once the history is a day long; never where it is switched off', () => {
    const it = script();
    it.learn();
    for (const hours of [1, 6, 24]) {
      it.sample(undefined, hours * 3_600_000);
      it.runFit();
    }
    expect(sentenceOf(it)).toBe('Watching; fitted anew every night.');
    const { fits } = it.agent.counters;
    it.samples(5);
    it.runFit();
    expect(it.agent.counters.fits).toBe(fits);
    it.agent.night();
    it.sample();
    it.runFit();
    expect(it.agent.counters.fits).toBe(fits + 1);

    const off = script({ settings: { 'learning.refit': 'off' } });
    off.learn();
    expect(sentenceOf(off)).toBe('Watching; no further fits.');
    off.agent.night();
    off.sample(undefined, 48 * 3_600_000);
    expect(off.runFit()).toBe(0);
  });

  test('a stop in the middle of a fit ends it', () => {
    const it = script();
    it.agent.start();
    it.samples(201);
    it.runFit(3);
    it.agent.stop();
    it.runFit();
    expect(it.agent.counters.fits).toBe(0);
    it.restart(INTERVAL_MS);
    it.samples(15);
    it.runFit();
    expect(it.agent.state()).toBe('watching');
  });

  test('a damaged model is said, and the one before runs', () => {
    const it = script();
    it.learn();
    it.agent.night();
    it.sample(undefined, 25 * 3_600_000);
    it.runFit();
    expect(it.agent.counters.fits).toBe(2);
    writeFileSync(it.slots.path('current'), 'rubbish');
    it.restart(INTERVAL_MS);
    expect(statusOf(it)).toMatchObject({ state: 'watching', model: { slot: 'previous' } });
    expect(it.logs('model.unusable')).toMatchObject([{ slot: 'current' }]);
  });

  test('the same history gives the same model', () => {
    const [a, b] = [script(), script()];
    for (const it of [a, b]) it.learn();
    const sha = (it: ScriptedAgent): string | undefined => it.slots.load(() => {})?.sha256;
    expect(sha(a)).toBe(sha(b));
  });

  test('a replay has its model for the very next sample', () => {
    const it = script({ kind: 'replay' });
    it.agent.start();
    it.samples(201);
    expect(it.runFit()).toBe(0);
    expect(it.agent.state()).toBe('watching');
  });
});

test('what is older than its retention goes', () => {
  const it = script({ settings: { 'retention.samples': 3_600_000 } });
  it.agent.start();
  it.samples(10);
  it.sample(undefined, 15 * 86_400_000);
  it.samples(13);
  expect(it.memory.sampleCount()).toBe(14);
  expect(it.logs('store.retention')).toMatchObject([{ samples: 10 }]);
});
