import {
  addNoise,
  cutGaps,
  type DisturbedRows,
  dropCells,
  dropColumn,
  freezeColumn,
  jumpClock,
  multiplyRows,
  type Rows,
  shiftAll,
} from '../../core/evaluation/disturbances.ts';
import { observe } from '../../core/evaluation/observe.ts';
import { calibratedFor, type Model } from '../../core/model.ts';
import { Random } from '../../core/random.ts';
import { type Recording, slice } from '../data/recording.ts';
import { assess, type Seen, schemaFor, see } from '../training/assess.ts';

/** Disturbed runs are many: each sees the newest rows only, so many in all. */
const ROWS_MAX = 20_000;
/** One at a time, features are lost or frozen; of more, those that weigh most. */
export const FEATURES_MAX = 12;
const HOUR_MS = 3_600_000;

export const DISTURBANCE_KINDS = [
  'noise',
  'missingFeature',
  'missingCells',
  'outliers',
  'shift',
  'stuckFeature',
  'clock',
  'gaps',
] as const;
export type DisturbanceKind = (typeof DISTURBANCE_KINDS)[number];

/** One disturbance, against the same rows undisturbed. */
export interface DisturbedFigures {
  readonly kind: DisturbanceKind;
  /** `noise of 0.05 sd`. */
  readonly name: string;
  readonly rows: number;
  /** A score must be finite whatever comes: 0. */
  readonly nonFiniteScores: number;
  readonly alarmsPerDay: number;
  /** Share of the rows that are flagged only with, or only without it. */
  readonly otherVerdicts: number;
  readonly meanScoreChange: number;
  /** With it, less without. null where there are no labels. */
  readonly change: {
    readonly averagePrecision: number | null;
    readonly rocAuc: number | null;
    readonly eventF1: number | null;
    readonly alarmsPerDay: number;
  };
}

interface Disturbance {
  readonly kind: DisturbanceKind;
  readonly name: string;
  readonly apply: (rows: Rows, random: Random, intervalMs: number) => DisturbedRows;
}

function disturbances(
  names: readonly string[],
  features: readonly number[],
  deviations: ArrayLike<number>,
): Disturbance[] {
  const middle = (rows: Rows): number => rows.timesMs.length >> 1;
  return [
    ...[0.01, 0.05, 0.1].map(
      (share): Disturbance => ({
        kind: 'noise',
        name: `noise of ${share} sd`,
        apply: (rows, random) => addNoise(rows, deviations, share, random),
      }),
    ),
    ...features.map(
      (i): Disturbance => ({
        kind: 'missingFeature',
        name: `without ${names[i]}`,
        apply: (rows) => dropColumn(rows, i),
      }),
    ),
    {
      kind: 'missingCells',
      name: '10 % of the cells missing',
      apply: (rows, random) => dropCells(rows, 0.1, random),
    },
    ...[2, 5, 10].map(
      (factor): Disturbance => ({
        kind: 'outliers',
        name: `1 % of the rows x ${factor}`,
        apply: (rows, random) => multiplyRows(rows, factor, 0.01, random),
      }),
    ),
    ...[0.1, 0.5, 1].map(
      (amount): Disturbance => ({
        kind: 'shift',
        name: `all shifted by ${amount} sd`,
        apply: (rows) => shiftAll(rows, deviations, amount),
      }),
    ),
    ...features.map(
      (i): Disturbance => ({
        kind: 'stuckFeature',
        name: `${names[i]} stuck from the middle on`,
        apply: (rows) => freezeColumn(rows, i, middle(rows)),
      }),
    ),
    {
      kind: 'clock',
      name: 'clock 1 h ahead from the middle on',
      apply: (rows) => jumpClock(rows, HOUR_MS, middle(rows)),
    },
    {
      kind: 'clock',
      name: 'clock 1 h back from the middle on',
      apply: (rows) => jumpClock(rows, -HOUR_MS, middle(rows)),
    },
    {
      kind: 'clock',
      name: 'clock 1 h ahead for 20 rows, and back',
      apply: (rows) => jumpClock(rows, HOUR_MS, middle(rows), middle(rows) + 20),
    },
    {
      kind: 'gaps',
      name: '10 % of the time lost, in 5 gaps',
      apply: (rows, random) => cutGaps(rows, 0.1, 5, random),
    },
  ];
}

