import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { resolveConfig } from '../../agent/config/config.ts';
import { Figures } from '../../agent/figures.ts';
import { HOUR_MS, type HourFigures, hourFigures } from '../../agent/inference/hours.ts';
import { performanceFigures } from '../../agent/inference/performance.ts';
import { InferenceRecord } from '../../agent/inference/record.ts';
import { Performance } from '../../agent/performance.ts';
import { startAgent } from '../../agent/run.ts';
import { MemoryStore } from '../../agent/store/memory-store.ts';
import { SAMPLE_IN_INCIDENT } from '../../agent/store/store.ts';
import type { Verdict } from '../../core/protocol/verdict.ts';
import { MlflowClient } from '../../models/tracking/client.ts';
import { trackingServerFrom } from '../../models/tracking/settings.ts';
import { type FakeMlflow, type FakeMlflowOptions, fakeMlflow } from '../support/mlflow.ts';
import { writeRecording } from '../support/recording.ts';
import { temporaryDirectory } from '../support/temporary.ts';

const START_MS = 1_700_000_000_000 - (1_700_000_000_000 % HOUR_MS);
/** New models a day before the start, and in its second hour. */
const RETRAININGS = [-24 * HOUR_MS, 1.5 * HOUR_MS].map((ms) => ({
  atMs: START_MS + ms,
  decision: 'activated' as const,
  reason: 'drift' as const,
}));
const LIMITS = { answerTimeoutMs: 2000, bodyTimeoutMs: 300 };

async function scene(
  options: FakeMlflowOptions = {},
  latencies: HourFigures = { score_latency_ms_p50: 0.25 },
) {
  const fake = await fakeMlflow(options);
  onTestFinished(async () => {
    await fake.stop();
    expect(fake.faults).toEqual([]);
  });
  let hex = 0;
  const store = new MemoryStore({ nowMs: () => START_MS, randomHex: () => String(hex++) });
  const watched = new Performance(store, null);
  const timers = new Map<() => void, number>();
  const logged: string[] = [];
  const rung: (() => void)[] = [];
  const make = (url = fake.url): InferenceRecord => {
    const server = trackingServerFrom(url, {});
    if (server === null) throw new Error('no server');
    const record = new InferenceRecord(
      {
        experiment: 'anomaly_detection_inference',
        recordId: 'inference/default/host-1',
        runName: 'host-1',
        tags: [{ key: 'edgewood.hostId', value: 'host-1' }],
      },
      {
        client: new MlflowClient(server, LIMITS),
        store,
        clock: { nowMs: () => START_MS, monotonicMs: () => 0 },
        random: () => 0.5,
        log: (_level, event) => void logged.push(event),
        setTimer: (callback, ms) => {
          timers.set(callback, ms);
          for (const waiter of rung.splice(0)) waiter();
          return () => void timers.delete(callback);
        },
        breathe: () => new Promise((resolve) => setImmediate(resolve)),
        takeLatencies: () => latencies,
        performance: (hourMs) => performanceFigures((timeMs) => watched.at(timeMs, RETRAININGS), hourMs),
      },
    );
    onTestFinished(() => record.close());
    return record;
  };
  /** Samples of hours [from, to), each a minute; scores 0, 1, … */
  const hours = (record: InferenceRecord | null, from: number, to: number): void => {
    for (let hour = from; hour < to; hour++) {
      for (let minute = 0; minute < 60; minute++) {
        const timeMs = START_MS + hour * HOUR_MS + minute * 60_000;
        const flags = minute < 15 ? SAMPLE_IN_INCIDENT : 0;
        store.appendSample({ timeMs, values: Float64Array.of(1), score: minute, flags });
        record?.stored(timeMs);
      }
    }
  };
  /** Rings the one timer that is set. */
  const ring = (): number => {
    const [timer] = timers;
    if (timer === undefined) throw new Error('no timer is set');
    timers.delete(timer[0]);
    timer[0]();
    return timer[1];
  };
  /** Once one is set, and who set it has come to rest. */
  const nextTimer = (): Promise<void> =>
    new Promise((resolve) => rung.push(() => setImmediate(() => resolve())));
  return { fake, store, watched, timers, logged, make, hours, ring, nextTimer };
}

