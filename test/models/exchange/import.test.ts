import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createDetector } from '../../../core/create-detector.ts';
import { INCIDENT_DEFAULTS } from '../../../core/incident.ts';
import type { IsolationForestModel, Model } from '../../../core/model.ts';
import { Watcher } from '../../../core/watcher.ts';
import { decodeModel } from '../../../models/artifact.ts';
import { DumpError } from '../../../models/exchange/dump-reader.ts';
import { exportModel } from '../../../models/exchange/export.ts';
import { forDoubles } from '../../../models/exchange/float32.ts';
import { parseForestDump } from '../../../models/exchange/forest-dump.ts';
import { importForest } from '../../../models/exchange/import.ts';
import { tinyIsolationForest, tinyModel } from '../../support/artifacts.ts';
import { readOracle } from '../../support/oracle.ts';

const FACTS = {
  name: 'sk',
  version: 1,
  createdAt: '2026-01-02T03:04:05.000Z',
  features: null,
  intervalMs: 5000,
  description: null,
  toolVersion: 'test',
};

interface Oracle {
  readonly psi: number;
  readonly trees: readonly Record<'feature' | 'threshold' | 'left' | 'right' | 'n', number[]>[];
  readonly X: readonly (readonly number[])[];
  readonly score_samples: readonly number[];
}
const oracle = readOracle<Oracle>('isolation-forest.json.gz');
const LEAF = { feature: [-2], threshold: [-2], left: [-1], right: [-1], samples: [2] };
const SPLIT = {
  feature: [0, -2, -2],
  threshold: [0.5, -2, -2],
  left: [1, -1, -1],
  right: [2, -1, -1],
  samples: [2, 1, 1],
};
const document = (changes: object = {}): Record<string, unknown> => ({
  format: 'isolation-forest',
  formatVersion: 1,
  source: 'scikit-learn 1.2.1',
  featureCount: 3,
  features: ['cpu', 'memory', 'queue'],
  inputs: 'float32',
  maxSamples: 256,
  offset: -0.5,
  contamination: 'auto',
  trees: [LEAF],
  ...changes,
});
const imported = (changes: object = {}, facts: object = {}) =>
  importForest(parseForestDump(JSON.stringify(document(changes))), { ...FACTS, ...facts });
const modelOf = (changes: object = {}): Model => decodeModel(imported(changes).bytes);

