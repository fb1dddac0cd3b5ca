import { expect, test } from 'vitest';
import { flap, heldLimit } from './drift/flapping.ts';
import { HOUR_MS, shareWithin, simulateShape } from './drift/simulated.ts';

/** `npm run prove:drift`, scaled down: a few hosts, three metrics, ten days live. */
test.each([
  { phi: 0.9, cycles: true },
  { phi: 0.98, cycles: false },
])('phi $phi, cycles $cycles: silent without drift, a shift is warned of', (shape) => {
  const figures = simulateShape({ ...shape, metrics: 3 }, 100, 3, ['shift 1 SD', 'shift 2 SD'], 11);
  expect(figures.falselyRequested).toBe(0);
  expect(figures.falselyWarned).toBeLessThanOrEqual(1);
  const [one, two] = figures.drifts;
  expect(shareWithin(one?.warnedMs ?? [], 72 * HOUR_MS)).toBe(1);
  expect(shareWithin(two?.warnedMs ?? [], 36 * HOUR_MS)).toBe(1);
  expect(figures.weekly).toBe(shape.cycles ? 1 : 0);
});

test.each([true, false])('a flapping host asks at most once a day; relearns: %s', (relearns) => {
  const figures = flap(2, 40, relearns);
  expect(figures.requests).toBeGreaterThan(0);
  expect(heldLimit(figures)).toBe(true);
});
