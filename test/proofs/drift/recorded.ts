import { isProvisional } from '../../../core/drift/reference.ts';
import { KNOWN, loadSeries } from '../alarms/series.ts';
import { type Columns, decide, delayMs, fitColumns } from './run.ts';

/** The developers' real series: the training part held against itself, as it is and shifted. */

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;

export interface RecordedFigures {
  readonly set: string;
  readonly series: string;
  readonly referenceDays: number;
  readonly liveDays: number;
  readonly windowHours: number;
  readonly provisional: boolean;
  readonly warned: boolean;
  /** Metrics over their thresholds when it first warned. */
  readonly over: readonly string[];
  readonly requested: boolean;
  /** Decisions over the live part, and those with anything over. */
  readonly decisions: number;
  readonly decisionsOver: number;
  /** Metrics that vary, and how many of them are warned of after a shift. */
  readonly metrics: number;
  readonly caught1Within72h: number;
  readonly caught2Within36h: number;
}

export function recorded(): RecordedFigures[] {
  return KNOWN.map((known) => {
    const series = loadSeries(known);
    const { testFrom } = series;
    const trainMs = testFrom * series.intervalMs;
    const perDay = DAY_MS / series.intervalMs;
    // A fortnight where there is as much again; else the first three fifths.
    const referenceMs = trainMs >= 28 * DAY_MS ? 14 * DAY_MS : 0.6 * trainMs;
    const split = Math.floor(referenceMs / series.intervalMs);
    const columns: Columns = {
      columns: series.values,
      startMs: series.timesMs[0] as number,
      intervalMs: series.intervalMs,
    };
    const fitted = fitColumns(columns, 0, split);
    const quiet = decide(columns, fitted, split, testFrom);
    const first = quiet.find(({ phase }) => phase === 'drifting');
    const { windowMs } = fitted.reference;
    // The window must be full before the shift, to tell it from what was there before.
    const onsetMs = columns.startMs + referenceMs + Math.min(1.5 * windowMs, (trainMs - referenceMs) / 4);
    const varying = series.columns.flatMap((_, m) => (fitted.score.sd(m) > 0 ? [m] : []));
    const caught = (sds: number, withinMs: number): number =>
      varying.filter((m) => {
        const shift = sds * fitted.score.sd(m);
        const decisions = decide(
          columns,
          fitted,
          split,
          Math.min(testFrom, Math.ceil((onsetMs - columns.startMs + withinMs) / series.intervalMs) + 1),
          (values) => {
            values[m] = (values[m] as number) + shift;
          },
          onsetMs,
        );
        const delay = delayMs(
          decisions,
          onsetMs,
          ({ phase, streams }) => phase === 'drifting' && streams[m]?.over === true,
        );
        return delay !== null && delay <= withinMs;
      }).length;
    return {
      set: series.set,
      series: series.name,
      referenceDays: Math.round((10 * split) / perDay) / 10,
      liveDays: Math.round((10 * (testFrom - split)) / perDay) / 10,
      windowHours: windowMs / HOUR_MS,
      provisional: isProvisional(fitted.reference),
      warned: first !== undefined,
      over: (first?.streams ?? []).flatMap(({ over }, m) => (over ? [series.columns[m] ?? 'score'] : [])),
      requested: quiet.some(({ retrain }) => retrain),
      decisions: quiet.filter(({ unjudged }) => unjudged === null).length,
      decisionsOver: quiet.filter(({ streams }) => streams.some(({ over }) => over)).length,
      metrics: varying.length,
      caught1Within72h: caught(1, 72 * HOUR_MS),
      caught2Within36h: caught(2, 36 * HOUR_MS),
    };
  });
}