describe('a forest of scikit-learn', () => {
  test('scores as score_samples does, to 1e-12, and decides as predict does', () => {
    const trees = oracle.trees.map(({ n, ...tree }) => ({ ...tree, samples: n }));
    const model = modelOf({ maxSamples: oracle.psi, trees });
    const detector = createDetector(model);
    const watcher = new Watcher(model, model.schema, INCIDENT_DEFAULTS);
    let anomalies = 0;
    oracle.X.forEach((row, i) => {
      const expected = -(oracle.score_samples[i] as number);
      expect(Math.abs(detector.score(row) - expected)).toBeLessThan(1e-12);
      watcher.warm({ timeMs: 5000 * i, values: Float64Array.from(row) });
      const flagged = watcher.alarm.readings.filter(({ value, thresholds }) => value > thresholds.info);
      expect(flagged.map(({ name }) => name)).toEqual(expected > 0.5 ? ['score'] : []);
      if (expected > 0.5) anomalies++;
    });
    expect(anomalies).toBeGreaterThan(0);
  });

  test('nothing alarms on its own: neither jumps nor constants nor ranges nor standing still', () => {
    const model = modelOf({ offset: -1 });
    const watcher = new Watcher(model, model.schema, INCIDENT_DEFAULTS);
    for (let t = 0; t < 2000; t++) {
      const x = t < 1000 ? 5 : 1e12;
      const sample = { timeMs: 5000 * t, values: Float64Array.of(x, t % 2 === 0 ? Number.NaN : -x, 0) };
      expect(watcher.step(sample, 'open', () => 'id').transition).toBeNull();
      expect(watcher.alarm.readings.some(({ value, thresholds }) => value > thresholds.info)).toBe(false);
    }
  });

  test('trees over a part of the features, and in any order of nodes, are mapped', () => {
    const tree = {
      features: [2, 0],
      feature: [0, -2, 1, -2, -2],
      threshold: [10, -2, 20, -2, -2],
      left: [2, -1, 4, -1, -1],
      right: [1, -1, 3, -1, -1],
      samples: [3, 1, 2, 1, 1],
    };
    const { forest, fills } = modelOf({ trees: [tree] }) as IsolationForestModel;
    expect(Array.from(forest.trees[0]!.feature)).toEqual([2, 0, -2, -2, -2]);
    expect(Array.from(forest.trees[0]!.left)).toEqual([1, 2, -1, -1, -1]);
    expect(Array.from(forest.trees[0]!.right)).toEqual([4, 3, -1, -1, -1]);
    expect(Array.from(forest.trees[0]!.samples)).toEqual([3, 2, 1, 1, 1]);
    expect([fills[0], fills[1], fills[2]].map((x) => Math.round(x as number))).toEqual([20, 0, 10]);
  });

  test('contamination, quantiles and names are taken over, and what is unknown is said', () => {
    const quantiles = [1, 2, 3].map((factor) => Array.from({ length: 33 }, (_, i) => factor * i));
    const { record, bytes } = imported(
      { contamination: 0.05, offset: -0.6, quantiles, scoreQuantiles: quantiles[0] },
      { features: ['a', 'b', 'c'] },
    );
    const model = decodeModel(bytes) as IsolationForestModel;
    expect(model.thresholds.score.info).toBe(0.6);
    expect(model.contamination).toBe(0.05);
    expect(Array.from(model.fills)).toEqual([16, 32, 48]);
    expect(record).toMatchObject({
      origin: 'imported',
      features: ['a', 'b', 'c'],
      parameters: { trees: 1, rowsPerTree: 256, contamination: 0.05 },
      threshold: { by: 'contamination', triggers: { score: { info: 0.6, warning: null } } },
      metrics: { validation: null, test: null },
    });
    expect(record.notes).toHaveLength(2);
    expect(imported().record.notes).toHaveLength(5);
  });
});

test('a threshold for float32 rows decides the same of the rows as they are', () => {
  const double = fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e30, max: 1e30 });
  fc.assert(
    fc.property(double, double, fc.integer({ min: -3, max: 3 }), (threshold, x, steps) => {
      const cut = forDoubles(threshold);
      const near = new Float64Array([cut]);
      const bits = new BigInt64Array(near.buffer);
      bits[0] = (bits[0] as bigint) + BigInt(steps);
      for (const row of [x, threshold, Math.fround(threshold), near[0] as number]) {
        if (Math.abs(row) > 1e38 || Number.isNaN(row)) continue;
        expect([threshold, row, row <= cut]).toEqual([threshold, row, Math.fround(row) <= threshold]);
      }
      expect(forDoubles(cut)).toBe(cut);
    }),
    { numRuns: 2000 },
  );
});

