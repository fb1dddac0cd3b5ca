import { quantileSorted, sortedFinite } from '../math.ts';
import type { Random } from '../random.ts';

/**
 * Circular block bootstrap (Politis and Romano 1992): what would the figures have been on another stretch of time of
 * the same host? Blocks of consecutive rows are drawn with replacement, so that what hangs together stays together;
 * two models are compared on the same draws.
 */

/** How often each row was drawn; `rows` in all, in blocks of `length` rows that wrap around the end. */
export function drawBlocks(rows: number, length: number, random: Random, weights: Float64Array): void {
  weights.fill(0);
  let left = rows;
  while (left > 0) {
    const first = random.below(rows);
    const taken = Math.min(length, left);
    for (let i = 0; i < taken; i++) {
      const row = (first + i) % rows;
      weights[row] = (weights[row] as number) + 1;
    }
    left -= taken;
  }
}

/** Scores and labels in falling order of score, so that a weighted ranking takes one pass. */
export interface OrderedScores {
  readonly order: Uint32Array;
  readonly scores: Float64Array;
  readonly labels: Uint8Array;
}

/** Rows whose label is neither 0 nor 1, or whose score is not finite, are left out. */
export function orderScores(scores: Float64Array, labels: Uint8Array): OrderedScores {
  const order = Uint32Array.from({ length: scores.length }, (_, row) => row)
    .filter((row) => (labels[row] as number) < 2 && Number.isFinite(scores[row]))
    .sort((a, b) => (scores[b] as number) - (scores[a] as number));
  return { order, scores, labels };
}

/** As `rank` in ranking.ts, each row counted by its weight; null where a class is missing. */
export function weightedRanking(
  { order, scores, labels }: OrderedScores,
  weights: ArrayLike<number>,
): { readonly averagePrecision: number; readonly rocAuc: number } | null {
  let positives = 0;
  let negatives = 0;
  let rocSum = 0;
  let precisionSum = 0;
  let i = 0;
  while (i < order.length) {
    const threshold = scores[order[i] as number] as number;
    let gained = 0;
    let falseOnes = 0;
    for (; i < order.length && scores[order[i] as number] === threshold; i++) {
      const row = order[i] as number;
      if (labels[row] === 1) gained += weights[row] as number;
      else falseOnes += weights[row] as number;
    }
    rocSum += falseOnes * (positives + gained / 2);
    positives += gained;
    negatives += falseOnes;
    if (gained > 0) precisionSum += (gained * positives) / (positives + negatives);
  }
  if (positives === 0 || negatives === 0) return null;
  return { averagePrecision: precisionSum / positives, rocAuc: rocSum / (positives * negatives) };
}

export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** Percentile interval of the draws that are finite; null of fewer than 20. @param level 0.95 */
export function percentileInterval(draws: ArrayLike<number>, level: number): Interval | null {
  const sorted = sortedFinite(draws);
  if (sorted.length < 20) return null;
  return {
    low: quantileSorted(sorted, (1 - level) / 2),
    high: quantileSorted(sorted, (1 + level) / 2),
  };
}
