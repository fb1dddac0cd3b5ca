import { describe, expect, test } from 'vitest';
import { calibratedFor } from '../../../core/model.ts';
import { artifactSha256, decodeModel, encodeModel } from '../../../models/artifact.ts';
import { type Candidate, candidatesOf, defaultGrid } from '../../../models/training/candidates.ts';
import { DEFAULT_SPLIT } from '../../../models/training/parts.ts';
import { toRecord } from '../../../models/training/record.ts';
import { FROM_MS, MINUTE_MS, noiseRecording, recordingOf, trainQuickly } from '../../support/training.ts';

const candidate = (change: Partial<Candidate>): Candidate => ({
  detector: 'metric-forests',
  trees: 2,
  rowsPerTree: 32,
  windows: { short: 5, long: 20 },
  budgetPerDay: 1,
  contamination: null,
  ...change,
});

describe('a training', () => {
  test('same rows, same seed: same bytes; another seed, or one other row: others', () => {
    const sha = (recording = recordingOf(), seed = 1): string =>
      artifactSha256(encodeModel(trainQuickly([recording], { seed }).model));
    const first = sha();
    expect(sha()).toBe(first);
    expect(sha(recordingOf(), 2)).not.toBe(first);
    expect(sha(recordingOf({ rows: 1999 }))).not.toBe(first);
  });

  test('splits by time: the model knows nothing of the last part, and the parts are as long as was asked', () => {
    const recording = recordingOf();
    const result = trainQuickly([recording]);
    const last = FROM_MS + (Math.round(2000 * 0.85) - 1) * MINUTE_MS;
    expect(result.model.provenance).toMatchObject({ trainedFromMs: FROM_MS, trainedToMs: last, rows: 1700 });
    expect(result.rows).toMatchObject({ read: 2000, used: 2000, train: 1400, validation: 300, test: 300 });
    for (const column of recording.columns) column.fill(1e6, 1700);
    const again = trainQuickly([recording]);
    expect(artifactSha256(encodeModel(again.model))).toBe(artifactSha256(encodeModel(result.model)));
    expect(again.test).not.toEqual(result.test);
  });

  test('without labels candidates are compared by injected spikes and level shifts', () => {
    const { comparedBy, chosen, compared } = trainQuickly([recordingOf({ rows: 4000 })], {
      candidates: [candidate({}), candidate({ trees: 4 })],
    });
    expect(comparedBy).toBe('injected faults');
    expect(compared).toHaveLength(2);
    for (const { objective, validation } of compared) {
      const { spike, levelShift } = validation.injected;
      expect(spike?.faults).toBeGreaterThan(0);
      expect(objective).toBeCloseTo(((spike?.recall ?? 0) + (levelShift?.recall ?? 0)) / 2, 12);
      expect(validation).toMatchObject({ precision: null, averagePrecision: null, events: null });
    }
    expect(compared).toContain(chosen);
  });

  test('with labels by them: found events make the better model, and labelled rows are not learned from', () => {
    const labelled = [
      [900, 920],
      [1500, 1520],
      [1800, 1815],
      [1900, 1910],
    ] as const;
    const { comparedBy, test: figures, rows, notes } = trainQuickly([recordingOf({ labelled })]);
    expect(comparedBy).toBe('labels');
    // All of the first segment and the second, which lie before the test part.
    expect(rows.leftOut).toBe(42);
    expect(notes).toContain('42 rows labelled as anomalies were not learned from');
    expect(figures.averagePrecision).toBeGreaterThan(0.8);
    expect(figures.rocAuc).toBeGreaterThan(0.95);
    expect(figures.events).toMatchObject({ segments: 2, found: 2, recall: 1 });
    expect(figures.falseAlarmsPerDay).toBeLessThan(10);
  });

  test('labels that call nothing an anomaly: every alarm is a false one, and nothing can be ranked', () => {
    const { test: figures, comparedBy } = trainQuickly([recordingOf({ labelled: [] })]);
    expect(comparedBy).toBe('injected faults');
    expect(figures.falseAlarmsPerDay).toBe(figures.alarmsPerDay);
    expect(figures).toMatchObject({ averagePrecision: null, events: null });
    expect(trainQuickly([recordingOf()]).test.falseAlarmsPerDay).toBeNull();
  });

  test('a candidate has to be clearly better than the recipe, which stands first', () => {
    const same = candidate({});
    const { chosen, compared } = trainQuickly([recordingOf()], {
      candidates: [same, candidate({ trees: 3 })],
    });
    const [first, second] = compared;
    const better = (second?.objective ?? 0) > (first?.objective ?? 0) + 0.02;
    expect(chosen).toBe(better ? second : first);
  });

  test('a contamination cuts the score: so many of the training rows are over it', () => {
    const [forest] = candidatesOf({
      ...defaultGrid(['isolation-forest'], 1, 0.02),
      trees: [20],
      rowsPerTree: [64],
    });
    const { model, test: figures } = trainQuickly([recordingOf()], { candidates: [forest as Candidate] });
    expect(model.detector).toBe('isolation-forest');
    expect(model.contamination).toBe(0.02);
    expect(figures.flaggedShare).toBeGreaterThan(0);
    expect(figures.flaggedShare).toBeLessThan(0.2);
  });

  test('several hosts: thresholds of their own, over an artifact and back, under any of their names', () => {
    const hosts = [recordingOf(), recordingOf({ host: 'web-2', seed: 11 })];
    const result = trainQuickly(hosts);
    expect(result.rows).toMatchObject({ read: 4000, test: 600 });
    expect(result.hosts.map(({ host, unlike }) => [host, unlike])).toEqual([
      ['web-1', false],
      ['web-2', false],
    ]);
    const model = decodeModel(encodeModel(result.model));
    const [first, second] = model.hosts;
    expect(first?.thresholds.surprise.info).not.toBe(second?.thresholds.surprise.info);
    expect(calibratedFor(model, 'an-id', 'web-2').thresholds).toEqual(second?.thresholds);
    expect(calibratedFor(model, 'an-id', 'db-1').thresholds).toEqual(model.thresholds);
  });

  test('hosts too unlike for one model are named', () => {
    const { hosts, notes } = trainQuickly([recordingOf(), noiseRecording('odd', 300, 400)]);
    expect(hosts.find(({ host }) => host === 'odd')).toMatchObject({ unlike: true });
    expect(notes.join('\n')).toMatch(/odd is unlike the other hosts: 100 % of its \w+ lies outside/);
  });

  test('progress counts up to its end', () => {
    const steps: number[] = [];
    trainQuickly([recordingOf()], { onProgress: (done, total) => steps.push(done / total) });
    expect(steps).toEqual([0, 1 / 4, 2 / 4, 3 / 4, 1]);
  });

  test('the record of a version: its artifact, what was compared, what it is worth; nothing that JSON loses', () => {
    const result = trainQuickly([recordingOf()]);
    const facts = { files: [], split: DEFAULT_SPLIT, description: 'for tests', durationMs: 12 };
    const { bytes, record } = toRecord(result, facts, 4, '2026-01-02T03:04:05.000Z');
    const model = decodeModel(bytes);
    expect(model.provenance).toMatchObject({ name: 'web', version: '4', seed: 1 });
    expect(record).toMatchObject({
      name: 'web',
      version: 4,
      createdAt: '2026-01-02T03:04:05.000Z',
      sha256: artifactSha256(bytes),
      bytes: bytes.length,
      features: ['cpu', 'memory', 'network'],
      threshold: { by: 'budget', triggers: { surprise: { info: model.thresholds.surprise.info } } },
      rows: { read: 2000 },
    });
    expect(JSON.parse(JSON.stringify(record))).toEqual(record);
  });
});

