import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { rank, volumeUnderPr } from '../../../core/evaluation/ranking.ts';

/**
 * VUS-PR as Paparrizos et al. 2022 define it and TSB-AD computes it, written out row by row and threshold by threshold,
 * against the fast one.
 */
function bruteForce(scores: readonly number[], labels: readonly number[], buffer: number): number {
  const rows = scores.length;
  const descending = [...scores].sort((a, b) => b - a);
  let sum = 0;
  for (let window = 0; window <= buffer; window++) {
    const half = Math.floor(window / 2);
    const soft = labels.map((label, row) => {
      let weight = label;
      labels.forEach((other, at) => {
        const begins = other === 1 && labels[at - 1] !== 1;
        const ends = other === 1 && labels[at + 1] !== 1;
        if (begins && row < at && at - row <= half) weight += Math.sqrt(1 - (at - row) / window);
        if (ends && row > at && row - at <= half) weight += Math.sqrt(1 - (row - at) / window);
      });
      return Math.min(1, weight);
    });
    // Segments with half a window on both sides; those that share a row are one.
    const spans: { from: number; to: number }[] = [];
    labels.forEach((label, row) => {
      if (label !== 1) return;
      const last = spans.at(-1);
      const begins = labels[row - 1] !== 1;
      const from = Math.max(0, row - half);
      const to = Math.min(rows - 1, row + half);
      if (last !== undefined && (!begins || from <= last.to)) last.to = to;
      else spans.push({ from, to });
    });
    let area = 0;
    let recallBefore = 0;
    for (let k = 0; k < 250; k++) {
      const threshold = descending[Math.floor((k * (rows - 1)) / 249)] as number;
      const flags = scores.map((score) => (score >= threshold ? 1 : 0));
      const counted = soft.map((weight, row) => (labels[row] === 1 ? 1 : weight * (flags[row] as number)));
      const truePositives = counted.reduce(
        (total, weight, row) => total + weight * (flags[row] as number),
        0,
      );
      const labelled = counted.reduce((total, weight) => total + weight, 0);
      const positives = labels.reduce((total, label) => total + label, 0);
      const found = spans.filter(({ from, to }) => flags.slice(from, to + 1).includes(1)).length;
      const recall = Math.min(1, truePositives / ((positives + labelled) / 2)) * (found / spans.length);
      const precision = truePositives / flags.reduce<number>((total, flag) => total + flag, 0);
      area += (recall - recallBefore) * precision;
      recallBefore = recall;
    }
    sum += area;
  }
  return sum / (buffer + 1);
}

/** Rows of a few distinct scores (ties) or many, in runs of labels, at both ends too. */
const examples = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 12 }), fc.boolean()), { minLength: 2, maxLength: 12 })
  .chain((runs) => {
    const labels = runs.flatMap(([length, labelled]) => new Array<number>(length).fill(labelled ? 1 : 0));
    const score = fc.oneof(fc.integer({ min: 0, max: 5 }), fc.double({ min: -5, max: 5, noNaN: true }));
    return fc.record({
      labels: fc.constant(labels),
      scores: fc.array(score, { minLength: labels.length, maxLength: labels.length }),
      buffer: fc.integer({ min: 0, max: 16 }),
    });
  })
  .filter(({ labels }) => labels.includes(0) && labels.includes(1));

describe('volume under the precision-recall surface', () => {
  test('is what its definition says, written out', () => {
    fc.assert(
      fc.property(examples, ({ scores, labels, buffer }) => {
        expect(volumeUnderPr(scores, labels, buffer)).toBeCloseTo(bruteForce(scores, labels, buffer), 12);
      }),
      { numRuns: 60 },
    );
  });

  test('by hand: one labelled row of three, window 2 fades over one row on each side', () => {
    // Descending: row 1 (labelled), row 0, row 2. Windows 0 and 1: recall 1 at precision 1.
    // Window 2: 1/1; then weights of sqrt(1/2) come in: recall stays 1 (capped), so no area is added.
    expect(volumeUnderPr([0.5, 0.9, 0.1], [0, 1, 0], 2)).toBe(1);
    // Row 0 first. Windows 0, 1: precision 1/2 at recall 1. Window 2, w = sqrt(1/2): recall w / (1 + w/2) at
    // precision w, the rest at (1 + w)/2.
    const w = Math.sqrt(1 / 2);
    const first = w / (1 + w / 2);
    const third = first * w + (1 - first) * ((1 + w) / 2);
    expect(volumeUnderPr([0.9, 0.5, 0.1], [0, 1, 0], 2)).toBeCloseTo((1 / 2 + 1 / 2 + third) / 3, 14);
  });

  test('with no window, and fewer rows than thresholds, one segment: the average precision', () => {
    const scores = [3, 1, 4, 1.5, 9, 2.6, 5, 3.5];
    const labels = [0, 0, 1, 1, 1, 0, 0, 0];
    expect(volumeUnderPr(scores, labels, 0)).toBeCloseTo(rank(scores, labels)?.averagePrecision ?? 0, 14);
  });

  test('an alarm just beside a segment counts for something, one far off for nothing', () => {
    const labels = Array.from({ length: 400 }, (_, row) => (row >= 200 && row < 220 ? 1 : 0));
    const at = (row: number): number =>
      volumeUnderPr(
        labels.map((_, i) => (i === row ? 1 : 0)),
        labels,
      ) ?? 0;
    expect(at(190)).toBeGreaterThan(at(100) + 0.01);
    expect(at(210)).toBeGreaterThan(at(190));
    expect(at(100)).toBe(at(20));
  });

  test('nothing labelled, or everything: there is nothing to rank', () => {
    expect(volumeUnderPr([1, 2, 3], [0, 0, 0])).toBeNull();
    expect(volumeUnderPr([1, 2, 3], [1, 1, 1])).toBeNull();
  });
});
