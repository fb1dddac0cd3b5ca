import { expect, test } from 'vitest';
import { hasExecutable } from '../support/executable.ts';
import { simulate } from '../support/soak.ts';

const HOURS = 120;
/** The fit of the first day is the peak; what a leak of 1 kB a sample would add is 86 MB. */
const MOST_MB = 160;

test.skipIf(!hasExecutable)(
  'five simulated days: descriptors stand still, memory and database are bounded',
  { timeout: 120_000 },
  async () => {
    const points = await simulate(HOURS);
    expect(points.length).toBeGreaterThan(3);
    const settled = points.slice(Math.floor(points.length / 2));
    const descriptors = settled.map((point) => point.descriptors);
    expect(Math.max(...descriptors) - Math.min(...descriptors)).toBeLessThanOrEqual(5);
    expect(Math.max(...points.map(({ pssMb }) => pssMb))).toBeLessThan(MOST_MB);
    expect(points.at(-1)?.databaseMb).toBeLessThan(20);
  },
);
