import { describe, expect, test } from 'vitest';
import { runOutage } from './outage.ts';
import { runSeed } from './scenario.ts';

/** `npm run prove:simulation`, scaled down. A seed that fails replays: `--first SEED --seeds 1`. */
describe('the agent over a simulated clock, network and disk', () => {
  test.each([2, 3, 4, 33, 1001, 1002])('seed %i: all promises kept', async (seed) => {
    const { violations, story, samples, events } = await runSeed(seed, 2.5);
    expect({ violations, story: violations.length > 0 ? story : [] }).toEqual({ violations: [], story: [] });
    expect(samples).toBeGreaterThan(1000);
    expect(events).toBeGreaterThan(0);
  });

  test('the same seed is the same story', async () => {
    const [a, b] = [await runSeed(5, 1), await runSeed(5, 1)];
    expect(a).toEqual(b);
  });
});

describe('hours without any sink, then the drain', () => {
  test.each([false, true])('a small outbox: %s', async (small) => {
    const { violations, alerts, dropped } = await runOutage({ seed: 1, days: 0.25, small });
    expect(violations).toEqual([]);
    expect(alerts).toBeGreaterThan(3);
    expect(dropped > 0).toBe(small);
  });
});
