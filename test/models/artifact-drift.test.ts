import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fitDriftReference, modelDrift } from '../../core/drift/calibration.ts';
import { DriftMonitor } from '../../core/drift/monitor.ts';
import {
  CELLS,
  DISTANCES,
  type DriftReference,
  KNOTS,
  PARTS,
  STATISTICS,
} from '../../core/drift/reference.ts';
import { runToEnd } from '../../core/features.ts';
import type { Model } from '../../core/model.ts';
import { TRAINING_DEFAULTS, trainModel } from '../../core/train.ts';
import { ArtifactError, decodeModel, encodeModel } from '../../models/artifact.ts';
import { headerOf, tinyModel, withArray, withHeader } from '../support/artifacts.ts';
import { PROVENANCE, SMALL_SCHEMA, smallSeries } from '../support/series.ts';

const INTERVAL_MS = 60_000;
const model = tinyModel();

/** Two metrics and a score over half a day: windows of an hour. */
function smallReference(): DriftReference {
  const columns = smallSeries(720, 3).slice(0, 3);
  const fit = fitDriftReference({
    columns,
    timeOf: (row) => row * INTERVAL_MS,
    intervalMs: INTERVAL_MS,
    leastEffects: [0, 0, 0],
  });
  return runToEnd(fit) as DriftReference;
}
const drift = smallReference();
const bytes = encodeModel({ ...model, drift });

function faultOf(changed: Buffer): string | null {
  try {
    decodeModel(changed);
    return null;
  } catch (error) {
    if (!(error instanceof ArtifactError)) throw error;
    return error.fault;
  }
}

/** Whatever was accepted must be safe to run. */
function runs({ drift: accepted }: Model, intervalMs = INTERVAL_MS): void {
  const monitor = new DriftMonitor(accepted as DriftReference, intervalMs, 'a');
  for (let t = 0; t < 200; t++) {
    const values = [t % 7, t % 5 === 0 ? Number.NaN : t];
    for (const { severity } of monitor.update({
      timeMs: t * intervalMs,
      values,
      score: t,
      inIncident: false,
    })) {
      expect(severity).toBeGreaterThanOrEqual(1);
      expect(severity).toBeLessThanOrEqual(10);
    }
  }
}

