import { DataError } from '../data/table.ts';
import type { Assessment } from '../training/assess.ts';
import { type ComparedMeasure, type Comparison, MEASURE_WORDS } from './comparison.ts';
import type { Latency } from './latency.ts';
import { DISTURBANCE_KINDS, type DisturbanceKind, type DisturbedFigures } from './robustness.ts';

/** What an evaluation knows, as far as conditions can be put to it. */
export interface GatedEvaluation {
  readonly metrics: Assessment;
  readonly latency: Latency;
  readonly modelBytes: number;
  readonly robustness: readonly DisturbedFigures[];
  readonly comparison: Comparison | null;
}

type Read = (evaluation: GatedEvaluation) => number | null;

/** Figures that `minimum` and `maximum` know; null where the evaluation could not tell. */
const FIGURES = {
  averagePrecision: ({ metrics }) => metrics.averagePrecision,
  rocAuc: ({ metrics }) => metrics.rocAuc,
  vusPr: ({ metrics }) => metrics.vusPr,
  precision: ({ metrics }) => metrics.precision,
  recall: ({ metrics }) => metrics.recall,
  f1: ({ metrics }) => metrics.f1,
  eventRecall: ({ metrics }) => metrics.events?.recall ?? null,
  eventPrecision: ({ metrics }) => metrics.events?.precision ?? null,
  eventF1: ({ metrics }) => metrics.events?.f1 ?? null,
  delayMs: ({ metrics }) => metrics.events?.delayMs ?? null,
  alarmsPerDay: ({ metrics }) => metrics.alarmsPerDay,
  falseAlarmsPerDay: ({ metrics }) => metrics.falseAlarmsPerDay,
  flaggedShare: ({ metrics }) => metrics.flaggedShare,
  spikeRecall: ({ metrics }) => known(metrics.injected.spike),
  levelShiftRecall: ({ metrics }) => known(metrics.injected.levelShift),
  rows: ({ metrics }) => metrics.rows,
  latencyP50Us: ({ latency }) => latency.score.p50Us,
  latencyP95Us: ({ latency }) => latency.score.p95Us,
  latencyP99Us: ({ latency }) => latency.score.p99Us,
  explainedP50Us: ({ latency }) => latency.explained.p50Us,
  explainedP95Us: ({ latency }) => latency.explained.p95Us,
  explainedP99Us: ({ latency }) => latency.explained.p99Us,
  modelBytes: ({ modelBytes }) => modelBytes,
} as const satisfies Record<string, Read>;
export type GatedFigure = keyof typeof FIGURES;
export const GATED_FIGURES = Object.keys(FIGURES) as GatedFigure[];

const known = (figures: { faults: number; recall: number } | undefined): number | null =>
  figures === undefined || figures.faults === 0 ? null : figures.recall;

/** What lies between 0 and 1; all other figures are 0 or more. */
const SHARES: ReadonlySet<string> = new Set<GatedFigure | ComparedMeasure>([
  'averagePrecision',
  'rocAuc',
  'vusPr',
  'precision',
  'recall',
  'f1',
  'eventRecall',
  'eventPrecision',
  'eventF1',
  'flaggedShare',
  'spikeRecall',
  'levelShiftRecall',
  'injectedRecall',
]);

/** What a figure, or the difference of two of them, can be. */
function rangeOf(section: (typeof SECTIONS)[number], key: string): readonly [number, number] {
  const most = section === 'otherVerdicts' || SHARES.has(key) ? 1 : Number.POSITIVE_INFINITY;
  return [section === 'against' ? -most : 0, most];
}

const MEASURES = Object.keys(MEASURE_WORDS) as ComparedMeasure[];

/** Conditions that a model must meet. */
export interface Gate {
  readonly minimum: ReadonlyMap<GatedFigure, number>;
  readonly maximum: ReadonlyMap<GatedFigure, number>;
  /** Bound of the whole interval of a difference: from below where higher is better, from above where lower is. */
  readonly against: ReadonlyMap<ComparedMeasure, number>;
  /** Largest share of the rows that a disturbance of this kind may give another verdict. */
  readonly otherVerdicts: ReadonlyMap<DisturbanceKind, number>;
}

const SECTIONS = ['minimum', 'maximum', 'against', 'otherVerdicts'] as const;

/**
 * `minimum: {averagePrecision: 0.4}`, parsed YAML.
 * @throws DataError naming the key and what was expected
 */
