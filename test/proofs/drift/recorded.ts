import { type DriftDecision, WARN_AFTER } from '../../../core/drift/monitor.ts';
import { distanceOf, isProvisional } from '../../../core/drift/reference.ts';
import { exceedanceOf } from '../../../core/drift/significance.ts';
import { quantileSorted, sortedFinite } from '../../../core/math.ts';
import { KNOWN, loadSeries, type Series } from '../alarms/series.ts';
import { type Columns, decide, type Fitted, fitColumns } from './run.ts';
import { DAY_MS, HOUR_MS } from './simulated.ts';

/**
 * The developers' real series, each training part held against itself: in full (live is what the reference is of, so that nothing has
 * drifted), and in time (live is what came after the reference: the host may have moved). As it is, and with each of its
 * varying metrics shifted in turn.
 */

/** Standard deviations of the reference. */
export const SHIFTS = [1, 2, 3, 4, 6, 8];
const CAUGHT_WITHIN_MS = 72 * HOUR_MS;
const QUARTILES = [0.5, 0.75, 0.25];

/** A metric, or the score, that was over at two decisions in a row: its farthest window. */
export interface Moved {
  readonly stream: string;
  /** Since the series began. */
  readonly untilDays: number;
  readonly d: number;
  readonly threshold: number;
  readonly shift: number;
  readonly shiftThreshold: number;
  /** A quartile of the window, and the least and largest that windows of the reference have; null: none is outside of those. */
  readonly outside: {
    readonly quartile: number;
    readonly value: number;
    readonly seen: [number, number];
  } | null;
}

export interface MetricFigures {
  readonly metric: string;
  /** Mean Wasserstein distance of a reference window from the others, in the standard deviations that shifts are given in. */
  readonly daysApart: number;
  /** Of each onset the least of the shifts that is warned of within 72 h; null: none. Left out where it had moved by itself. */
  readonly leastCaught: readonly (number | null)[];
  /** Of them told as a stuck sensor, not as drift. */
  readonly toldAsStuck: number;
}

export interface RecordedFigures {
  readonly set: string;
  readonly series: string;
  readonly protocol: 'itself' | 'in time';
  readonly referenceDays: number;
  readonly liveDays: number;
  readonly windowHours: number;
  readonly provisional: boolean;
  readonly warned: boolean;
  readonly requested: boolean;
  readonly decisions: number;
  readonly decisionsOver: number;
  readonly moved: readonly Moved[];
  readonly metrics: readonly MetricFigures[];
}

export function* recorded(): Generator<RecordedFigures> {
  for (const known of KNOWN) {
    const series = loadSeries(known);
    yield hold(series, 0, series.testFrom);
    const trainMs = series.testFrom * series.intervalMs;
    // A fortnight where there is as much again; else the first three fifths.
    const referenceMs = trainMs >= 28 * DAY_MS ? 14 * DAY_MS : 0.6 * trainMs;
    const split = Math.floor(referenceMs / series.intervalMs);
    yield hold(series, split, split);
  }
}

/** @param from first live row @param split first row that the reference is not of */
function hold(series: Series, from: number, split: number): RecordedFigures {
  const { intervalMs, testFrom: to } = series;
  const columns: Columns = {
    columns: series.values,
    startMs: series.timesMs[0] as number,
    intervalMs,
  };
  const fitted = fitColumns(columns, 0, split);
  const { reference } = fitted;
  const quiet = decide(columns, fitted, from, to);
  const days = (rows: number): number => Math.round((10 * rows * intervalMs) / DAY_MS) / 10;
  const varying = series.columns.flatMap((_, m) => (fitted.score.sd(m) > 0 ? [m] : []));
  const onsets = onsetsBetween(from * intervalMs, to * intervalMs, reference.windowMs);
  return {
    set: series.set,
    series: series.name,
    protocol: from === 0 ? 'itself' : 'in time',
    referenceDays: days(split),
    liveDays: days(to - from),
    windowHours: reference.windowMs / HOUR_MS,
    provisional: isProvisional(reference),
    warned: quiet.some(({ phase }) => phase === 'drifting'),
    requested: quiet.some(({ retrain }) => retrain),
    decisions: quiet.filter(({ unjudged }) => unjudged === null).length,
    decisionsOver: quiet.filter(({ streams }) => streams.some(({ over }) => over)).length,
    moved: movedOf(series, columns, fitted, quiet, split),
    metrics: varying.map((m) => {
      const tried = onsets.flatMap((sinceMs) => {
        const onsetMs = columns.startMs + sinceMs;
        if (toldOf(quiet, m, onsetMs) !== null) return [];
        return [leastCaught(columns, fitted, m, { onsetMs, from, to })];
      });
      return {
        metric: series.columns[m] as string,
        daysApart: distanceOf(reference, m, 'meanShift') / fitted.score.sd(m),
        leastCaught: tried.map(({ least }) => least),
        toldAsStuck: tried.filter(({ as }) => as === 'stuck').length,
      };
    }),
  };
}

