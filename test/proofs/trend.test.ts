import { expect, test } from 'vitest';
import { Random } from '../../core/random.ts';
import { trend } from '../support/trend.ts';

const hours = Array.from({ length: 60 }, (_, i) => i / 60);

test('a straight line is found exactly', () => {
  const { slope, low, high } = trend(
    hours,
    hours.map((x) => 40 + 3 * x),
  );
  expect(slope).toBeCloseTo(3, 9);
  expect(high - low).toBeLessThan(1e-6);
});

test('the interval holds the true slope about as often as it says, with autocorrelated noise', () => {
  let held = 0;
  for (let seed = 0; seed < 400; seed++) {
    const random = new Random(seed);
    let noise = 0;
    const y = hours.map((x) => {
      noise = 0.3 * noise + random.float() - 0.5;
      return 40 + 2 * x + noise;
    });
    const { low, high } = trend(hours, y);
    if (low <= 2 && 2 <= high) held++;
  }
  expect(held / 400).toBeGreaterThan(0.85);
  expect(held / 400).toBeLessThan(0.99);
});
