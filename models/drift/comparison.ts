import { LEAST_SAMPLES } from '../../core/drift/calibration.ts';
import type { StreamJudgement, Unjudged } from '../../core/drift/decision.ts';
import { cellStatistic, stabilityIndex, wasserstein } from '../../core/drift/distance.ts';
import { type KsPValue, ksPValue, ksStatistic } from '../../core/drift/ks.ts';
import { type DriftDecision, DriftMonitor, type DriftPhase, WARN_AFTER } from '../../core/drift/monitor.ts';
import { countCells } from '../../core/drift/reference.ts';
import { driftSeverity } from '../../core/drift/severity.ts';
import { exceedanceOf } from '../../core/drift/significance.ts';
import { sortedFinite } from '../../core/math.ts';
import type { Recording } from '../data/recording.ts';
import { DataError } from '../data/table.ts';
import { see } from '../training/assess.ts';
import { notesOn, whyUndecided } from './notes.ts';
import type { DriftSource, SourceStream } from './source.ts';

/** `steady`, `suspected` (one window), `drifting` (two in a row); or why there is no verdict. */
export type DriftVerdict = DriftPhase | Unjudged | 'undecided';

/** A metric, or the score: all of LIVE against the reference, and what its windows say. */
export interface FeatureDrift {
  readonly name: string;
  readonly unit: string;
  readonly verdict: DriftVerdict;
  /** 1 to 10, of this feature alone; null where no window was judged. */
  readonly severity: number | null;
  /** Kolmogorov-Smirnov distance of all of LIVE; null where either has no values. */
  readonly d: number | null;
  /** As if values were independent of each other, which a host's never are. */
  readonly naive: KsPValue | null;
  readonly direction: StreamJudgement['direction'] | null;
  /** Wasserstein distance in the metric's unit, and in robust standard deviations of the reference. */
  readonly shift: number | null;
  readonly effect: number | null;
  readonly psi: number | null;
  /** Share of LIVE's rows without a value. */
  readonly missing: number;
  /** The window of which D or shift lies farthest beyond its threshold, or nearest to it. */
  readonly farthest: {
    readonly atMs: number;
    readonly d: number;
    readonly threshold: number;
    /** Wasserstein distance in the metric's unit, a twentieth at either end left out; the threshold is infinite where none is known. */
    readonly shift: number;
    readonly shiftThreshold: number;
    readonly p: number;
    readonly over: boolean;
  } | null;
  readonly windowsJudged: number;
  readonly windowsOver: number;
  readonly longestStreak: number;
  readonly source: SourceStream;
  /** LIVE's values, ascending. */
  readonly sorted: Float64Array;
}

export interface DriftComparison {
  readonly features: readonly FeatureDrift[];
  /** One each half window; the streams of a decision are the features, in order. */
  readonly decisions: readonly DriftDecision[];
  readonly verdict: DriftPhase | 'undecided';
  /** The highest of any decision; null: none could be taken. */
  readonly severity: number | null;
  /** When it first was that high. */
  readonly severityAtMs: number | null;
  readonly windowMs: number | null;
  readonly provisional: boolean;
  /** Why there are no decisions; null where there are. */
  readonly undecided: string | null;
  readonly notes: readonly string[];
}

/** @throws DataError where they have no metric in common */
export function compareDrift(source: DriftSource, live: Recording): DriftComparison {
  const absent = new Float64Array(live.timesMs.length).fill(Number.NaN);
  const metrics = source.streams.slice(0, source.model === null ? undefined : -1);
  if (!metrics.some(({ name }) => live.names.includes(name))) {
    throw new DataError(
      `${live.host} has none of the reference's metrics (${metrics.map(({ name }) => name).join(', ')}); it has ${live.names.join(', ')}.`,
    );
  }
  const columns = metrics.map(({ name }) => live.columns[live.names.indexOf(name)] ?? absent);
  const scores = source.model === null ? null : scoresOf(source, live, columns);
  const decisions = decide(source, live, columns, scores ?? absent);
  const judged = decisions.filter(({ unjudged }) => unjudged === null);
  const features = source.streams.map((stream, i) =>
    featureOf(stream, columns[i] ?? scores ?? absent, i, judged),
  );
  let worst: DriftDecision | null = null;
  for (const one of judged) if (worst === null || one.severity > worst.severity) worst = one;
  const phases = new Set(judged.map(({ phase }) => phase));
  return {
    features,
    decisions,
    verdict: (['drifting', 'suspected', 'steady'] as const).find((phase) => phases.has(phase)) ?? 'undecided',
    severity: worst?.severity ?? null,
    severityAtMs: worst?.atMs ?? null,
    windowMs: source.reference?.windowMs ?? null,
    provisional: worst?.provisional ?? false,
    undecided: worst === null ? whyUndecided(source, live) : null,
    notes: notesOn(source, live, decisions),
  };
}