describe('faults of a dump are named with their place', () => {
  test.each<[object, string]>([
    [{ format: 'trees' }, 'format: expected "isolation-forest", found "trees"'],
    [{ formatVersion: 2 }, 'formatVersion: expected a whole number from 1 to 1, found 2'],
    [{ featureCount: 0 }, 'featureCount: expected a whole number from 1 to 1024, found 0'],
    [{ features: ['cpu'] }, 'features: expected a list of 3, found a list of 1'],
    [{ features: ['a', 'b', 'a'] }, 'features[2]: expected a name that is not there already, found "a"'],
    [{ features: ['a', 'b', 7] }, 'features[2]: expected a text of 1 to 128 characters, found 7'],
    [{ inputs: 'int' }, 'inputs: expected "float32" or "float64", found "int"'],
    [{ maxSamples: 1 }, 'maxSamples: expected a whole number from 2 to 65535, found 1'],
    [{ offset: 0.5 }, 'offset: expected a number from -1 to 0, found 0.5'],
    [{ contamination: 0.9 }, 'contamination: expected "auto", or a share above 0, up to 0.5, found 0.9'],
    [{ trees: [] }, 'trees: expected a list of 1 to 1024, found a list of 0'],
    [{ trees: [LEAF, 7] }, 'trees[1]: expected an object, found 7'],
    [
      { trees: [{ ...LEAF, feature: [] }] },
      'trees[0].feature: expected a list of 1 to 131069, found a list of 0',
    ],
    [
      { trees: [{ ...SPLIT, feature: [3, -2, -2] }] },
      'trees[0].feature[0]: expected a whole number from -2 to 2, found 3',
    ],
    [
      { trees: [{ ...SPLIT, threshold: [0.5, null, 1] }] },
      'trees[0].threshold[1]: expected a finite number, found null',
    ],
    [{ trees: [{ ...SPLIT, left: [1, -1] }] }, 'trees[0].left: expected a list of 3, found a list of 2'],
    [
      { trees: [{ ...SPLIT, right: [9, -1, -1] }] },
      'trees[0].right[0]: expected a whole number from -1 to 2, found 9',
    ],
    [
      { trees: [{ ...SPLIT, right: [-1, -1, -1] }] },
      'trees[0].right[0]: expected a child, since it splits, found -1',
    ],
    [{ trees: [{ ...SPLIT, right: [1, -1, -1] }] }, 'trees[0]: node 1 has two parents, expected a tree'],
    [{ trees: [{ ...SPLIT, right: [0, -1, -1] }] }, 'trees[0]: node 0 has two parents, expected a tree'],
    [{ trees: [{ ...SPLIT, feature: [-2, -2, -2] }] }, "trees[0]: node 1 is no node's child"],
    [
      { trees: [{ ...SPLIT, samples: [2, 0, 1] }] },
      'trees[0].samples[1]: expected a whole number from 1 to 65535, found 0',
    ],
    [
      { trees: [{ ...SPLIT, samples: [5, 1, 1] }] },
      'trees[0]: node 0 is broken: expected children that share its 5 rows',
    ],
    [
      { trees: [{ ...SPLIT, features: [0, 9] }] },
      'trees[0].features[1]: expected a whole number from 0 to 2, found 9',
    ],
    [{ quantiles: [[1], [2], [3]] }, 'quantiles[0]: expected a list of 33, found a list of 1'],
    [
      { scoreQuantiles: Array.from({ length: 33 }, (_, i) => -i) },
      'scoreQuantiles[1]: expected a number not below the one before, found -1',
    ],
    [{ features: null }, 'features: the dump names none; name 3 with --features'],
  ])('%j', (changes, message) => {
    expect(() => imported(changes)).toThrow(DumpError);
    expect(() => imported(changes)).toThrow(message);
  });

  test('no JSON, another document, too few names', () => {
    expect(() => parseForestDump('{')).toThrow(/^not JSON: /);
    expect(() => parseForestDump('[]')).toThrow('the document: expected an object, found a list of 0');
    expect(() => imported({}, { features: ['a'] })).toThrow(
      '--features: expected 3 names, as the forest has features, found 1',
    );
  });
});

describe('export', () => {
  test('of a standard forest is what import reads, to the same scores', () => {
    const model = tinyIsolationForest();
    const dump = parseForestDump(JSON.stringify(exportModel(model)));
    const again = decodeModel(importForest(dump, FACTS).bytes) as IsolationForestModel;
    expect(again.forest).toEqual(model.forest);
    expect(again.reference.metrics).toEqual(model.reference.metrics);
    expect(again.schema).toEqual(model.schema);
    expect(again.fills).toEqual(model.fills);
  });

  test('of metric-forests has numbers for codes', () => {
    const model = tinyModel();
    const text = JSON.stringify(exportModel(model));
    expect(text).not.toContain('1000000000');
    const { forests, thresholds } = JSON.parse(text);
    expect(forests.map(({ metric }: { metric: string }) => metric)).toEqual(
      model.schema.map(({ name }) => name),
    );
    const [tree] = forests[0].pairs[0].trees;
    expect(tree.samples[0]).toBe(16);
    expect(tree.left[0]).toBe(1);
    expect(tree.threshold[0]).toBeGreaterThanOrEqual(tree.low[0][tree.feature[0]]);
    expect(tree.threshold[0]).toBeLessThanOrEqual(tree.high[0][tree.feature[0]]);
    expect(forests[1].pairs[2].features).toEqual(['z', 'deviation']);
    expect(thresholds.score.info).toBeNull();
  });
});
