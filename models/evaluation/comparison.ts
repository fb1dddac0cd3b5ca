import {
  drawBlocks,
  type Interval,
  type OrderedScores,
  orderScores,
  percentileInterval,
  weightedRanking,
} from '../../core/evaluation/bootstrap.ts';
import { notificationsOf } from '../../core/evaluation/events.ts';
import { DECISIVE_FAULTS } from '../../core/evaluation/faults.ts';
import { notificationRule } from '../../core/evaluation/observe.ts';
import { segmentsOf } from '../../core/evaluation/ranking.ts';
import type { Model } from '../../core/model.ts';
import { Random } from '../../core/random.ts';
import { judgeFaults, type Seen } from '../training/assess.ts';

export const DRAWS = 1000;
export const LEVEL = 0.95;
const DAY_MS = 86_400_000;
/** A file shorter than so many days is cut into so many blocks. */
const BLOCKS_LEAST = 10;
/** Fewer of these, and the intervals of what they decide are narrower than they should be. */
const SEGMENTS_ENOUGH = 10;

export type ComparedMeasure =
  | 'averagePrecision'
  | 'rocAuc'
  | 'eventF1'
  | 'falseAlarmsPerDay'
  | 'alarmsPerDay'
  | 'injectedRecall';

export type Outcome = 'better' | 'worse' | 'no difference shown';

export interface Difference extends Interval {
  readonly measure: ComparedMeasure;
  readonly value: number;
  readonly other: number;
  readonly difference: number;
  readonly higherIsBetter: boolean;
  readonly outcome: Outcome;
}

export interface Comparison {
  readonly differences: readonly Difference[];
  readonly outcome: Outcome | 'better in some, worse in other measures';
  /** One sentence. */
  readonly verdict: string;
  readonly draws: number;
  readonly level: number;
  readonly notes: readonly string[];
}

/** The same rows, as two models saw them. */
export interface Sides {
  readonly model: Model;
  readonly seen: readonly Seen[];
}

const LOWER_IS_BETTER: ReadonlySet<ComparedMeasure> = new Set(['alarmsPerDay', 'falseAlarmsPerDay']);

/** Paired: both models on the same draws. Deterministic for a seed. */
export function compareModels(
  one: Sides,
  two: Sides,
  deviations: ArrayLike<number>,
  seed: number,
): Comparison {
  const a = prepare(one.seen);
  const b = prepare(two.seen);
  const random = new Random(seed);
  const measures = a.labelled
    ? (['averagePrecision', 'rocAuc', 'eventF1', 'falseAlarmsPerDay', 'alarmsPerDay'] as const)
    : (['alarmsPerDay'] as const);
  const draws = measures.map(() => new Float64Array(DRAWS).fill(Number.NaN));
  const weights = new Float64Array(a.rows);
  for (let draw = 0; draw < DRAWS; draw++) {
    for (const { from, to, block } of a.files) {
      drawBlocks(to - from, block, random, weights.subarray(from, to));
    }
    const [mine, others] = [figures(a, weights), figures(b, weights)];
    measures.forEach((measure, m) => {
      (draws[m] as Float64Array)[draw] = mine[measure] - others[measure];
    });
  }
  weights.fill(1);
  const [mine, others] = [figures(a, weights), figures(b, weights)];
  const differences = measures.flatMap((measure, m) =>
    difference(measure, mine[measure], others[measure], draws[m] as Float64Array),
  );
  const injected = compareFaults(one, two, deviations, seed, random);
  const all = [...differences, ...injected];
  const notes =
    a.labelled && a.segments.length < SEGMENTS_ENOUGH
      ? [
          `only ${a.segments.length} labelled segments: intervals of what they decide are narrower than they should be`,
        ]
      : [];
  return { differences: all, ...judge(all, a.labelled), draws: DRAWS, level: LEVEL, notes };
}

interface Prepared {
  readonly rows: number;
  readonly files: readonly { readonly from: number; readonly to: number; readonly block: number }[];
  readonly labelled: boolean;
  readonly days: number;
  readonly ordered: OrderedScores;
  /** Row of the beginning of each notification, and whether it was in a labelled segment. */
  readonly told: readonly { readonly row: number; readonly right: boolean }[];
  readonly segments: readonly { readonly row: number; readonly found: boolean }[];
}

function prepare(seen: readonly Seen[]): Prepared {
  const rows = seen.reduce((sum, { observed }) => sum + observed.flags.length, 0);
  const scores = new Float64Array(rows);
  const labels = new Uint8Array(rows).fill(2);
  const files: { from: number; to: number; block: number }[] = [];
  const told: { row: number; right: boolean }[] = [];
  const segments: { row: number; found: boolean }[] = [];
  let from = 0;
  let days = 0;
  for (const { observed, labels: own, part } of seen) {
    const count = observed.flags.length;
    const { intervalMs } = part.recording;
    scores.set(observed.scores, from);
    if (own !== null) labels.set(own, from);
    const runs = own === null ? [] : segmentsOf(own);
    const notifications = notificationsOf(observed.flags, notificationRule(intervalMs));
    const offset = from;
    const meets = (x: readonly [number, number], y: { first: number; last: number }): boolean =>
      y.first <= x[1] && y.last >= x[0];
    for (const notification of notifications) {
      told.push({ row: offset + notification.first, right: runs.some((run) => meets(run, notification)) });
    }
    for (const run of runs) {
      segments.push({ row: offset + run[0], found: notifications.some((one) => meets(run, one)) });
    }
    const day = Math.max(1, Math.round(DAY_MS / intervalMs));
    files.push({
      from,
      to: from + count,
      block: Math.max(1, Math.min(day, Math.floor(count / BLOCKS_LEAST))),
    });
    from += count;
    days += (count * intervalMs) / DAY_MS;
  }
  const labelled = labels.includes(1) && labels.includes(0);
  return { rows, files, labelled, days, ordered: orderScores(scores, labels), told, segments };
}

