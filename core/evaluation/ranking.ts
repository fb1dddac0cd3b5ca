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
 * Volume under the precision-recall surface (Paparrizos et al. 2022, "Volume under the surface"): AUC-PR with labels
 * that fade out over a buffer before and after each segment, averaged over buffers of 0 to `buffer` rows.
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
  const flagged = thresholds.map((threshold) => countAtLeast(descending, threshold));
  let volume = 0;
  for (let window = 0; window <= buffer; window++) {
    volume += areaWithBuffer(scores, segments, positives, thresholds, flagged, window);
  }
  return volume / (buffer + 1);
}

function countAtLeast(descending: Float64Array, threshold: number): number {
  let low = 0;
  let high = descending.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((descending[middle] as number) >= threshold) low = middle + 1;
    else high = middle;
  }
  return low;
}

function areaWithBuffer(
  scores: ArrayLike<number>,
  segments: readonly (readonly [number, number])[],
  positives: number,
  thresholds: Float64Array,
  flagged: Float64Array,
  window: number,
): number {
  const half = window >> 1;
  const weights = new Map<number, number>();
  const fade = (row: number, distance: number): void => {
    if (row < 0 || row >= scores.length) return;
    weights.set(row, Math.min(1, (weights.get(row) ?? 0) + Math.sqrt(1 - distance / window)));
  };
  for (const [first, last] of segments) {
    for (let d = 1; d <= half; d++) {
      fade(first - d, d);
      fade(last + d, d);
    }
  }
  const inside = segments.flatMap(([first, last]) => {
    for (let row = first; row <= last; row++) weights.delete(row);
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
  const spans = joined(segments, half, scores.length);
  const around = Array.from(weights);
  let area = 0;
  let recallBefore = 0;
  for (let k = 0; k < thresholds.length; k++) {
    const threshold = thresholds[k] as number;
    let found = 0;
    for (const row of inside) if ((scores[row] as number) >= threshold) found++;
    let labelled = positives;
    for (const [row, weight] of around) {
      if ((scores[row] as number) < threshold) continue;
      found += weight;
      labelled += weight;
    }
    const existing = spans.filter(([first, last]) => reached(scores, first, last, threshold)).length;
    const recall = Math.min(1, found / ((positives + labelled) / 2)) * (existing / spans.length);
    area += (recall - recallBefore) * (found / (flagged[k] as number));
    recallBefore = recall;
  }
  return area;
}

/** Segments with their buffers, those that touch made one. */
function joined(
  segments: readonly (readonly [number, number])[],
  half: number,
  rows: number,
): [number, number][] {
  const out: [number, number][] = [];
  for (const [first, last] of segments) {
    const from = Math.max(0, first - half);
    const to = Math.min(rows - 1, last + half);
    const current = out.at(-1);
    if (current !== undefined && from <= current[1]) current[1] = to;
    else out.push([from, to]);
  }
  return out;
}

function reached(scores: ArrayLike<number>, first: number, last: number, threshold: number): boolean {
  for (let row = first; row <= last; row++) if ((scores[row] as number) >= threshold) return true;
  return false;
}