export interface RobustnessOptions {
  readonly seed: number;
  readonly deviations: ArrayLike<number>;
  /** Columns by how much they weigh, the heaviest first. */
  readonly byWeight: readonly number[];
  readonly onProgress?: (done: number, total: number, what: string) => void;
}

/** Deterministic: same model, recordings and seed, same figures. */
export function measureRobustness(
  model: Model,
  recordings: readonly Recording[],
  options: RobustnessOptions,
): DisturbedFigures[] {
  const { seed, deviations, byWeight } = options;
  const share = Math.floor(ROWS_MAX / recordings.length);
  const clean = recordings.map((whole) => {
    const recording = slice(whole, Math.max(0, whole.timesMs.length - share), whole.timesMs.length);
    return see(model, { host: whole.host, recording, from: 0 });
  });
  const all = disturbances(recordings[0]?.names ?? [], byWeight.slice(0, FEATURES_MAX), deviations);
  return all.map((disturbance, number) => {
    options.onProgress?.(number, all.length, disturbance.name);
    const pairs = clean.map((seen, host) => {
      const { recording } = seen.part;
      const random = new Random(seed * 1_000_003 + number * 1009 + host);
      return disturbed(model, seen, disturbance.apply(recording, random, recording.intervalMs));
    });
    return compare(model, disturbance, pairs, deviations);
  });
}

interface Pair {
  readonly without: Seen;
  readonly with: Seen;
}

/** The same rows with and without; those that never came are left out of both. */
function disturbed(model: Model, seen: Seen, rows: DisturbedRows): Pair {
  const { part, labels, observed } = seen;
  const { recording, host } = part;
  const { kept, timesMs, columns } = rows;
  const bytes = (from: Uint8Array): Uint8Array =>
    kept === null ? from : Uint8Array.from(kept, (row) => from[row] as number);
  const scores =
    kept === null ? observed.scores : Float64Array.from(kept, (row) => observed.scores[row] as number);
  const own = labels === null ? null : bytes(labels);
  const result = observe(calibratedFor(model, host), schemaFor(model, recording.names), {
    timesMs,
    columns,
    from: 0,
  });
  return {
    without: {
      part,
      labels: own,
      observed: { ...observed, scores, flags: bytes(observed.flags), bare: bytes(observed.bare) },
    },
    with: { part, labels: own, observed: result },
  };
}

function compare(
  model: Model,
  { kind, name }: Disturbance,
  pairs: readonly Pair[],
  deviations: ArrayLike<number>,
): DisturbedFigures {
  const figures = (seen: readonly Seen[]) =>
    assess(model, seen, deviations, { seed: 0, faults: [], vus: false });
  const before = figures(pairs.map(({ without }) => without));
  const after = figures(pairs.map((pair) => pair.with));
  let rows = 0;
  let nonFiniteScores = 0;
  let other = 0;
  let moved = 0;
  for (const { without, with: disturbedRows } of pairs) {
    const { scores, flags } = disturbedRows.observed;
    for (let row = 0; row < scores.length; row++) {
      rows++;
      if (flags[row] !== without.observed.flags[row]) other++;
      const change = Math.abs((scores[row] as number) - (without.observed.scores[row] as number));
      if (Number.isFinite(scores[row])) moved += change;
      else nonFiniteScores++;
    }
  }
  const difference = (a: number | null | undefined, b: number | null | undefined): number | null =>
    a === null || a === undefined || b === null || b === undefined ? null : a - b;
  return {
    kind,
    name,
    rows,
    nonFiniteScores,
    alarmsPerDay: after.alarmsPerDay,
    otherVerdicts: rows === 0 ? 0 : other / rows,
    meanScoreChange: rows === nonFiniteScores ? 0 : moved / (rows - nonFiniteScores),
    change: {
      averagePrecision: difference(after.averagePrecision, before.averagePrecision),
      rocAuc: difference(after.rocAuc, before.rocAuc),
      eventF1: difference(after.events?.f1, before.events?.f1),
      alarmsPerDay: after.alarmsPerDay - before.alarmsPerDay,
    },
  };
}
