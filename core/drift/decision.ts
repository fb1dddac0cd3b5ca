import { REST_SHARE } from './calibration.ts';
import { stabilityIndex, wasserstein } from './distance.ts';
import { partWeights, statisticOf, TRIM } from './reference.ts';
import { type Significance, significanceOf } from './significance.ts';
import { cellOf } from './sliding-ks.ts';
import type { DriftWindows } from './windows.ts';

/** What a window says of each stream, at one decision. Pure: no memory; core/drift/monitor.ts has that. */

export interface DecisionSettings {
  /** Share of false ones among the streams over their thresholds that Benjamini and Hochberg's procedure allows. */
  readonly falseDiscoveryRate: number;
  /**
   * Least share of the values that must have moved, up and down together (D+ plus D-, Kuiper's V). Not D alone: where
   * values spread to both sides, D is half of what moved.
   */
  readonly leastMoved: number;
}
export const DECISION_DEFAULTS: DecisionSettings = { falseDiscoveryRate: 0.001, leastMoved: 0.1 };

/** `unseen`: training had too little of it to compare windows; `sparse`: too few values in the window. */
export type Unjudged = 'unseen' | 'sparse' | 'stuck' | 'missing';

export interface StreamJudgement extends Significance {
  /** Kolmogorov-Smirnov distance of the window from the reference; NaN where the window is empty. */
  readonly d: number;
  /** D+ plus D-: share of the values that have moved. */
  readonly moved: number;
  /** Where the values went; `shape`: to both sides. */
  readonly direction: 'higher' | 'lower' | 'shape';
  readonly over: boolean;
  /** Wasserstein distance, in the metric's unit, TRIM left out. */
  readonly shift: number;
  /** The same in robust standard deviations of the reference; NaN where it has none. */
  readonly effect: number;
  /** Population stability index. */
  readonly psi: number;
  readonly count: number;
  readonly missingShare: number;
  /** Why it was not judged, or null. */
  readonly unjudged: Unjudged | null;
}

/** Share of the window that must be there. */
const LEAST_FILLED = 0.9;
/** Share of the window that must be values. */
const LEAST_COUNTED = 0.5;
/** By so much the share of missing values may rise. */
const MISSING_RISE = 0.25;
/** A run this many times as long as training's longest, and half a window: the sensor is stuck. */
const STUCK_RUNS = 4;
const LEAST_REFERENCE_WINDOWS = 3;

/** Is there a whole window to judge? Not after a start, and not after the agent had stood still. */
export function isFilled(windows: DriftWindows): boolean {
  const { capacity, count, missing, leftOut } = windows.streams[0] as DriftWindows['streams'][number];
  return count + missing + leftOut >= LEAST_FILLED * capacity;
}

export function judgeWindow(
  windows: DriftWindows,
  settings: DecisionSettings = DECISION_DEFAULTS,
): StreamJudgement[] {
  const { reference } = windows;
  const judgements = Array.from({ length: reference.streams }, (_, stream) =>
    judgeStream(windows, stream, settings),
  );
  const metrics = judgements.slice(0, -1);
  const score = judgements.slice(-1);
  // The score is a question of its own: it moves with every metric.
  const rejected = [...stepUp(metrics, settings), ...stepUp(score, settings)];
  return judgements.map((judgement, stream) => ({
    ...judgement,
    over:
      rejected[stream] === true &&
      judgement.moved >= settings.leastMoved &&
      judgement.shift >= statisticOf(reference, stream, 'leastEffect'),
  }));
}

function judgeStream(windows: DriftWindows, stream: number, settings: DecisionSettings): StreamJudgement {
  const { reference } = windows;
  const live = windows.streams[stream] as DriftWindows['streams'][number];
  const expected = windows.expected(stream);
  const { count, missing } = live;
  const d = windows.distance(stream);
  const [higher, lower] = [live.dLess, live.dGreater];
  const shift = count === 0 ? 0 : wasserstein(expected, live.counts, windows.meanBeyond(stream), TRIM);
  const spread = statisticOf(reference, stream, 'spread');
  const tests = Math.max(1, stream === reference.streams - 1 ? 1 : reference.streams - 1);
  return {
    d,
    moved: higher + lower,
    direction: Math.min(higher, lower) > 0.4 * d ? 'shape' : higher > lower ? 'higher' : 'lower',
    ...significanceOf(
      reference,
      stream,
      { d, shift, count },
      settings.falseDiscoveryRate / tests,
      settings.leastMoved / 2,
    ),
    over: false,
    shift,
    effect: spread > 0 ? shift / spread : Number.NaN,
    psi: count === 0 ? Number.NaN : stabilityIndex(expected.weights, live.counts),
    count,
    missingShare: missing / Math.max(1, missing + count),
    unjudged: whyUnjudged(windows, stream),
  };
}

function whyUnjudged(windows: DriftWindows, stream: number): Unjudged | null {
  const { reference } = windows;
  const { count, missing, capacity, values } = windows.streams[stream] as DriftWindows['streams'][number];
  if (values.length === 0 || statisticOf(reference, stream, 'windows') < LEAST_REFERENCE_WINDOWS) {
    return 'unseen';
  }
  const known = statisticOf(reference, stream, 'missing');
  if (missing / Math.max(1, missing + count) > known + MISSING_RISE) return 'missing';
  if (isStuck(windows, stream)) return 'stuck';
  return count < LEAST_COUNTED * (1 - known) * capacity ? 'sparse' : null;
}

function isStuck(windows: DriftWindows, stream: number): boolean {
  const { reference } = windows;
  const { value, forMs } = windows.standing(stream);
  const longest = statisticOf(reference, stream, 'longestRunMs');
  if (forMs < reference.windowMs / 2 || forMs < STUCK_RUNS * longest) return false;
  if (value === 0 || (windows.streams[stream] as { values: Float64Array }).values.length < 2) return false;
  const weights = partWeights(reference, stream);
  const cell = cellOf((windows.streams[stream] as { values: Float64Array }).values, value);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return cell % 2 === 0 || (weights[cell] as number) < REST_SHARE * total;
}

/** Benjamini and Hochberg 1995: which of the judged streams' p-values are rejected together. */
function stepUp(judgements: readonly Omit<StreamJudgement, 'over'>[], settings: DecisionSettings): boolean[] {
  const ps = judgements.flatMap(({ p, unjudged }) => (unjudged === null ? [p] : [])).sort((a, b) => a - b);
  let limit = -1;
  ps.forEach((p, i) => {
    if (p <= (settings.falseDiscoveryRate * (i + 1)) / ps.length) limit = p;
  });
  return judgements.map(({ p, unjudged }) => unjudged === null && p <= limit);
}