/** Of the active run: the steps of a metric. */
function steps(fake: FakeMlflow, key: string): number[] {
  const [run] = [...fake.state.runs.values()].filter(({ stage }) => stage === 'active');
  return (run?.metrics ?? []).filter((metric) => metric.key === key).map(({ step }) => step);
}

test('one run a host, a step an hour, at the time of the hour', async () => {
  const { fake, make, hours, timers, logged } = await scene();
  const record = make();
  hours(record, 0, 3);
  expect([...timers.values()]).toEqual([150_000]);
  await record.finish();
  const [run] = [...fake.state.runs.values()];
  expect(run).toMatchObject({ name: 'host-1', status: 'RUNNING', startMs: START_MS });
  expect(run?.metrics.filter(({ step }) => step === 1)).toEqual(
    Object.entries({
      samples: 60,
      samples_judged: 60,
      incidents: 0,
      anomaly_rate: 0.25,
      score_p50: 29,
      score_p95: 56,
      score_max: 59,
      score_latency_ms_p50: 0.25,
      week_judged: 0,
      week_missed: 0,
      retrainings: 2,
    }).map(([key, value]) => ({ key, value, step: 1, timestamp: START_MS + HOUR_MS })),
  );
  // The hour that is not over is not told of.
  expect(steps(fake, 'samples')).toEqual([0, 1]);
  expect(logged).toEqual(['mlflow.run']);
});

test('what operators said of the week, and of the week before, goes with each hour', async () => {
  const { fake, make, hours, watched } = await scene();
  const weekMs = 7 * 24 * HOUR_MS;
  const give = (id: string, verdict: Verdict, openedAtMs: number): void =>
    watched.verdicts.give({ incidentId: id, verdict, note: '', atMs: 0, openedAtMs, modelSha256: 'a' });
  give('a', 'true', START_MS - weekMs);
  give('b', 'false', START_MS - weekMs);
  watched.verdicts.miss(START_MS - weekMs, { fromMs: START_MS - weekMs, toMs: START_MS, note: '', atMs: 0 });
  watched.verdicts.miss(START_MS, { fromMs: START_MS, toMs: START_MS, note: '', atMs: 0 });
  const record = make();
  hours(record, 0, 3);
  await record.finish();
  const figures = [...fake.state.runs.values()][0]?.metrics.filter(({ key }) => /week|retrainings/.test(key));
  const of = (step: number): object =>
    Object.fromEntries(
      (figures ?? []).filter((one) => one.step === step).map(({ key, value }) => [key, value]),
    );
  const both = {
    week_judged: 0,
    week_missed: 1,
    week_recall: 0,
    week_f1: 0,
    last_week_precision: 0.5,
    last_week_recall: 0.5,
    last_week_f1: 0.5,
  };
  expect(of(0)).toEqual({ ...both, retrainings: 1 });
  expect(of(1)).toEqual({ ...both, retrainings: 2 });
  expect(figures?.every(({ step, timestamp }) => timestamp === START_MS + step * HOUR_MS)).toBe(true);
});

test('hours that waited, with every figure that there can be, fit into what a request may have', async () => {
  const stages = ['sample', 'score', 'delivery'].flatMap((stage) =>
    ['p50', 'p95', 'p99'].map((quantile) => [`${stage}_latency_ms_${quantile}`, 1]),
  );
  const { fake, make, hours, watched } = await scene({}, Object.fromEntries(stages));
  for (let week = -1; week < 2; week++) {
    const openedAtMs = START_MS + week * 7 * 24 * HOUR_MS;
    watched.verdicts.give({
      ...{ incidentId: String(week), verdict: 'true', note: '' },
      ...{ atMs: 0, openedAtMs, modelSha256: 'a' },
    });
  }
  const record = make();
  hours(record, 0, 121);
  await record.finish();
  expect(steps(fake, 'samples')).toEqual(Array.from({ length: 120 }, (_, i) => i));
  const [run] = fake.state.runs.values();
  expect(run?.metrics.filter(({ step }) => step === 0)).toHaveLength(25);
});