function scoresOf({ model }: DriftSource, live: Recording, columns: readonly Float64Array[]): Float64Array {
  if (model === null) throw new RangeError('scoresOf: no model');
  const recording = { ...live, names: model.schema.map(({ name }) => name), columns };
  return see(model, { host: live.host, recording, from: 0 }).observed.scores;
}

function decide(
  { reference }: DriftSource,
  { timesMs, intervalMs }: Recording,
  columns: readonly Float64Array[],
  scores: Float64Array,
): DriftDecision[] {
  if (reference === null || LEAST_SAMPLES * intervalMs > reference.windowMs) return [];
  const monitor = new DriftMonitor(reference, intervalMs, '');
  const decisions: DriftDecision[] = [];
  const values = new Float64Array(columns.length);
  const update = (timeMs: number, row: number): void => {
    for (let m = 0; m < columns.length; m++) values[m] = columns[m]?.[row] ?? Number.NaN;
    const score = scores[row] ?? Number.NaN;
    decisions.push(...monitor.update({ timeMs, values, score, inIncident: false }));
  };
  for (let row = 0; row < timesMs.length; row++) update(timesMs[row] as number, row);
  // A slot is complete when the next begins: the last row's, which may complete a window, too.
  if (timesMs.length > 0) update((timesMs.at(-1) as number) + intervalMs, timesMs.length);
  return decisions;
}

function featureOf(
  source: SourceStream,
  column: Float64Array,
  stream: number,
  judged: readonly DriftDecision[],
): FeatureDrift {
  const sorted = sortedFinite(column);
  const missing = column.length === 0 ? 0 : 1 - sorted.length / column.length;
  const { name, unit } = source;
  return { name, unit, ...whole(source, sorted), missing, ...overTime(judged, stream), source, sorted };
}

function whole(
  { sorted: before, cells, values, spread }: SourceStream,
  sorted: Float64Array,
): Pick<FeatureDrift, 'd' | 'naive' | 'direction' | 'shift' | 'effect' | 'psi'> {
  if (values === 0 || cells.values.length === 0 || sorted.length === 0) {
    return { d: null, naive: null, direction: null, shift: null, effect: null, psi: null };
  }
  const counts = countCells(sorted, cells.values);
  const statistic =
    before === null
      ? { ...cellStatistic(cells.weights, counts), n: values, m: sorted.length }
      : ksStatistic(before, sorted);
  const { d, dGreater, dLess } = statistic;
  const shift = wasserstein(cells, counts, meanBeyond(cells.values, sorted));
  return {
    d,
    naive: ksPValue(statistic),
    // The reference's distribution function lies above: live values are larger.
    direction: Math.min(dGreater, dLess) > 0.4 * d ? 'shape' : dGreater > dLess ? 'higher' : 'lower',
    shift,
    effect: spread > 0 ? shift / spread : null,
    psi: stabilityIndex(cells.weights, counts),
  };
}

/** How far values lie outside of the knots, on average over all. */
function meanBeyond(knots: Float64Array, sorted: Float64Array): number {
  const [low, high] = [knots[0] as number, knots.at(-1) as number];
  let sum = 0;
  for (const x of sorted) sum += Math.max(0, low - x, x - high);
  return sum / sorted.length;
}

function overTime(
  judged: readonly DriftDecision[],
  stream: number,
): Pick<
  FeatureDrift,
  'verdict' | 'severity' | 'farthest' | 'windowsJudged' | 'windowsOver' | 'longestStreak'
> {
  let severity: number | null = null;
  let farthest: FeatureDrift['farthest'] = null;
  let [windowsJudged, windowsOver, streak, longestStreak] = [0, 0, 0, 0];
  let why: Unjudged | null = null;
  for (const { atMs, streams } of judged) {
    const judgement = streams[stream] as StreamJudgement;
    const { d, threshold, shift, shiftThreshold, p, over, unjudged } = judgement;
    streak = over ? streak + 1 : 0;
    if (unjudged !== null) {
      why = unjudged;
      continue;
    }
    windowsJudged++;
    if (over) windowsOver++;
    longestStreak = Math.max(longestStreak, streak);
    const exceedance = exceedanceOf(judgement);
    if (farthest === null || exceedance > exceedanceOf(farthest))
      farthest = { atMs, d, threshold, shift, shiftThreshold, p, over };
    // Of one feature: the share of the others has no part in it.
    severity = Math.max(severity ?? 1, driftSeverity({ exceedance, share: 0, persistence: streak }));
  }
  const verdict =
    longestStreak >= WARN_AFTER
      ? 'drifting'
      : longestStreak > 0
        ? 'suspected'
        : // A sensor that was stuck or silent at some time is told, if nothing worse is.
          (why ?? (windowsJudged > 0 ? 'steady' : 'undecided'));
  return { verdict, severity, farthest, windowsJudged, windowsOver, longestStreak };
}