type Figures = Readonly<Record<Exclude<ComparedMeasure, 'injectedRecall'>, number>>;

/** A notification and a segment count as often as the row that they begin in. */
function figures({ ordered, told, segments, labelled, days }: Prepared, weights: Float64Array): Figures {
  const ranking = labelled ? weightedRanking(ordered, weights) : null;
  const weigh = <T extends { row: number }>(all: readonly T[], which: (one: T) => boolean): number =>
    all.reduce((sum, one) => sum + (which(one) ? (weights[one.row] as number) : 0), 0);
  const notifications = weigh(told, () => true);
  const right = weigh(told, (one) => one.right);
  const there = weigh(segments, () => true);
  const precision = notifications === 0 ? 0 : right / notifications;
  const recall = weigh(segments, (one) => one.found) / there;
  return {
    averagePrecision: ranking?.averagePrecision ?? Number.NaN,
    rocAuc: ranking?.rocAuc ?? Number.NaN,
    eventF1:
      there === 0
        ? Number.NaN
        : precision + recall === 0
          ? 0
          : (2 * precision * recall) / (precision + recall),
    falseAlarmsPerDay: (notifications - right) / days,
    alarmsPerDay: notifications / days,
  };
}

function difference(
  measure: ComparedMeasure,
  value: number,
  other: number,
  draws: ArrayLike<number>,
): Difference[] {
  const interval = percentileInterval(draws, LEVEL);
  if (interval === null) return [];
  const higherIsBetter = !LOWER_IS_BETTER.has(measure);
  const up = interval.low > 0;
  const down = interval.high < 0;
  const outcome: Outcome = !up && !down ? 'no difference shown' : up === higherIsBetter ? 'better' : 'worse';
  return [{ measure, value, other, difference: value - other, ...interval, higherIsBetter, outcome }];
}

/** Spikes and level shifts, the same for both, drawn with replacement in pairs. */
function compareFaults(
  one: Sides,
  two: Sides,
  deviations: ArrayLike<number>,
  seed: number,
  random: Random,
): Difference[] {
  const caught = ({ model, seen }: Sides): number[] =>
    DECISIVE_FAULTS.flatMap((kind) =>
      judgeFaults(model, seen, deviations, kind, seed).map((fault) => (fault.caught ? 1 : 0)),
    );
  const [mine, others] = [caught(one), caught(two)];
  const count = mine.length;
  if (count === 0) return [];
  const draws = Float64Array.from({ length: DRAWS }, () => {
    let sum = 0;
    for (let i = 0; i < count; i++) {
      const at = random.below(count);
      sum += (mine[at] as number) - (others[at] as number);
    }
    return sum / count;
  });
  const mean = (x: readonly number[]): number => x.reduce((sum, y) => sum + y, 0) / count;
  return difference('injectedRecall', mean(mine), mean(others), draws);
}

/** What decides: ranking and events where there are labels, else injected faults and alarms. */
function judge(
  differences: readonly Difference[],
  labelled: boolean,
): Pick<Comparison, 'outcome' | 'verdict'> {
  const deciding: readonly ComparedMeasure[] = labelled
    ? ['averagePrecision', 'rocAuc', 'eventF1']
    : ['injectedRecall', 'alarmsPerDay'];
  const of = (outcome: Outcome): string[] =>
    differences
      .filter((one) => deciding.includes(one.measure) && one.outcome === outcome)
      .map(({ measure }) => MEASURE_WORDS[measure]);
  const [better, worse] = [of('better'), of('worse')];
  if (better.length > 0 && worse.length > 0) {
    return {
      outcome: 'better in some, worse in other measures',
      verdict: `better in ${better.join(', ')}; worse in ${worse.join(', ')}`,
    };
  }
  if (better.length > 0) return { outcome: 'better', verdict: `better in ${better.join(', ')}` };
  if (worse.length > 0) return { outcome: 'worse', verdict: `worse in ${worse.join(', ')}` };
  return {
    outcome: 'no difference shown',
    verdict: `no difference shown in ${deciding.map((measure) => MEASURE_WORDS[measure]).join(', ')}`,
  };
}

export const MEASURE_WORDS: Readonly<Record<ComparedMeasure, string>> = {
  averagePrecision: 'AUC-PR',
  rocAuc: 'ROC-AUC',
  eventF1: 'event F1',
  falseAlarmsPerDay: 'false alarms a day',
  alarmsPerDay: 'alarms a day',
  injectedRecall: 'recall of injected faults',
};