test('a restart goes on in the same run; an hour is told of once', async () => {
  const { fake, make, hours } = await scene();
  const first = make();
  hours(first, 0, 3);
  await first.finish();
  const second = make();
  hours(second, 3, 6);
  await second.finish();
  expect(steps(fake, 'samples')).toEqual([0, 1, 2, 3, 4]);
  expect(fake.state.runs.size).toBe(1);
});

test('with its state lost it finds its run again, and counts on from there', async () => {
  const { fake, make, hours, store } = await scene();
  const first = make();
  hours(first, 0, 3);
  await first.finish();
  store.putState('mlflow', 'not JSON');
  store.putState('mlflow.latencies', '');
  const second = make();
  hours(second, 3, 5);
  await second.finish();
  expect(steps(fake, 'samples')).toEqual([0, 1, 2, 3]);
  expect(fake.state.runs.size).toBe(1);
});

test.each(['cut', 'cutAnswer', { status: 500 }, { status: 401 }] as const)(
  'a server that fails (%j) at each request in turn costs no hour, and doubles none',
  async (fault) => {
    for (let nth = 1; ; nth++) {
      const { fake, make, hours, ring, nextTimer, logged } = await scene({
        fault: (_call, request) => (request === nth ? fault : null),
      });
      const record = make();
      hours(record, 0, 3);
      const again = nextTimer();
      ring();
      if (fake.seen.length >= nth || nth <= 5) {
        await again;
        expect(logged).toContain('mlflow.retry');
        hours(record, 3, 4);
        ring();
        await record.finish();
        expect(logged).toContain('mlflow.recovered');
        expect(steps(fake, 'samples')).toEqual([0, 1, 2]);
        expect(steps(fake, 'score_latency_ms_p50')).toEqual([0, 1, 2]);
        expect(fake.state.runs.size).toBe(1);
      }
      if (nth === 5) break;
    }
  },
);

test('away for weeks: told once, asked ever more rarely, and every hour is there in the end', async () => {
  const { fake, make, hours, ring, nextTimer, logged, timers } = await scene({
    fault: () => ({ status: 503 }),
  });
  const record = make();
  hours(record, 0, 2);
  const waits: number[] = [];
  for (let i = 0; i < 10; i++) {
    const again = nextTimer();
    waits.push(ring());
    await again;
  }
  expect(logged).toEqual(['mlflow.retry']);
  expect(waits.slice(1, 4)).toEqual([22_500, 45_000, 90_000]);
  expect(waits.at(-1)).toBe(2_700_000);
  hours(record, 2, 500);
  expect(timers.size).toBe(1);
  fake.options = {};
  ring();
  await record.finish();
  expect(steps(fake, 'samples')).toEqual(Array.from({ length: 499 }, (_, i) => i));
  // Those are kept by the hour, and so not for ever.
  expect(steps(fake, 'score_latency_ms_p50')).toEqual(Array.from({ length: 400 }, (_, i) => i + 99));
}, 30_000);

test('waits as long as it is told to', async () => {
  const { make, hours, ring, nextTimer, timers } = await scene({
    fault: () => ({ status: 429, headers: { 'retry-after': '1800' } }),
  });
  hours(make(), 0, 2);
  const again = nextTimer();
  ring();
  await again;
  expect([...timers.values()][0]).toBeGreaterThanOrEqual(1_800_000);
});

