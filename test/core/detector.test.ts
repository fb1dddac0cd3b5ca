import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createDetector } from '../../core/create-detector.ts';
import { FeatureStream, forEachFeatureRow, runToEnd } from '../../core/features.ts';
import type { MetricForestsModel } from '../../core/model.ts';
import { trainModel, usableMetrics } from '../../core/train.ts';
import { decodeModel, encodeModel } from '../../models/artifact.ts';
import { PROVENANCE, SMALL_SCHEMA, smallSeries } from '../support/series.ts';

const columns = smallSeries(2000, 1);
const model = runToEnd(trainModel(SMALL_SCHEMA, columns, PROVENANCE)) as MetricForestsModel;
const rowOf = (t: number): number[] => columns.map((column) => column[t] as number);

describe('metric-forests', () => {
  test('same rows, same seed: same bytes; another seed: others', () => {
    const again = runToEnd(trainModel(SMALL_SCHEMA, smallSeries(2000, 1), PROVENANCE));
    expect(encodeModel(again).equals(encodeModel(model))).toBe(true);
    const other = runToEnd(trainModel(SMALL_SCHEMA, columns, { ...PROVENANCE, seed: 8 }));
    expect(encodeModel(other).equals(encodeModel(model))).toBe(false);
  });

  test('streamed and batch features and scores are the same bits', () => {
    const streamed = createDetector(model);
    const batchScores: number[] = [];
    const batch = createDetector(model);
    const rows: Float64Array[] = [];
    runToEnd(
      forEachFeatureRow(model.features, columns, (features) => {
        rows.push(features.slice());
        batchScores.push(batch.scoreInputs(features));
      }),
    );
    for (let t = 0; t < 500; t++) {
      expect(streamed.score(rowOf(t))).toBe(batchScores[t]);
      expect(Array.from(streamed.inputs())).toEqual(Array.from(rows[t] as Float64Array));
    }
  });

  test('an artifact scores the same bits as the model it was made of', () => {
    const a = createDetector(model);
    const b = createDetector(decodeModel(encodeModel(model)));
    for (let t = 0; t < 300; t++) expect(b.score(rowOf(t))).toBe(a.score(rowOf(t)));
  });

  test('contributions add up to score - baseValue; a missing metric contributes nothing', () => {
    const detector = createDetector(model);
    const out = new Float64Array(SMALL_SCHEMA.length);
    for (let t = 0; t < 200; t++) {
      const row = rowOf(t);
      if (t % 7 === 0) row[1] = Number.NaN;
      const score = detector.score(row);
      detector.contributions(out);
      expect(out.reduce((a, b) => a + b, detector.baseValue)).toBeCloseTo(score, 9);
      if (t % 7 === 0) expect(out[1]).toBe(0);
      expect(Number.isFinite(score)).toBe(true);
    }
  });

  test('a value far outside scores higher than one just outside', () => {
    const score = (cpu: number): number => {
      const detector = createDetector(model);
      for (let t = 0; t < 100; t++) detector.score(rowOf(t));
      return detector.score([cpu, ...rowOf(100).slice(1)]);
    };
    expect(score(45)).toBeGreaterThan(score(25));
    expect(score(99)).toBeGreaterThan(score(45));
  });

  test('whatever numbers come, the score is finite', () => {
    const number = fc.oneof(
      fc.double(),
      fc.constant(Number.NaN),
      fc.double({ min: 0, max: 100, noNaN: true }),
    );
    fc.assert(
      fc.property(fc.array(fc.array(number, { minLength: 4, maxLength: 4 }), { maxLength: 30 }), (rows) => {
        const detector = createDetector(model);
        for (const row of rows) {
          const finite = row.map((x) => (Number.isFinite(x) ? x : Number.NaN));
          expect(Number.isFinite(detector.score(finite))).toBe(true);
        }
      }),
    );
  });

  test('reset forgets the windows', () => {
    const detector = createDetector(model);
    const first = detector.score(rowOf(0));
    for (let t = 1; t < 50; t++) detector.score(rowOf(t));
    detector.reset();
    expect(detector.score(rowOf(0))).toBe(first);
  });

  test('constant training data flags nothing of its own', () => {
    const flat = SMALL_SCHEMA.map(() => new Float64Array(500).fill(3));
    const constant = runToEnd(trainModel(SMALL_SCHEMA, flat, PROVENANCE));
    const detector = createDetector(constant);
    const scores = Array.from({ length: 50 }, () => detector.score([3, 3, 3, 3]));
    expect(new Set(scores).size).toBe(1);
    expect(Number.isFinite(scores[0])).toBe(true);
  });
});

test('windows are filled in slot order and hold their length', () => {
  const stream = new FeatureStream({
    windows: { short: 3, long: 3 },
    moments: Float64Array.from([0, 1, 0, 1, 0, 1, 0, 1]),
  });
  const means = [3, 6, 9, 12].map((x) => stream.update([x])[1]);
  expect(means).toEqual([3, 4.5, 6, 9]);
});

test('metrics that a host does not have are left out', () => {
  const columns = [new Float64Array(4), new Float64Array(4).fill(Number.NaN), new Float64Array(0)];
  expect(runToEnd(usableMetrics(columns))).toEqual([0]);
});
