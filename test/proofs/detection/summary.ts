import type { DetectorKind } from '../../../core/model.ts';
import type { Reference } from '../alarms/series.ts';
import type { BudgetName, Events, Judged } from './judge.ts';
import { REFERENCE_AVERAGE_PRECISION, REFERENCE_F1_AT_ONE_A_WEEK } from './reference.ts';

/** One detector on one series, with each seed. */
export interface Row {
  readonly set: string;
  readonly series: string;
  readonly detector: DetectorKind;
  readonly runs: readonly Judged[];
  readonly reference: Reference;
}

export const mean = (values: readonly number[]): number =>
  values.reduce((sum, x) => sum + x, 0) / Math.max(1, values.length);
const spread = (values: readonly number[]): number => {
  const middle = mean(values);
  return Math.sqrt(mean(values.map((x) => (x - middle) ** 2)));
};

export interface RankingMeans {
  readonly averagePrecision: number;
  readonly vusPr: number;
  readonly rocAuc: number;
}
const RANKINGS = ['averagePrecision', 'vusPr', 'rocAuc'] as const;
type EventNumbers = Omit<Events, 'days'>;
const EVENT_FIGURES = [
  'recall',
  'precision',
  'f1',
  'notificationsPerDay',
  'falsePerDay',
  'flaggedShare',
] as const satisfies readonly (keyof EventNumbers)[];

export type MeanEvents = Readonly<Record<(typeof EVENT_FIGURES)[number], number>> & {
  readonly delayMs: number | null;
};

export interface Means extends RankingMeans {
  readonly events: Readonly<Record<BudgetName, MeanEvents>>;
  readonly guarded: Readonly<Record<BudgetName, MeanEvents>>;
}

export function meansOf(runs: readonly Judged[]): Means {
  const over = (of: (run: Judged) => Events): MeanEvents => {
    const delays = runs.flatMap((run) => of(run).delayMs ?? []);
    return {
      ...(Object.fromEntries(
        EVENT_FIGURES.map((figure) => [figure, mean(runs.map((run) => of(run)[figure]))]),
      ) as Record<(typeof EVENT_FIGURES)[number], number>),
      delayMs: delays.length === 0 ? null : mean(delays),
    };
  };
  const byBudget = (kind: 'events' | 'guarded'): Record<BudgetName, MeanEvents> => ({
    day: over((run) => run[kind].day),
    week: over((run) => run[kind].week),
  });
  const [averagePrecision, vusPr, rocAuc] = RANKINGS.map((figure) => mean(runs.map((run) => run[figure])));
  return {
    averagePrecision: averagePrecision as number,
    vusPr: vusPr as number,
    rocAuc: rocAuc as number,
    events: byBudget('events'),
    guarded: byBudget('guarded'),
  };
}

/** The recipe's, of metric-forests; null where none is known. */
const referenceOf = ({ set, series, detector }: Row): number | null =>
  detector === 'metric-forests' ? (REFERENCE_AVERAGE_PRECISION[`${set} ${series}`] ?? null) : null;

/** A series as it is kept: means over the seeds, and how far the seeds lie apart. */
export function seriesResult(row: Row) {
  return {
    set: row.set,
    series: row.series,
    detector: row.detector,
    prevalence: row.runs[0]?.prevalence ?? 0,
    modelBytes: mean(row.runs.map(({ modelBytes }) => modelBytes)),
    ...meansOf(row.runs),
    averagePrecisionSpread: spread(row.runs.map(({ averagePrecision }) => averagePrecision)),
    f1Spread: spread(row.runs.map(({ guarded }) => guarded.day.f1)),
    reference: {
      averagePrecision: referenceOf(row),
      guardedAtOneADay: row.reference,
    },
  };
}

/** What metric-forests' means over a set have to reach: some hundredths below what was measured, for the seed. */
export interface Floors {
  readonly averagePrecision: number;
  readonly vusPr: number;
  /** At one alarm a day, with the guard. */
  readonly f1: number;
  readonly mostFalsePerDay: number;
}

export interface SetResult {
  readonly set: string;
  readonly detector: DetectorKind;
  readonly series: number;
  readonly means: Means;
  readonly reference: {
    readonly averagePrecision: number | null;
    readonly f1AtOneADay: number;
    readonly f1AtOneAWeek: number | null;
  };
  readonly missed: readonly string[];
}

export function setResult(rows: readonly Row[], floors: Floors | undefined): SetResult {
  const { set, detector } = rows[0] as Row;
  const means = meansOf(rows.flatMap(({ runs }) => runs));
  const known = rows.map(referenceOf).filter((x) => x !== null);
  const missed: string[] = [];
  const least = (what: string, value: number, floor: number): void => {
    if (!(value >= floor)) missed.push(`${what} ${value.toFixed(3)}, at least ${floor}`);
  };
  if (detector === 'metric-forests' && floors !== undefined) {
    least('AUC-PR', means.averagePrecision, floors.averagePrecision);
    least('VUS-PR', means.vusPr, floors.vusPr);
    least('event F1', means.guarded.day.f1, floors.f1);
    least('-false alarms a day', -means.guarded.day.falsePerDay, -floors.mostFalsePerDay);
  }
  return {
    set,
    detector,
    series: rows.length,
    means,
    reference: {
      averagePrecision: known.length === rows.length ? mean(known) : null,
      f1AtOneADay: mean(rows.map(({ reference }) => reference.f1)),
      f1AtOneAWeek: REFERENCE_F1_AT_ONE_A_WEEK[set] ?? null,
    },
    missed,
  };
}