test('a run that was removed there is begun anew', async () => {
  const { fake, make, hours, ring, nextTimer } = await scene();
  const record = make();
  hours(record, 0, 2);
  ring();
  await record.finish();
  for (const run of fake.state.runs.values()) run.stage = 'deleted';
  const next = make();
  hours(next, 2, 4);
  const again = nextTimer();
  ring();
  await again;
  ring();
  await next.finish();
  expect(steps(fake, 'samples')).toEqual([1, 2]);
});

test('a clock that is set back ends no hour and repeats none', async () => {
  const { fake, make, hours } = await scene();
  const record = make();
  hours(record, 0, 3);
  hours(record, 1, 2);
  await record.finish();
  const next = make();
  hours(next, 3, 4);
  await next.finish();
  expect(steps(fake, 'samples')).toEqual([0, 1, 2]);
});

test('an hour is read in slices; what is missing counts in no score', async () => {
  const { store } = await scene();
  let turns = 0;
  for (let i = 0; i < 3600; i++) {
    const score = i % 2 === 0 ? Number.NaN : i;
    store.appendSample({ timeMs: START_MS + i * 1000, values: Float64Array.of(1), score, flags: 0 });
  }
  const figures = await hourFigures(store, START_MS, async () => void turns++);
  expect(figures).toMatchObject({ samples: 3600, samples_judged: 1800, score_max: 3599, score_p50: 1799 });
  expect(turns).toBe(Math.ceil(3600 / 128));
  expect(await hourFigures(store, START_MS + HOUR_MS, async () => {})).toEqual({
    samples: 0,
    samples_judged: 0,
    incidents: 0,
  });
});

test('latencies of an hour are those of that hour', () => {
  let nowMs = 0;
  const figures = new Figures(() => nowMs);
  const take = figures.follow(['score']);
  for (let i = 0; i < 720; i++) {
    nowMs += 5000;
    figures.record('score', i < 700 ? 1 : 100);
  }
  const { score } = take();
  expect(score?.p50).toBeGreaterThan(0.9);
  expect(score?.p50).toBeLessThan(1.1);
  expect(score?.p99).toBeGreaterThan(90);
  expect(take()['score']?.p50).toBeNull();
  // The last minutes are as before.
  expect(figures.quantiles().score.p50).toBeLessThan(110);
});

test('the agent does so where it is configured, and goes on where the server is away', {
  timeout: 60_000,
}, async () => {
  const directory = temporaryDirectory();
  const { fake } = await scene();
  const start = async (url: string, lines: string[]) => {
    const config = resolveConfig([
      {
        values: new Map<string, unknown>([
          ['stateDir', join(directory, String(lines.length + Math.random()))],
          ['source', `replay:${writeRecording(join(directory, 'recording.csv'))}`],
          ['pace', 'max'],
          ['learning.warmup', 1_900_000],
          ['learning.refit', 'off'],
          ['mlflow.url', url],
        ]),
        sinks: [],
      },
    ]);
    const agent = await startAgent(config, {
      version: '0.0.0',
      log: (_level, event) => void lines.push(event),
    });
    await agent.ended;
    const { counters } = agent.status() as unknown as { counters: { samples: number } };
    await agent.stop();
    return counters.samples;
  };
  const lines: string[] = [];
  expect(await start(fake.url, lines)).toBe(610);
  expect(lines).toContain('mlflow.run');
  const [run] = [...fake.state.runs.values()];
  expect(run?.tags.get('edgewood.toolVersion')).toBe('0.0.0');
  const hour = run?.metrics.filter(({ step }) => step === 0).map(({ key }) => key);
  expect(hour).toEqual(
    expect.arrayContaining(['samples', 'incidents', 'sample_latency_ms_p99', 'week_judged', 'retrainings']),
  );
  // Nothing listens there: the same samples, and a word about it.
  const away: string[] = [];
  expect(await start('http://127.0.0.1:1', away)).toBe(610);
  expect(away).toContain('mlflow.retry');
});