describe('what can not be trained on', () => {
  const failing = (recordings: Parameters<typeof trainQuickly>[0]): (() => unknown) => {
    return () => trainQuickly(recordings);
  };

  test.each([
    ['nothing', [], /nothing to learn from/],
    ['a few rows', [recordingOf({ rows: 199 })], /web-1: 199 rows, at least 200/],
    ['the same host twice', [recordingOf(), recordingOf()], /two files are of the host web-1/],
    [
      'other columns',
      [recordingOf(), recordingOf({ host: 'b', names: ['cpu', 'memory', 'disk'] })],
      /b has other columns than web-1 \(network\).*--features/,
    ],
    [
      'another interval',
      [recordingOf(), recordingOf({ host: 'b', intervalMs: 5000 })],
      /b was recorded every 5000 ms, web-1 every 60000 ms/,
    ],
  ] as const)('%s', (_what, recordings, message) => {
    expect(failing(recordings)).toThrow(message);
  });

  test('columns that are hardly ever there are left out, and all of them are too many', () => {
    const holes = (...metrics: number[]) => {
      const recording = recordingOf();
      for (const metric of metrics) recording.columns[metric]?.fill(Number.NaN, 500);
      return recording;
    };
    const { model, notes } = trainQuickly([holes(1)]);
    expect(model.schema.map(({ name }) => name)).toEqual(['cpu', 'network']);
    expect(notes).toContain('memory is missing in more than half of the rows and was left out');
    expect(failing([holes(0, 1, 2)])).toThrow(/no column has a number in at least half/);
  });
});
