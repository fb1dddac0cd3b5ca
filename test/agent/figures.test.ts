import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Figures, Latency } from '../../agent/figures.ts';
import { health } from '../../agent/health.ts';

describe('latency', () => {
  test('quantiles are within half a bucket of the true ones', () => {
    const samples = fc.array(fc.double({ min: 1e-3, max: 1e5, noNaN: true }), {
      minLength: 1,
      maxLength: 400,
    });
    fc.assert(
      fc.property(samples, fc.constantFrom(0.5, 0.95, 0.99), (values, q) => {
        const latency = new Latency();
        for (const ms of values) latency.record(ms, 0);
        const sorted = [...values].sort((a, b) => a - b);
        const exact = sorted[Math.ceil(q * sorted.length) - 1] as number;
        expect((latency.quantile(q) as number) / exact).toBeGreaterThan(2 ** (-1 / 15));
        expect((latency.quantile(q) as number) / exact).toBeLessThan(2 ** (1 / 15));
        expect(latency.count).toBe(values.length);
        expect(latency.sumMs).toBeCloseTo(
          values.reduce((a, b) => a + b, 0),
          3,
        );
      }),
    );
  });

  test('what is old is forgotten, what is recent is not', () => {
    const latency = new Latency();
    latency.record(1000, 0);
    latency.record(1, 300_000);
    expect(latency.quantile(0.99)).toBeGreaterThan(900);
    latency.record(1, 600_000);
    expect(latency.quantile(0.99)).toBeLessThan(1.1);
    latency.record(5, 10_000_000);
    expect(latency.quantile(0.5)).toBeGreaterThan(4.5);
    expect(latency.count).toBe(4);
  });

  test('takes whatever comes', () => {
    const latency = new Latency();
    expect(latency.quantiles()).toEqual({ p50: null, p95: null, p99: null });
    for (const ms of [Number.NaN, -1]) latency.record(ms, 0);
    expect(latency.count).toBe(0);
    for (const ms of [0, 1e300]) latency.record(ms, 0);
    expect(latency.quantile(0)).toBeLessThan(0.001);
    expect(latency.quantile(1)).toBeGreaterThan(1e6);
  });

  test('a stage is timed however it ends', () => {
    let nowMs = 0;
    const figures = new Figures(() => nowMs);
    const work = (): never => {
      nowMs += 7;
      throw new Error('x');
    };
    expect(() => figures.time('store', work)).toThrow('x');
    expect(figures.stages.store.sumMs).toBe(7);
  });
});

test('health: alive while samples are taken, ready when a model watches', () => {
  let state: 'warming-up' | 'watching' = 'warming-up';
  let silentMs = 0;
  const { healthz, readyz } = health(
    () => state,
    20_000,
    () => silentMs,
  );
  expect([healthz().ok, readyz()]).toEqual([true, { ok: false, says: 'warming-up' }]);
  state = 'watching';
  expect(readyz()).toEqual({ ok: true, says: 'watching' });
  silentMs = 60_001;
  expect(healthz()).toEqual({ ok: false, says: 'no sample for 60 s' });
  expect(readyz().ok).toBe(false);
});
