import { describe, expect, test } from 'vitest';
import { SeriesDelivery, summarise, takesSamples } from '../../agent/series.ts';
import type { Settlement, Sink } from '../../agent/sinks/sink.ts';
import { MemoryStore } from '../../agent/store/memory-store.ts';
import { SAMPLE_IN_INCIDENT } from '../../agent/store/store.ts';
import type { SamplePoint } from '../../core/protocol/influx.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const START_MS = 1_700_000_000_000;

function scene(answer: (point: SamplePoint) => Settlement = () => ({ outcome: 'delivered' })) {
  let hex = 0;
  const store = new MemoryStore({ nowMs: () => START_MS, randomHex: () => String(hex++) });
  const batches: SamplePoint[][] = [];
  const timers: (() => void)[] = [];
  const logged: string[] = [];
  const control = { answer, up: true };
  const sink: Sink = {
    name: 'influx',
    kind: 'fake',
    start: () => {},
    connected: () => control.up,
    deliver: async () => [],
    deliverSamples: async (points) => {
      batches.push([...points]);
      return points.map((point) => control.answer(point));
    },
    telemetry: () => {},
    status: () => ({
      name: '',
      kind: '',
      connected: true,
      target: '',
      lastError: null,
      connects: 1,
      counters: {},
    }),
    close: async () => {},
  };
  const make = (): SeriesDelivery => {
    if (!takesSamples(sink)) throw new Error('it does');
    return new SeriesDelivery(sink, {
      store,
      clock: { nowMs: () => START_MS, monotonicMs: () => 0 },
      random: () => 0.5,
      log: (_level, event) => void logged.push(event),
      setTimer: (callback) => {
        timers.push(callback);
        return () => void timers.splice(timers.indexOf(callback), 1);
      },
    });
  };
  const store1 = (series: SeriesDelivery, second: number, cpu = second, flags = 0): void => {
    const timeMs = START_MS + 1000 * second;
    store.appendSample({ timeMs, values: Float64Array.of(cpu), score: cpu, flags });
    series.stored(timeMs);
  };
  const wake = async (series: SeriesDelivery): Promise<void> => {
    series.wake();
    for (let i = 0; i < 4; i++) await turn();
  };
  const ring = async (): Promise<void> => {
    timers.shift()?.();
    for (let i = 0; i < 4; i++) await turn();
  };
  const seconds = (): number[][] =>
    batches.map((points) => points.map(({ timeMs }) => (timeMs - START_MS) / 1000));
  return { store, make, add: store1, wake, ring, seconds, batches, timers, logged, control };
}

describe('samples to a sink', () => {
  test('from the moment it is there, each once, over a restart too', async () => {
    const it = scene();
    it.store.appendSample({ timeMs: START_MS - 5, values: Float64Array.of(1), score: 1, flags: 0 });
    const first = it.make();
    for (const second of [0, 1, 2]) it.add(first, second);
    await it.wake(first);
    await it.wake(first);
    it.add(first, 3);
    const second = it.make();
    it.add(second, 4);
    await it.wake(second);
    expect(it.seconds()).toEqual([
      [0, 1, 2],
      [3, 4],
    ]);
  });

  test('what was refused is counted and passed by; what waits is sent again from there', async () => {
    const it = scene();
    const series = it.make();
    for (let i = 0; i < 6; i++) it.add(series, i);
    it.control.answer = ({ values }) =>
      values[0] === 1
        ? { outcome: 'poison', reason: 'no' }
        : (values[0] as number) >= 4
          ? { outcome: 'retry', reason: 'later', afterMs: 7 }
          : { outcome: 'delivered' };
    await it.wake(series);
    expect(series.figures).toEqual({ points: 4, summarised: 0, refused: 1 });
    it.control.answer = () => ({ outcome: 'delivered' });
    // Nothing is tried before the backoff is over.
    await it.wake(series);
    expect(it.batches).toHaveLength(1);
    await it.ring();
    expect(it.seconds()[1]).toEqual([4, 5]);
    expect(it.logged).toEqual(['series.refused', 'series.retry', 'series.recovered']);
  });

  test('after an outage: means of a minute for what is older than an hour, the rest as it is', async () => {
    const it = scene();
    const series = it.make();
    it.control.up = false;
    for (let i = 0; i <= 2 * 3600; i += 10) it.add(series, i, i % 60 === 0 ? 60 : 0);
    it.control.up = true;
    await it.wake(series);
    for (let i = 0; i < 20 && it.timers.length > 0; i++) await it.ring();
    const points = it.batches.flat();
    const means = points.filter(({ samples }) => samples > 1);
    expect(means.length).toBeGreaterThanOrEqual(60);
    expect(means.every(({ samples }) => samples <= 6)).toBe(true);
    expect(points.reduce((sum, { samples }) => sum + samples, 0)).toBe(721);
    expect(means[5]?.values[0]).toBe(10);
    expect(Math.max(...it.batches.map((batch) => batch.length))).toBeLessThanOrEqual(500);
  });

  test('a clock that was set back takes the cursor along', async () => {
    const it = scene();
    const series = it.make();
    it.add(series, 100);
    await it.wake(series);
    it.add(series, 40);
    it.add(series, 45);
    await it.wake(series);
    expect(it.seconds()).toEqual([[100], [40, 45]]);
  });

  test('at the end, what is left goes at once', async () => {
    const it = scene();
    const series = it.make();
    for (let i = 0; i < 1200; i++) it.add(series, i);
    await series.finish();
    expect(it.batches.flat()).toHaveLength(1200);
    await it.wake(series);
    expect(it.batches).toHaveLength(3);
  });

  test('a mean leaves out what is missing, and keeps the highest score and any incident', () => {
    const row = (second: number, value: number, score: number, flags = 0) => ({
      timeMs: START_MS + 1000 * second,
      values: Float64Array.of(value),
      score,
      flags,
    });
    const [one, ...more] = summarise([
      row(0, 10, Number.NaN),
      row(10, Number.NaN, 3, SAMPLE_IN_INCIDENT),
      row(20, 20, 1),
    ]);
    expect(more).toEqual([]);
    expect(one).toEqual({
      timeMs: START_MS + 20_000,
      values: Float64Array.of(15),
      score: 3,
      inIncident: true,
      samples: 3,
    });
  });
});
