import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { Random } from '../../core/random.ts';
import { judge, notifications } from '../proofs/alarms/events.ts';
import { inject } from '../proofs/alarms/inject.ts';
import { replay } from '../proofs/alarms/replay.ts';
import { parseTable, type Series, toSeries } from '../proofs/alarms/series.ts';
import { hasExecutable } from '../support/executable.ts';

/** `npm run prove:alarms`, scaled down to one series. */

const file = join(import.meta.dirname, '..', 'oracle', 'nab-ec2-cpu-5f5533.csv.gz');
const real = (): Series =>
  toSeries('NAB', 'ec2_cpu_utilization_5f5533', 300_000, [
    parseTable(gunzipSync(readFileSync(file)).toString('utf8')),
  ]);

describe.skipIf(!hasExecutable)('alarms of the packaged agent on a real server', () => {
  test('the labelled events are told of, and little else', async () => {
    const series = real();
    const figures = judge(series, await replay(series));
    expect(figures.days).toBeCloseTo(11.9, 1);
    expect(figures.f1).toBeGreaterThanOrEqual(0.65);
    expect(figures.falsePerDay).toBeLessThanOrEqual(0.6);
  });

  test('a frozen metric is told of as a stuck sensor', async () => {
    const { series, faults } = inject(real(), 'frozen', new Random(1));
    expect(faults.length).toBeGreaterThan(2);
    const told = notifications(series, await replay(series));
    // Not all: a fault within a standing incident of a trigger is part of that one.
    const stuck = faults.filter(({ first, last }) =>
      told.some((one) => one.trigger === 'stuck' && one.first >= first && one.first <= last),
    );
    expect(stuck.length).toBeGreaterThanOrEqual(3);
    expect(
      faults.every(({ first, last }) => told.some((one) => one.first <= last && one.last >= first)),
    ).toBe(true);
  });
});
