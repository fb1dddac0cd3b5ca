import { Writable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { Delivery } from '../../agent/delivery.ts';
import { fitFromStore, LearningSchedule } from '../../agent/learner.ts';
import type { Settlement, Sink } from '../../agent/sinks/sink.ts';
import { StdoutSink } from '../../agent/sinks/stdout.ts';
import type { SampleRow, Store } from '../../agent/store/store.ts';
import { runToEnd } from '../../core/features.ts';
import type { StoredEvent } from '../../core/protocol/events.ts';
import { SMALL_SCHEMA, smallSeries } from '../support/series.ts';
import { IDENTITY, storedEvent } from '../support/sinks.ts';

/** An outbox that is a list, and a sink that answers as told. */
function scene(answers: (Settlement['outcome'] | 'throw')[]) {
  let pending: StoredEvent[] = [1, 2, 3].map((n) => storedEvent(n));
  const poisoned: number[] = [];
  const batches: number[][] = [];
  const timers: { callback: () => void; ms: number; cancelled: boolean }[] = [];
  let connected = true;
  let calls = 0;
  const idle = (): void => {};
  const store = {
    position: () => 0,
    pending: (_sink: string, limit: number, { upTo = 9 }) => (upTo === 0 ? [] : pending.slice(0, limit)),
    settle: (
      _sink: string,
      delivered: readonly { n: number }[],
      refused: readonly { sequence: { n: number } }[],
    ) => {
      const gone = new Set([...delivered.map((s) => s.n), ...refused.map((p) => p.sequence.n)]);
      poisoned.push(...refused.map((p) => p.sequence.n));
      pending = pending.filter((event) => !gone.has(event.sequence.n));
    },
    outbox: () => ({ pending: pending.length }),
  } as unknown as Store;
  const sink: Sink = {
    name: 's',
    kind: 'fake',
    start: (onReady) => onReady(),
    connected: () => connected,
    deliver: async (events) => {
      expect(connected).toBe(true);
      batches.push(events.map((event) => event.sequence.n));
      return events.map(() => {
        const outcome = answers[calls++] ?? 'delivered';
        if (outcome === 'throw') throw new Error('broken sink');
        return outcome === 'delivered' ? { outcome } : { outcome, reason: 'because' };
      });
    },
    telemetry: () => {},
    status: () => ({
      name: 's',
      kind: 'fake',
      connected,
      target: 't',
      lastError: null,
      connects: 1,
      counters: {},
    }),
    close: async () => {
      connected = false;
    },
  };
  const logged: string[] = [];
  const delivery = new Delivery(sink, {
    store,
    clock: { nowMs: () => 0, monotonicMs: () => 0 },
    random: () => 0.5,
    log: (_level, event) => {
      logged.push(event);
      if (event.startsWith('delivery.')) idle();
    },
    setTimer: (callback, ms) => {
      const timer = { callback, ms, cancelled: false };
      timers.push(timer);
      return () => {
        timer.cancelled = true;
      };
    },
  });
  return {
    delivery,
    batches,
    timers,
    poisoned,
    logged,
    pending: () => pending.map((event) => event.sequence.n),
    connect: (on: boolean) => {
      connected = on;
    },
    settle: () => new Promise<void>((resolve) => setImmediate(resolve)),
  };
}

describe('delivery', () => {
  test('settles a batch index by index: delivered, refused, kept', async () => {
    const it = scene(['delivered', 'poison', 'retry']);
    it.delivery.start();
    await it.settle();
    expect(it.pending()).toEqual([3]);
    expect(it.poisoned).toEqual([2]);
    expect(it.timers.at(-1)?.ms).toBe(500);
    it.delivery.wake();
    await it.settle();
    expect(it.batches).toEqual([[1, 2, 3]]);
    it.timers.at(-1)?.callback();
    await it.settle();
    expect(it.pending()).toEqual([]);
    expect(it.delivery.delivered).toBe(2);
  });

  test('backs off twice as long at each failure, and a new connection starts afresh', async () => {
    const it = scene(Array<'retry'>(9).fill('retry'));
    it.delivery.start();
    await it.settle();
    for (let i = 0; i < 2; i++) {
      it.timers.at(-1)?.callback();
      await it.settle();
    }
    expect(it.timers.map((timer) => timer.ms)).toEqual([500, 1000, 2000]);
  });

  test('a sink that breaks its contract is logged, and nothing is lost', async () => {
    const it = scene(['throw']);
    it.delivery.start();
    await it.settle();
    expect(it.logged).toContain('delivery.failed');
    expect(it.pending()).toEqual([1, 2, 3]);
    it.timers.at(-1)?.callback();
    await it.settle();
    expect(it.pending()).toEqual([]);
  });

  test('says nothing to a sink that is not connected, nor after close', async () => {
    const it = scene([]);
    it.connect(false);
    it.delivery.start();
    await it.settle();
    expect(it.batches).toEqual([]);
    await it.delivery.close(10);
    it.connect(true);
    it.delivery.wake();
    await it.settle();
    expect(it.batches).toEqual([]);
  });

  test('drain says whether all has gone', async () => {
    const it = scene([]);
    it.delivery.start();
    await it.settle();
    expect(await it.delivery.drain(1000)).toBe(true);
  });
});

describe('stdout sink', () => {
  test('an event is delivered when the stream took its line', async () => {
    const lines: string[] = [];
    const stream = new Writable({
      write(chunk: Buffer, _encoding, callback) {
        lines.push(chunk.toString());
        callback();
      },
    });
    const sink = new StdoutSink('out', IDENTITY, stream, () => 0);
    sink.start(() => {});
    expect(await sink.deliver([storedEvent(1, 'info')])).toEqual([{ outcome: 'delivered' }]);
    expect(JSON.parse(lines[0] as string)).toMatchObject({ id: 'e1-1', specversion: '1.0' });
    sink.telemetry();
    expect(sink.status()).toMatchObject({ connected: true, target: 'stdout' });
    await sink.close();
    expect((await sink.deliver([storedEvent(2)]))[0]?.outcome).toBe('retry');
  });

  test('a reader that went away is no delivery', async () => {
    const stream = new Writable({
      write(_chunk, _encoding, callback) {
        callback(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
      },
    });
    const sink = new StdoutSink('out', IDENTITY, stream, () => 0);
    sink.start(() => {});
    expect((await sink.deliver([storedEvent(1)]))[0]?.outcome).toBe('retry');
    expect(sink.connected()).toBe(false);
  });
});

describe('learning', () => {
  const HOUR = 3_600_000;

  test('warm-up, then 1 h, 6 h, 24 h of history, then nightly', () => {
    const schedule = new LearningSchedule(900_000, 'auto', null);
    expect(schedule.next(false)).toEqual({ kind: 'first', dueMs: null });
    schedule.sampled(1000);
    expect(schedule.due(900_999, false)).toBe(false);
    expect(schedule.due(901_000, false)).toBe(true);
    schedule.fitted(901_000);
    for (const hours of [1, 6, 24]) {
      expect(schedule.next(true)).toEqual({ kind: 'widening', dueMs: 1000 + hours * HOUR });
      expect(schedule.due(999 + hours * HOUR, true)).toBe(false);
      expect(schedule.due(1000 + hours * HOUR, true)).toBe(true);
      schedule.fitted(1000 + hours * HOUR);
    }
    expect(schedule.next(true).kind).toBe('nightly');
    expect(schedule.due(1e12, true)).toBe(false);
    schedule.night();
    expect(schedule.due(1e12, true)).toBe(true);
    const restarted = new LearningSchedule(900_000, 'auto', JSON.parse(JSON.stringify(schedule.state)));
    expect(restarted.next(true).kind).toBe('nightly');
    expect(new LearningSchedule(900_000, 'off', schedule.state).next(true).kind).toBe('none');
  });

  const columns = smallSeries(600, 3);
  const rows = (flags: (t: number) => number): SampleRow[] =>
    Array.from({ length: 600 }, (_, t) => ({
      timeMs: t * 5000,
      values: Float64Array.from(columns, (column) => column[t] as number),
      score: 0,
      flags: flags(t),
    }));
  const fitted = (history: SampleRow[]) =>
    runToEnd(
      fitFromStore({
        referenceFromMs: null,
        store: { samplesBackwards: () => history.toReversed(), samples: () => [] } as unknown as Store,
        schema: SMALL_SCHEMA,
        nowMs: 0,
        budget: { infoPerDay: 1, warningPerDay: 1 / 7, criticalPerDay: 1 / 30 },
        renotifyMs: HOUR,
        intervalMs: 1,
        toolVersion: 't',
        seed: 1,
      }),
    );

  test('incidents are left out, up to a quarter of the rows', () => {
    expect(fitted(rows((t) => (t < 100 ? 1 : 0)))?.provenance).toMatchObject({ rows: 500, intervalMs: 5000 });
    expect(fitted(rows((t) => (t < 300 ? 1 : 0)))?.provenance.rows).toBe(600);
    expect(fitted(rows((t) => (t < 300 ? 2 : 0)))?.provenance.rows).toBe(300);
  });

  test('too little history is no model', () => {
    expect(fitted(rows(() => 0).slice(0, 20))).toBeNull();
    expect(fitted([])).toBeNull();
  });
});