export function gateOf(document: unknown, path: string): Gate {
  if (!isMap(document)) {
    throw new DataError(`${path}: expected a map such as "minimum: {averagePrecision: 0.4}".`);
  }
  const stray = Object.keys(document).find((key) => !SECTIONS.some((section) => section === key));
  if (stray !== undefined) {
    throw new DataError(`${path}: unknown ${JSON.stringify(stray)}, expected ${SECTIONS.join(', ')}.`);
  }
  const section = <K extends string>(name: (typeof SECTIONS)[number], keys: readonly K[]): Map<K, number> => {
    const given = document[name];
    if (given === undefined) return new Map();
    if (!isMap(given)) throw new DataError(`${path}: ${name}: expected a map of figures to numbers.`);
    return new Map(
      Object.entries(given).map(([key, value]) => {
        const found = keys.find((one) => one === key);
        if (found === undefined) {
          throw new DataError(
            `${path}: ${name}: unknown ${JSON.stringify(key)}, expected ${keys.join(', ')}.`,
          );
        }
        if (typeof value !== 'number' || !Number.isFinite(value)) {
          throw new DataError(
            `${path}: ${name}.${key}: expected a number, found ${JSON.stringify(value) ?? 'nothing'}.`,
          );
        }
        const [low, high] = rangeOf(name, found);
        if (value < low || value > high) {
          throw new DataError(
            `${path}: ${name}.${key}: ${value} can't be reached, expected ${high === 1 ? `${low} to 1` : '0 or more'}.`,
          );
        }
        return [found, value];
      }),
    );
  };
  const gate = {
    minimum: section('minimum', GATED_FIGURES),
    maximum: section('maximum', GATED_FIGURES),
    against: section('against', MEASURES),
    otherVerdicts: section('otherVerdicts', DISTURBANCE_KINDS),
  };
  if (Object.values(gate).every(({ size }) => size === 0)) {
    throw new DataError(`${path}: no condition; expected one such as "minimum: {averagePrecision: 0.4}".`);
  }
  return gate;
}

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export interface GateCondition {
  /** `minimum.averagePrecision`. */
  readonly condition: string;
  readonly bound: number;
  /** null: not known, and so not met. */
  readonly found: number | null;
  readonly met: boolean;
  /** What it is, in words; why it is not known. */
  readonly detail: string;
}

export interface GateVerdict {
  readonly passed: boolean;
  readonly conditions: readonly GateCondition[];
}

export function applyGate(gate: Gate, evaluation: GatedEvaluation): GateVerdict {
  const conditions: GateCondition[] = [];
  const add = (
    condition: string,
    bound: number,
    found: number | null,
    atLeast: boolean,
    why: string,
  ): void => {
    const met = found !== null && Number.isFinite(found) && (atLeast ? found >= bound : found <= bound);
    const detail = found === null ? `not known: ${why}` : atLeast ? 'at least' : 'at most';
    conditions.push({ condition, bound, found, met, detail });
  };
  for (const [figure, bound] of gate.minimum) {
    add(`minimum.${figure}`, bound, FIGURES[figure](evaluation), true, whyUnknown(figure));
  }
  for (const [figure, bound] of gate.maximum) {
    add(`maximum.${figure}`, bound, FIGURES[figure](evaluation), false, whyUnknown(figure));
  }
  for (const [measure, bound] of gate.against) {
    const there = evaluation.comparison?.differences.find((one) => one.measure === measure);
    const atLeast = there?.higherIsBetter ?? true;
    const why =
      evaluation.comparison === null
        ? 'there is nothing to compare with; name a model with --against'
        : 'the files do not tell';
    add(`against.${measure}`, bound, (atLeast ? there?.low : there?.high) ?? null, atLeast, why);
  }
  for (const [kind, bound] of gate.otherVerdicts) {
    const worst = evaluation.robustness
      .filter((one) => one.kind === kind)
      .reduce<number | null>((most, one) => Math.max(most ?? 0, one.otherVerdicts), null);
    add(`otherVerdicts.${kind}`, bound, worst, false, 'robustness was not measured');
  }
  return { passed: conditions.every(({ met }) => met), conditions };
}

const whyUnknown = (figure: GatedFigure): string =>
  figure === 'delayMs'
    ? 'no labelled segment was found'
    : /Recall$/.test(figure) && figure !== 'eventRecall'
      ? 'the files are too short for injected faults'
      : 'the files have no labels of both kinds';
