import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { orderScores, weightedRanking } from '../../../core/evaluation/bootstrap.ts';
import { rank, segmentsOf, volumeUnderPr } from '../../../core/evaluation/ranking.ts';
import { Random } from '../../../core/random.ts';
import { readOracle } from '../../support/oracle.ts';

interface Oracle {
  readonly cases: readonly {
    readonly scores: number[];
    readonly labels: number[];
    readonly rocAuc: number;
    readonly averagePrecision: number;
  }[];
}

const drawn = (rows: number, seed: number): { scores: Float64Array; labels: Uint8Array } => {
  const random = new Random(seed);
  const labels = new Uint8Array(rows);
  for (let at = random.below(40); at < rows; at += 30 + random.below(120)) {
    labels.fill(1, at, at + 1 + random.below(20));
  }
  labels[0] = 0;
  labels[rows - 1] = 1;
  const scores = Float64Array.from(
    labels,
    (label) => Math.round(8 * (random.float() + 0.4 * label * random.float())) / 8,
  );
  return { scores, labels };
};

describe('ranking', () => {
  test('agrees with scikit-learn, ties included', () => {
    const { cases } = readOracle<Oracle>('ranking.json.gz');
    expect(cases).toHaveLength(5);
    for (const { scores, labels, rocAuc, averagePrecision } of cases) {
      const ranking = rank(scores, labels);
      expect(ranking?.rocAuc).toBeCloseTo(rocAuc, 12);
      expect(ranking?.averagePrecision).toBeCloseTo(averagePrecision, 12);
    }
  });

  test('leaves out what has no score or no label, and says nothing of one class', () => {
    expect(rank([1, 2, Number.NaN, 4], [0, 1, 1, 2])).toMatchObject({
      positives: 1,
      negatives: 1,
      rocAuc: 1,
    });
    expect(rank([1, 2], [1, 1])).toBeNull();
    expect(rank([], [])).toBeNull();
  });

  test('weights count a row as often as it was drawn', () => {
    fc.assert(
      fc.property(fc.integer(), fc.array(fc.nat(3), { minLength: 60, maxLength: 60 }), (seed, times) => {
        const { scores, labels } = drawn(60, seed);
        const repeated = times.flatMap((count, row) => new Array<number>(count).fill(row));
        const expected = rank(
          repeated.map((row) => scores[row] as number),
          repeated.map((row) => labels[row] as number),
        );
        const found = weightedRanking(orderScores(scores, labels), times);
        if (expected === null) {
          expect(found).toBeNull();
          return;
        }
        expect(found?.averagePrecision).toBeCloseTo(expected.averagePrecision, 10);
        expect(found?.rocAuc).toBeCloseTo(expected.rocAuc, 10);
      }),
      { numRuns: 200 },
    );
  });

  test('the volume under the PR surface is that of its definition, computed row by row', () => {
    for (const seed of [1, 2]) {
      const { scores, labels } = drawn(250, seed);
      expect(volumeUnderPr(scores, labels, 30)).toBeCloseTo(plainVolume(scores, labels, 30), 10);
    }
  });
});

/** The definition with whole arrays: slow, and written apart from the one it checks. */
function plainVolume(scores: Float64Array, labels: Uint8Array, buffer: number): number {
  const rows = scores.length;
  const falling = Array.from(scores).sort((a, b) => b - a);
  const thresholds = Array.from(
    { length: 250 },
    (_, k) => falling[Math.floor((k * (rows - 1)) / 249)] as number,
  );
  const positives = labels.reduce((sum, label) => sum + label, 0);
  let volume = 0;
  for (let window = 0; window <= buffer; window++) {
    const soft = Float64Array.from(labels);
    for (const [first, last] of segmentsOf(labels)) {
      for (let row = 0; row < rows; row++) {
        const distance = row < first ? first - row : row - last;
        if (distance < 1 || distance > Math.floor(window / 2)) continue;
        soft[row] = (soft[row] as number) + Math.sqrt(1 - distance / window);
      }
    }
    for (let row = 0; row < rows; row++) soft[row] = labels[row] === 1 ? 1 : Math.min(1, soft[row] as number);
    // Segments are one where their buffers overlap; where they only touch, they are two.
    const half = Math.floor(window / 2);
    const spans: [number, number][] = [];
    let from = -1;
    segmentsOf(labels).forEach(([first, last], i, all) => {
      if (from < 0) from = Math.max(0, first - half);
      const next = all[i + 1];
      if (next !== undefined && last + half >= next[0] - half) return;
      spans.push([from, Math.min(rows - 1, last + half)]);
      from = -1;
    });
    let before = 0;
    for (const threshold of thresholds) {
      const flagged = Array.from(scores, (score): number => (score >= threshold ? 1 : 0));
      const found = flagged.reduce((sum, flag, row) => sum + flag * (soft[row] as number), 0);
      const faded = flagged.reduce(
        (sum, flag, row) => sum + (labels[row] === 1 ? 0 : flag * (soft[row] as number)),
        0,
      );
      const existing = spans.filter(([a, b]) => flagged.slice(a, b + 1).includes(1)).length / spans.length;
      const recall = Math.min(1, found / ((positives + positives + faded) / 2)) * existing;
      volume += ((recall - before) * found) / flagged.reduce((sum, flag) => sum + flag, 0);
      before = recall;
    }
  }
  return volume / (buffer + 1);
}
