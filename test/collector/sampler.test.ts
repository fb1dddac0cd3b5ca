import { describe, expect, it } from 'vitest';
import { systemSleep } from '../../collector/clock.ts';
import { type SampleMeta, Sampler, systemTimers, type Timers } from '../../collector/sampler.ts';
import type { Source } from '../../collector/source.ts';
import type { Sample } from '../../core/sample.ts';
import { FakeClock } from './support.ts';

/** Timers over a FakeClock: time passes only when everything waits. */
class FakeTimers implements Timers {
  readonly clock: FakeClock;
  #pending = new Map<number, { atMs: number; callback: () => void }>();
  #next = 0;
  constructor(clock: FakeClock) {
    this.clock = clock;
  }
  setTimeout = (callback: () => void, ms: number) => {
    this.#pending.set(this.#next, { atMs: this.clock.monoMs + ms, callback });
    return this.#next++;
  };
  clearTimeout = (handle: unknown) => void this.#pending.delete(handle as number);
  setImmediate = (callback: () => void) => setImmediate(callback);
  /** Fires the earliest timer; false when there is none. */
  fire(): boolean {
    const earliest = [...this.#pending].sort((a, b) => a[1].atMs - b[1].atMs)[0];
    if (!earliest) return false;
    this.#pending.delete(earliest[0]);
    this.clock.advance(Math.max(0, earliest[1].atMs - this.clock.monoMs));
    earliest[1].callback();
    return true;
  }
}

const fakeSource = (read: () => Promise<Sample | null>, kind: Source['kind'] = 'procfs'): Source => ({
  kind,
  schema: [{ name: 'a', unit: 'value', scale: 0, noiseFloor: 0, label: 'a' }],
  open: async () => {},
  read,
  close: async () => {},
  faults: () => ({}),
  describe: () => 'a fake',
});

interface Got {
  atMs: number;
  value: number;
  meta: SampleMeta;
}

async function drive(
  count: number,
  read: (clock: FakeClock, call: number) => Promise<Sample | null>,
  onSample: (got: Got, clock: FakeClock) => void = () => {},
) {
  const clock = new FakeClock();
  const timers = new FakeTimers(clock);
  let call = 0;
  const sampler = new Sampler(
    fakeSource(() => read(clock, call++)),
    { intervalMs: 1000, clock, timers },
  );
  const aborter = new AbortController();
  const got: Got[] = [];
  let ended = false;
  const run = sampler
    .run((sample, meta) => {
      const one = { atMs: clock.monoMs - 1000, value: sample.values[0]!, meta };
      got.push(one);
      onSample(one, clock);
      if (got.length === count) aborter.abort();
    }, aborter.signal)
    .finally(() => {
      ended = true;
    });
  run.catch(() => {});
  while (!ended) {
    await new Promise((resolve) => setImmediate(resolve));
    if (!ended) timers.fire();
  }
  await run;
  return { got, sampler, calls: call };
}

const sample = (value: number): Sample => ({ timeMs: 0, values: Float64Array.of(value) });

describe('Sampler', () => {
  it('ticks on the interval without drift, however long each read takes', async () => {
    const { got, sampler } = await drive(5, async (clock, call) => {
      clock.advance(call * 30);
      return sample(call);
    });
    expect(got.map(({ atMs, meta }) => atMs - meta.readMs)).toEqual([0, 1000, 2000, 3000, 4000]);
    expect(got.map(({ value }) => value)).toEqual([0, 1, 2, 3, 4]);
    expect(sampler.stats()).toMatchObject({
      samples: 5,
      faults: {},
      readMs: { p50: 60, p95: 120, p99: 120 },
    });
  });

  it('skips and counts the ticks that passed during a long pause, then is back on its grid', async () => {
    const { got, sampler } = await drive(
      4,
      async () => sample(1),
      ({ meta }, clock) => {
        if (meta.tick === 1) clock.advance(3500);
      },
    );
    expect(got.map(({ meta }) => [meta.tick, meta.skippedTicks])).toEqual([
      [0, 0],
      [1, 0],
      [4, 2],
      [5, 0],
    ]);
    expect(got.at(-1)?.atMs).toBe(5000);
    expect(sampler.stats().faults).toEqual({ tickSkipped: 2 });
  });

  it('gives a sample of NaN for a read that throws, and goes on', async () => {
    const { got, sampler } = await drive(3, async (_, call) => {
      if (call === 1) throw new Error('sensor');
      return sample(call);
    });
    expect(got.map(({ value, meta }) => [value, meta.failed])).toEqual([
      [0, false],
      [Number.NaN, true],
      [2, false],
    ]);
    expect(sampler.stats()).toMatchObject({ faults: { readFailed: 1 }, lastError: 'sensor' });
  });

  it('gives up a read that hangs, never begins a second one, and discards the late result', async () => {
    let release: (value: Sample) => void = () => {};
    const { got, sampler, calls } = await drive(
      4,
      async (_, call) => {
        if (call > 0) return sample(call);
        return new Promise<Sample>((resolve) => {
          release = resolve;
        });
      },
      ({ meta }) => {
        if (meta.tick === 1) release(sample(99));
      },
    );
    expect(got.map(({ value }) => value)).toEqual([Number.NaN, Number.NaN, 1, 2]);
    expect(calls).toBe(3);
    expect(sampler.stats().faults).toEqual({ readTimedOut: 1, readStillHanging: 1, lateResultDiscarded: 1 });
  });

  it('ends with its source, and rejects with what the callback throws', async () => {
    const { got } = await drive(9, async (_, call) => (call < 2 ? sample(call) : null));
    expect(got).toHaveLength(2);
    const thrown = drive(
      9,
      async () => sample(1),
      () => {
        throw new Error('ours');
      },
    );
    await expect(thrown).rejects.toThrow('ours');
  });

  it('plays a replay without waiting, lets other work in, and passes its error on', async () => {
    let left = 1000;
    const source = fakeSource(async () => (left-- > 0 ? sample(left) : null), 'replay');
    const sampler = new Sampler(source, { intervalMs: 1e9 });
    let other = 0;
    const immediate = () => {
      other++;
      if (left > 0) setImmediate(immediate);
    };
    setImmediate(immediate);
    let count = 0;
    await sampler.run(() => {
      count++;
    });
    expect(count).toBe(1000);
    expect(other).toBeGreaterThan(10);
    const broken = fakeSource(async () => Promise.reject(new Error('file')), 'replay');
    await expect(new Sampler(broken, { intervalMs: 1 }).run(() => {})).rejects.toThrow('file');
    expect(() => new Sampler(source, { intervalMs: 0 })).toThrow(RangeError);
  });

  it('runs on the machine’s own clock and timers; a wait ends with its signal', async () => {
    const aborter = new AbortController();
    let count = 0;
    const sampler = new Sampler(
      fakeSource(async () => sample(1)),
      { intervalMs: 1, timers: systemTimers },
    );
    await sampler.run(() => {
      if (++count === 3) aborter.abort();
    }, aborter.signal);
    expect(count).toBe(3);
    const waiting = systemSleep(1e9, aborter.signal);
    const later = new AbortController();
    const second = systemSleep(1e9, later.signal);
    later.abort();
    await Promise.all([waiting, second, systemSleep(1)]);
  });
});
