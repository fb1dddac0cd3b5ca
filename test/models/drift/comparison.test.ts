import { describe, expect, test } from 'vitest';
import { ksPValue, ksStatistic } from '../../../core/drift/ks.ts';
import { DAY_MS } from '../../../core/drift/reference.ts';
import { runToEnd } from '../../../core/features.ts';
import type { Model } from '../../../core/model.ts';
import { TRAINING_DEFAULTS, trainModel } from '../../../core/train.ts';
import type { Recording } from '../../../models/data/recording.ts';
import { compareDrift, type DriftComparison } from '../../../models/drift/comparison.ts';
import { sourceOfModel, sourceOfRecording } from '../../../models/drift/source.ts';
import { measureDrift } from '../../../models/evaluation/portrait.ts';
import { see } from '../../../models/training/assess.ts';
import { hostDays } from '../../support/drifting.ts';
import { PROVENANCE, SMALL_SCHEMA } from '../../support/series.ts';

const reference = hostDays(0, 14);
const lengthMs = ({ timesMs, intervalMs }: Recording): number => timesMs.length * intervalMs;
const against = (live: Recording, before = reference): DriftComparison =>
  compareDrift(sourceOfRecording(before, lengthMs(live)), live);

function modelOf({ columns, timesMs, intervalMs }: Recording): Model {
  const provenance = {
    ...PROVENANCE,
    intervalMs,
    rows: timesMs.length,
    trainedFromMs: timesMs[0] as number,
    trainedToMs: timesMs.at(-1) as number,
  };
  const options = { ...TRAINING_DEFAULTS, detector: 'metric-forests' as const };
  return runToEnd(
    trainModel(
      SMALL_SCHEMA,
      columns.map((column) => Float64Array.from(column)),
      provenance,
      options,
    ),
  );
}

describe('a recording against a recording', () => {
  test('itself, and what came later of the same host, are silent', () => {
    for (const live of [reference, hostDays(14, 5)]) {
      const { verdict, severity, features, decisions, undecided, windowMs } = against(live);
      expect([verdict, severity, undecided, windowMs]).toEqual(['steady', severity, null, DAY_MS]);
      expect(severity).toBeLessThanOrEqual(2);
      expect(features.map(({ windowsOver }) => windowsOver)).toEqual([0, 0, 0, 0]);
      expect(decisions.length).toBeGreaterThanOrEqual(8);
    }
    expect(against(reference).features.map(({ d, effect, psi }) => [d, effect, psi])).toEqual([
      [0, 0, 0],
      [0, 0, 0],
      [0, 0, 0],
      // Never moved: no spread to measure a shift by.
      [0, null, 0],
    ]);
  });

  test('a shift is told, of that metric alone, upwards, by its size', () => {
    const { verdict, severity, features } = against(hostDays(14, 5, 12));
    expect(verdict).toBe('drifting');
    expect(severity).toBeGreaterThanOrEqual(5);
    expect(features.map((feature) => feature.verdict)).toEqual(['drifting', 'steady', 'steady', 'steady']);
    const [cpu] = features;
    expect(cpu?.direction).toBe('higher');
    expect(cpu?.shift).toBeCloseTo(12, 0);
    expect(cpu?.effect).toBeCloseTo((cpu?.shift as number) / (cpu?.source.spread as number), 9);
    expect(cpu?.farthest?.d).toBeGreaterThan(cpu?.farthest?.threshold as number);
    expect(cpu?.longestStreak).toBe(cpu?.windowsOver);
    expect(against(hostDays(14, 5, -12)).features[0]?.direction).toBe('lower');
  });

  test('D and its naive p are those of all values', () => {
    const live = hostDays(14, 5);
    const { features } = against(live);
    for (const [i, { d, naive, sorted }] of features.entries()) {
      const statistic = ksStatistic(
        Float64Array.from(reference.columns[i] as Float64Array).sort(),
        Float64Array.from(live.columns[i] as Float64Array).sort(),
      );
      expect([d, naive]).toEqual([statistic.d, ksPValue(statistic)]);
      expect(sorted.length).toBe(live.timesMs.length);
    }
  });

  test('a short LIVE has short windows, and all is provisional', () => {
    const live = hostDays(14, 0.5, 12);
    const { verdict, windowMs, provisional, notes } = against(live);
    expect([verdict, windowMs, provisional]).toEqual(['drifting', DAY_MS / 4, true]);
    expect(notes.join()).toMatch(/provisional: windows are shorter than a day/);
  });

  test('below five hours of reference nothing is decided, and all is measured', () => {
    const { verdict, severity, decisions, undecided, features } = against(
      hostDays(14, 2, 12),
      hostDays(0, 4 / 24),
    );
    expect([verdict, severity, decisions]).toEqual(['undecided', null, []]);
    expect(undecided).toMatch(/^the reference is 4 h long: .* known from 5 h on$/);
    const [cpu] = features;
    expect(cpu?.verdict).toBe('undecided');
    expect(cpu?.d).toBeGreaterThan(0.3);
    expect(cpu?.naive?.p).toBeLessThan(1e-6);
    expect([cpu?.effect, cpu?.psi].every(Number.isFinite)).toBe(true);
  });

  test('less than a window of LIVE is not decided upon either', () => {
    const { undecided, severity } = against(hostDays(14, 0.5 / 24));
    expect([severity, undecided]).toEqual([
      null,
      'no whole window of 60 min lies in LIVE, which is 30 min long',
    ]);
  });

  test('a metric that LIVE lacks is missing, not drifting; one that is new is left out', () => {
    const live = hostDays(14, 3);
    const names = live.names.map((name) => (name === 'memory' ? 'disk' : name));
    const { features, notes, verdict } = against({ ...live, names });
    expect(verdict).toBe('steady');
    expect(features[1]).toMatchObject({ name: 'memory', verdict: 'missing', d: null, missing: 1 });
    expect(notes).toContain('LIVE lacks memory: judged as missing');
    expect(notes).toContain('the reference knows nothing of disk: left out');
    expect(() => against({ ...live, names: ['a', 'b', 'c', 'd'] })).toThrow(
      /web-1 has none of the reference's metrics \(cpu, memory, network, swap\); it has a, b, c, d\./,
    );
  });
});

