import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { FeatureReport } from '../../core/protocol/events.ts';
import { explainInWords, type Finding, formatDuration, formatRange, formatValue } from '../../core/words.ts';

describe('values', () => {
  test.each([
    [97.4, 'percent', '97 %'],
    [8.04, 'percent', '8 %'],
    [8.26, 'percent', '8.3 %'],
    [0.333, 'percent', '0.33 %'],
    [0, 'percent', '0 %'],
    [-0.001, 'percent', '0 %'],
    [100, 'percent', '100 %'],
    [12.5, 'perSecond', '13/s'],
    [1.96, 'ratio', '2'],
    [-2.5, 'value', '-2.5'],
    [1234.5, 'value', '1235'],
    [999, 'bytesPerSecond', '999 B/s'],
    [1000, 'bytesPerSecond', '1 kB/s'],
    [1_500_000, 'bytesPerSecond', '1.5 MB/s'],
    [-1500, 'bytesPerSecond', '-1.5 kB/s'],
    [2e9, 'bytesPerSecond', '2 GB/s'],
    [5e15, 'bytesPerSecond', '5000 TB/s'],
  ])('%d %s is %s', (value, unit, text) => {
    expect(formatValue(value, unit)).toBe(text);
  });

  test('what is missing says so', () => {
    expect(formatValue(null, 'percent')).toBe('missing');
    expect(formatRange(null, 3, 'percent')).toBe('unknown');
    expect(formatRange(3, null, 'percent')).toBe('unknown');
  });

  test('a range has one unit, that of its upper end', () => {
    expect(formatRange(8, 31, 'percent')).toBe('8-31 %');
    expect(formatRange(400, 2_000_000, 'bytesPerSecond')).toBe('0-2 MB/s');
    expect(formatRange(4, 4.04, 'percent')).toBe('4 %');
  });

  test('no number ends in a point, in ".0", or is a negative zero', () => {
    fc.assert(
      fc.property(fc.double({ min: -1e12, max: 1e12, noNaN: true }), (x) => {
        expect(formatValue(x, 'value')).toMatch(/^(?:-(?!0$))?\d+(\.\d*[1-9])?$/);
      }),
    );
  });

  test.each([
    [0, '0 s'],
    [119_000, '119 s'],
    [120_000, '2 min'],
    [119 * 60_000, '119 min'],
    [2 * 3_600_000, '2 h'],
    [47 * 3_600_000, '47 h'],
    [72 * 3_600_000, '3 d'],
  ])('%d ms is %s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });
});

const feature = (name: string, value: number | null, more: Partial<FeatureReport> = {}): FeatureReport => ({
  name,
  unit: 'percent',
  value,
  expectedMedian: 12,
  expectedLow: 8,
  expectedHigh: 31,
  robustDeviation: 4,
  direction: 'high',
  contribution: 1,
  inputs: [],
  ...more,
});

const finding = (more: Partial<Finding> = {}): Finding => ({
  state: 'opened',
  trigger: 'surprise',
  features: [feature('cpu', 97), feature('load', 4, { unit: 'ratio', expectedLow: 0.1, expectedHigh: 0.5 })],
  labels: new Map([['cpu', 'CPU']]),
  top: [
    { feature: 'cpu', contribution: 3, share: 0.71 },
    { feature: 'load', contribution: 1, share: 0.2 },
  ],
  durationMs: 125_000,
  ...more,
});

describe('the sentence', () => {
  test.each<[string, Partial<Finding>, string]>([
    [
      'surprise',
      {},
      'A sudden change: CPU 97 % (usually 8-31 %) explains 71 % of this, load 4 (usually 0.1-0.5) 20 %.',
    ],
    [
      'forest, nothing beside the first',
      { trigger: 'forest', top: [{ feature: 'cpu', contribution: 3, share: 0.95 }] },
      'An unusual state: CPU 97 % (usually 8-31 %) explains 95 % of this.',
    ],
    [
      'a second of no weight is left out',
      {
        top: [
          { feature: 'cpu', contribution: 3, share: 0.9 },
          { feature: 'load', contribution: 1, share: 0.09 },
        ],
      },
      'A sudden change: CPU 97 % (usually 8-31 %) explains 90 % of this.',
    ],
    [
      'left its constant',
      { trigger: 'constant', top: [{ feature: 'cpu', contribution: 3, share: 1 }] },
      'CPU 97 % (usually 8-31 %): it never moved in training.',
    ],
    [
      'stuck',
      { trigger: 'stuck', top: [{ feature: 'cpu', contribution: 3, share: 1 }] },
      'CPU stands still at 97 %: the sensor may be stuck.',
    ],
    [
      'stuck, of a metric that is not reported',
      { trigger: 'stuck', top: [{ feature: 'gone', contribution: 3, share: 1 }] },
      'gone stands still at missing: the sensor may be stuck.',
    ],
    [
      'a metric that is not reported',
      { top: [{ feature: 'gone', contribution: 3, share: 1 }] },
      'A sudden change: gone explains 100 % of this.',
    ],
    ['nothing stands out', { top: [] }, 'Unusual as a whole; no single metric stands out.'],
    ['updated', { state: 'updated', top: [] }, 'Unusual as a whole; no single metric stands out.'],
    ['resolved', { state: 'resolved' }, 'Back to normal after 2 min.'],
    ['resolved at once', { state: 'resolved', durationMs: 0 }, 'Back to normal after a single sample.'],
    [
      'invalidated',
      { state: 'invalidated' },
      'Ended unwatched: the agent was away, so when it really ended is not known.',
    ],
  ])('%s', (_, more, sentence) => {
    expect(explainInWords(finding(more))).toBe(sentence);
  });

  test('a missing value, and one without a known range', () => {
    const features = [feature('cpu', null, { expectedLow: null, expectedHigh: null })];
    expect(explainInWords(finding({ features, top: [{ feature: 'cpu', contribution: 1, share: 1 }] }))).toBe(
      'A sudden change: CPU missing (usually unknown) explains 100 % of this.',
    );
  });

  test('names are data: whatever is in them is carried as it is, once, for whoever prints it to escape', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1 }), (name) => {
        const one = finding({
          features: [feature(name, 5)],
          labels: new Map(),
          top: [{ feature: name, contribution: 1, share: 1 }],
        });
        expect(explainInWords(one)).toBe(
          `A sudden change: ${name} 5 % (usually 8-31 %) explains 100 % of this.`,
        );
      }),
    );
    const label = '\u001b[2J$& $1';
    expect(explainInWords(finding({ labels: new Map([['cpu', label]]) }))).toContain(`: ${label} 97 %`);
  });
});