/** Up to three, so that the window is full before and 72 h follow, as far as there is time for that. */
function onsetsBetween(fromMs: number, toMs: number, windowMs: number): number[] {
  const first = fromMs + Math.min(1.5 * windowMs, (toMs - fromMs) / 4);
  const last = Math.max(first, toMs - CAUGHT_WITHIN_MS);
  return [...new Set([first, (first + last) / 2, last])];
}

function leastCaught(
  columns: Columns,
  fitted: Fitted,
  m: number,
  { onsetMs, from, to }: { readonly onsetMs: number; readonly from: number; readonly to: number },
): { least: number | null; as: 'drift' | 'stuck' | null } {
  const { startMs, intervalMs } = columns;
  const rowOf = (timeMs: number): number => Math.ceil((timeMs - startMs) / intervalMs);
  const first = Math.max(from, rowOf(onsetMs - 1.5 * fitted.reference.windowMs));
  const end = Math.min(to, rowOf(onsetMs + CAUGHT_WITHIN_MS) + 1);
  for (const sds of SHIFTS) {
    const shift = sds * fitted.score.sd(m);
    const shifted = (values: Float64Array): void => {
      values[m] = (values[m] as number) + shift;
    };
    const as = toldOf(decide(columns, fitted, first, end, shifted, onsetMs), m, onsetMs);
    if (as !== null) return { least: sds, as };
  }
  return { least: null, as: null };
}

/** How a metric is told of within 72 h, if it is. */
function toldOf(decisions: readonly DriftDecision[], m: number, onsetMs: number): 'drift' | 'stuck' | null {
  const soon = decisions.filter(({ atMs }) => atMs > onsetMs && atMs <= onsetMs + CAUGHT_WITHIN_MS);
  if (soon.some(({ phase, streams }) => phase === 'drifting' && streams[m]?.over === true)) return 'drift';
  const isStuck = ({ faults }: DriftDecision): boolean =>
    faults.some(({ fault, stream }) => fault === 'stuck' && stream === m);
  return soon.some(isStuck) ? 'stuck' : null;
}

function movedOf(
  series: Series,
  columns: Columns,
  { reference, score }: Fitted,
  decisions: readonly DriftDecision[],
  split: number,
): Moved[] {
  const { startMs, intervalMs } = columns;
  const perWindow = Math.round(reference.windowMs / intervalMs);
  return Array.from({ length: reference.streams }, (_, stream) => stream).flatMap((stream) => {
    let [streak, longest] = [0, 0];
    let [farthest, atMs] = [0, 0];
    for (const decision of decisions) {
      const judgement = decision.streams[stream];
      streak = judgement?.over === true ? streak + 1 : 0;
      longest = Math.max(longest, streak);
      if (judgement?.over !== true || exceedanceOf(judgement) <= farthest) continue;
      farthest = exceedanceOf(judgement);
      atMs = decision.atMs;
    }
    const judgement = decisions.find((decision) => decision.atMs === atMs)?.streams[stream];
    if (longest < WARN_AFTER || judgement === undefined) return [];
    const column =
      series.values[stream] ??
      Float64Array.from({ length: series.testFrom }, (_, row) =>
        score.of(series.values.map((values) => values[row] as number)),
      );
    const sortedWindow = (untilRow: number): Float64Array =>
      sortedFinite(column.subarray(Math.max(0, untilRow - perWindow), untilRow));
    const seen: Float64Array[] = [];
    for (let until = perWindow; until <= split; until += perWindow / 2) seen.push(sortedWindow(until));
    const live = sortedWindow(Math.round((atMs - startMs) / intervalMs));
    const outside = QUARTILES.map((quartile) => {
      const before = seen.map((sorted) => quantileSorted(sorted, quartile));
      const value = quantileSorted(live, quartile);
      return { quartile, value, seen: [Math.min(...before), Math.max(...before)] as [number, number] };
    }).find(({ value, seen: [low, high] }) => value < low || value > high);
    const { d, threshold, shift, shiftThreshold } = judgement;
    return [
      {
        stream: series.columns[stream] ?? 'score',
        untilDays: Math.round((10 * (atMs - startMs)) / DAY_MS) / 10,
        d,
        threshold,
        shift,
        shiftThreshold,
        outside: outside ?? null,
      },
    ];
  });
}

/** Onsets at which a shift of so many standard deviations is told of, and all. */
export function caught(figures: readonly RecordedFigures[], sds: number): { caught: number; of: number } {
  const least = figures.flatMap(({ metrics }) => metrics.flatMap((metric) => metric.leastCaught));
  return { caught: least.filter((each) => each !== null && each <= sds).length, of: least.length };
}