describe('a recording against a model', () => {
  const model = modelOf(reference);

  test('what it learned from is silent, a shift is told in metric and score', () => {
    const source = sourceOfModel(model);
    const calm = compareDrift(source, hostDays(14, 4));
    expect(calm.verdict).toBe('steady');
    expect(calm.features.map(({ name }) => name)).toEqual(['cpu', 'memory', 'network', 'swap', 'score']);
    const shifted = compareDrift(source, hostDays(14, 4, 40));
    expect(shifted.features.map(({ verdict }) => verdict)).toEqual([
      'drifting',
      'steady',
      'steady',
      'steady',
      'drifting',
    ]);
    expect(shifted.decisions.at(-1)?.kinds).toEqual(['input', 'prediction']);
  });

  test('evaluate measures the same D, finer than 33 quantiles can', () => {
    const live = hostDays(14, 4, 3);
    const seen = [see(model, { host: live.host, recording: live, from: 0 })];
    const distances = measureDrift(model, seen).map(({ distance }) => distance);
    expect(distances).toEqual(compareDrift(sourceOfModel(model), live).features.map(({ d }) => d));
    const exact = ksStatistic(
      Float64Array.from(reference.columns[0] as Float64Array).sort(),
      Float64Array.from(live.columns[0] as Float64Array).sort(),
    ).d;
    // The model keeps every value's cell; it drew one row of a slot, which at a minute is all.
    expect(Math.abs((distances[0] as number) - exact)).toBeLessThanOrEqual(1 / 254);
    const old = { ...model, drift: null };
    const coarse = measureDrift(old, seen).map(({ distance }) => distance as number);
    coarse.forEach((d, i) => {
      expect(Math.abs(d - (distances[i] as number))).toBeLessThanOrEqual(1 / 32 + 1 / 254);
    });
    expect(compareDrift(sourceOfModel(old), live).undecided).toMatch(
      /^the model keeps no reference for drift/,
    );
  });

  test('windows of a model stay as long as they are', () => {
    const { undecided } = compareDrift(sourceOfModel(model), hostDays(14, 0.5));
    expect(undecided).toMatch(
      /^no whole window of 24 h lies in LIVE, which is 12 h long; against a recording/,
    );
  });
});