describe('the reference of drift in an artifact', () => {
  test('the same bytes, the same reference', () => {
    const decoded = decodeModel(bytes);
    expect(decoded.drift).toEqual(drift);
    expect(encodeModel(decoded).equals(bytes)).toBe(true);
    runs(decoded);
    const weekend = { ...drift, weekendMs: 86_400_000 };
    expect(decodeModel(encodeModel({ ...model, drift: weekend })).drift).toEqual(weekend);
  });

  test('from before there were two distances: the other arrays alone, read and written as they were', () => {
    const older = { ...drift, distances: new Float64Array(drift.distances.length).fill(Number.NaN) };
    const written = encodeModel({ ...model, drift: older });
    const names = (of: Buffer): string[] =>
      (headerOf(of)['arrays'] as unknown as { name: string }[]).map(({ name }) => name);
    expect(names(written)).toEqual(names(bytes).filter((name) => name !== 'driftDistances'));
    expect(names(written)).not.toEqual(names(bytes));
    const decoded = decodeModel(written);
    expect(decoded.drift).toEqual(older);
    expect(encodeModel(decoded).equals(written)).toBe(true);
    runs(decoded);
  });

  test('takes 6 kB a stream', () => {
    const stream = 8 * KNOTS + 8 * (STATISTICS + DISTANCES) + 4 * PARTS * CELLS;
    expect(stream).toBeLessThan(6300);
    expect(bytes.length - encodeModel(model).length).toBeLessThan(3 * stream + 400);
  });

  test('every byte of it may be wrong: refused, or safe to run', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('driftKnots', 'driftStatistics', 'driftWeights', 'driftDistances'),
        fc.nat(),
        fc.nat(255),
        (name, place, value) => {
          const changed = withArray(bytes, name, (view) => view.setUint8(place % view.byteLength, value));
          if (faultOf(changed) === null) runs(decodeModel(changed));
        },
      ),
      { numRuns: 300 },
    );
  });

  // One byte rarely makes a number of windows of 1e300, whose Student distribution was once summed up to the end of time.
  test.each([
    ['driftKnots', drift.knots.length],
    ['driftStatistics', drift.statistics.length],
    ['driftDistances', drift.distances.length],
  ] as const)('%s: each number may be as large or as small as numbers are', (name, places) => {
    for (const x of [5e-324, 1e300, Number.MAX_VALUE, -Number.MAX_VALUE]) {
      for (let place = 0; place < places; place++) {
        const changed = withArray(bytes, name, (view) => view.setFloat64(8 * place, x, true));
        if (faultOf(changed) === null) runs(decodeModel(changed));
      }
    }
  });

  test.each([
    { windowMs: 1, slotMs: 1, weekendMs: 0, spanMs: 1 },
    { windowMs: 604_800_000, slotMs: 1, weekendMs: 604_800_000, spanMs: 8.64e15 },
    { windowMs: 604_800_000, slotMs: 604_800_000, weekendMs: null, spanMs: 1 },
  ])('at the ends of what a header may say: %j', (value) => {
    const changed = withHeader(bytes, (header) => ({ ...header, drift: value }));
    expect(faultOf(changed)).toBeNull();
    for (const intervalMs of [200, INTERVAL_MS, 3_600_000]) runs(decodeModel(changed), intervalMs);
  });

  test.each([
    ['driftKnots', 'knots that fall', (view: DataView) => view.setFloat64(0, 1e9, true)],
    ['driftStatistics', 'a mean D above 1', (view: DataView) => view.setFloat64(0, 2, true)],
    ['driftDistances', 'a largest D above 1', (view: DataView) => view.setFloat64(0, 2, true)],
    ['driftDistances', 'a shift below 0', (view: DataView) => view.setFloat64(8, -1, true)],
    ['driftDistances', 'one of them unknown', (view: DataView) => view.setFloat64(16, Number.NaN, true)],
    ['driftStatistics', 'a weekend that is not known', (view: DataView) => view.setFloat64(24, 1, true)],
  ] as const)('%s: %s', (name, _, change) => {
    expect(faultOf(withArray(bytes, name, change))).toBe('badArray');
  });

  test.each(['x', {}, { windowMs: 3_600_000, slotMs: 7_200_000, weekendMs: null, spanMs: 1 }, undefined])(
    'a header of %j',
    (value) => {
      expect(faultOf(withHeader(bytes, (header) => ({ ...header, drift: value })))).toBe('badHeader');
    },
  );
});

describe('training', () => {
  const columns = smallSeries(400, 5);
  const train = (timesMs: readonly number[] | null): Model =>
    runToEnd(
      trainModel(
        SMALL_SCHEMA,
        columns,
        { ...PROVENANCE, intervalMs: INTERVAL_MS, rows: 400 },
        { ...TRAINING_DEFAULTS, forest: { trees: 1, rowsPerTree: 16, maxDepth: 3 }, timesMs },
      ),
    );

  test('writes it, one stream a metric and the score, with the noise floors as least effects', () => {
    const trained = train(null).drift as DriftReference;
    expect(trained.streams).toBe(SMALL_SCHEMA.length + 1);
    expect(trained.windowMs).toBe(3_600_000);
    const effects = SMALL_SCHEMA.map((_, i) => trained.statistics[i * STATISTICS + 6]);
    expect(effects).toEqual(SMALL_SCHEMA.map(({ noiseFloor }) => noiseFloor));
  });

  test('knows the time by the rows: a gap breaks windows', () => {
    const steady = columns[0]?.length ?? 0;
    const gapped = Array.from(
      { length: steady },
      (_, row) => (row + (row >= 200 ? 10_000 : 0)) * INTERVAL_MS,
    );
    const windows = (one: Model): number => one.drift?.statistics[2] ?? Number.NaN;
    expect(windows(train(gapped))).toBeLessThan(windows(train(null)));
  });

  test('nothing where the history is too short', () => {
    const short = runToEnd(modelDrift(SMALL_SCHEMA, smallSeries(100, 1), PROVENANCE, null));
    expect(short).toBeNull();
    expect(model.drift).toBeNull();
    expect(headerOf(encodeModel(model))['drift']).toBeNull();
  });
});
