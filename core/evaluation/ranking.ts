/**
 * How well scores rank labelled rows, whatever the threshold. Rows whose score is not finite or whose label is
 * neither 0 nor 1 are left out. No point adjustment: one flag in a segment does not make the rest of it found.
 */

/** A point of the curve that a falling threshold draws; ties are one point. */
export interface CurvePoint {
  readonly threshold: number;
  readonly truePositives: number;
  readonly falsePositives: number;
}

export interface Ranking {
  readonly positives: number;
  readonly negatives: number;
  /** Area under the ROC curve: how often a labelled row outranks another, ties half. */
  readonly rocAuc: number;
  /** AUC-PR as average precision: sum over thresholds of (recall step x precision), as scikit-learn's. */
  readonly averagePrecision: number;
  /** From the highest threshold to the lowest. */
  readonly curve: readonly CurvePoint[];
}

/** @returns null where one of the two classes is missing: nothing can be ranked then */
export function rank(scores: ArrayLike<number>, labels: ArrayLike<number>): Ranking | null {
  const usable: number[] = [];
  let positives = 0;
  for (let row = 0; row < scores.length; row++) {
    const label = labels[row];
    if (!Number.isFinite(scores[row]) || (label !== 0 && label !== 1)) continue;
    usable.push(row);
    positives += label;
  }
  const negatives = usable.length - positives;
  if (positives === 0 || negatives === 0) return null;
  const order = Uint32Array.from(usable).sort((a, b) => (scores[b] as number) - (scores[a] as number));
  const curve: CurvePoint[] = [];
  let truePositives = 0;
  let rocAuc = 0;
  let averagePrecision = 0;
  let i = 0;
  while (i < order.length) {
    const threshold = scores[order[i] as number] as number;
    const before = truePositives;
    const start = i;
    for (; i < order.length && scores[order[i] as number] === threshold; i++) {
      truePositives += labels[order[i] as number] as number;
    }
    const gained = truePositives - before;
    const falseOnes = i - start - gained;
    rocAuc += falseOnes * (before + gained / 2);
    averagePrecision += gained * (truePositives / i);
    curve.push({ threshold, truePositives, falsePositives: i - truePositives });
  }
  return {
    positives,
    negatives,
    rocAuc: rocAuc / (positives * negatives),
    averagePrecision: averagePrecision / positives,
    curve,
  };
}

/** Labelled runs as [first, last] rows. */
export function segmentsOf(labels: ArrayLike<number>): [number, number][] {
  const found: [number, number][] = [];
  for (let row = 0; row < labels.length; row++) {
    if (labels[row] !== 1) continue;
    const current = found.at(-1);
    if (current !== undefined && current[1] === row - 1) current[1] = row;
    else found.push([row, row]);
  }
  return found;
}

const THRESHOLDS = 250;

/**
 * Volume under the precision-recall surface (Paparrizos et al. 2022, "Volume under the surface"; as TSB-AD computes
 * it): AUC-PR with labels that fade out over half a window before and after each segment, averaged over windows of 0
 * to `buffer` rows, at 250 thresholds evenly spaced among the sorted scores. A fading row counts as labelled, by its
 * weight, only where it is flagged.
 * @param scores finite
 * @param labels 0 or 1 in each row
 * @returns null where no row, or every row, is labelled
 */
export function volumeUnderPr(
  scores: ArrayLike<number>,
  labels: ArrayLike<number>,
  buffer = 100,
): number | null {
  const segments = segmentsOf(labels);
  const rows = scores.length;
  const positives = segments.reduce((sum, [first, last]) => sum + last - first + 1, 0);
  if (positives === 0 || positives === rows) return null;
  const descending = Float64Array.from(scores).sort().reverse();
  const thresholds = Float64Array.from(
    { length: THRESHOLDS },
    (_, k) => descending[Math.floor((k * (rows - 1)) / (THRESHOLDS - 1))] as number,
  );
  // All that a threshold does to a row is decided by the first that flags it: each curve is one pass over the rows.
  const flaggedFrom = Uint8Array.from({ length: rows }, (_, row) =>
    firstReached(thresholds, scores[row] as number),
  );
  const flagged = new Float64Array(THRESHOLDS);
  const inside = new Float64Array(THRESHOLDS);
  flaggedFrom.forEach((k, row) => {
    (flagged[k] as number)++;
    if (labels[row] === 1) (inside[k] as number)++;
  });
  cumulate(flagged);
  cumulate(inside);
  let volume = 0;
  for (let window = 0; window <= buffer; window++) {
    const fading = fadingFlagged(flaggedFrom, segments, labels, window);
    const reached = segmentsReached(flaggedFrom, segments, window >> 1);
    const spans = reached[THRESHOLDS - 1] as number;
    let recallBefore = 0;
    for (let k = 0; k < THRESHOLDS; k++) {
      const found = (inside[k] as number) + (fading[k] as number);
      // Between the labelled rows and those that the fade adds to them.
      const expected = positives + (fading[k] as number) / 2;
      const recall = Math.min(1, found / expected) * ((reached[k] as number) / spans);
      volume += (recall - recallBefore) * (found / (flagged[k] as number));
      recallBefore = recall;
    }
  }
  return volume / (buffer + 1);
}

/** Index of the first of the descending thresholds that x reaches; the last is the lowest score, so there is one. */
function firstReached(thresholds: Float64Array, x: number): number {
  let low = 0;
  let high = thresholds.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((thresholds[middle] as number) > x) low = middle + 1;
    else high = middle;
  }
  return low;
}

function cumulate(counts: Float64Array): void {
  for (let k = 1; k < counts.length; k++) counts[k] = (counts[k] as number) + (counts[k - 1] as number);
}

/** Summed weight of the fading rows that each threshold flags: sqrt(1 - distance/window), at most 1 where two meet. */
function fadingFlagged(
  flaggedFrom: Uint8Array,
  segments: readonly (readonly [number, number])[],
  labels: ArrayLike<number>,
  window: number,
): Float64Array {
  const weights = new Map<number, number>();
  const fade = (row: number, distance: number): void => {
    if (row < 0 || row >= flaggedFrom.length || labels[row] === 1) return;
    weights.set(row, (weights.get(row) ?? 0) + Math.sqrt(1 - distance / window));
  };
  for (const [first, last] of segments) {
    for (let d = 1; d <= window >> 1; d++) {
      fade(first - d, d);
      fade(last + d, d);
    }
  }
  const sums = new Float64Array(THRESHOLDS);
  for (const [row, weight] of weights) {
    (sums[flaggedFrom[row] as number] as number) += Math.min(1, weight);
  }
  cumulate(sums);
  return sums;
}

/** How many segments, widened on both sides and joined where they then overlap, have a flagged row at each threshold. */
function segmentsReached(
  flaggedFrom: Uint8Array,
  segments: readonly (readonly [number, number])[],
  half: number,
): Float64Array {
  const counts = new Float64Array(THRESHOLDS);
  let end = -1;
  let earliest = THRESHOLDS;
  for (const [first, last] of segments) {
    const from = Math.max(0, first - half);
    if (from > end && end >= 0) {
      (counts[earliest] as number)++;
      earliest = THRESHOLDS;
    }
    const to = Math.min(flaggedFrom.length - 1, last + half);
    for (let row = Math.max(from, end + 1); row <= to; row++) {
      const k = flaggedFrom[row] as number;
      if (k < earliest) earliest = k;
    }
    end = to;
  }
  (counts[earliest] as number)++;
  cumulate(counts);
  return counts;
}
