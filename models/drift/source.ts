import { fitDriftReference, robustSpread } from '../../core/drift/calibration.ts';
import {
  chooseKnots,
  countSorted,
  type DriftReference,
  knotsOf,
  partWeights,
  quantileCells,
  statisticOf,
} from '../../core/drift/reference.ts';
import type { CellWeights } from '../../core/drift/sliding-ks.ts';
import { runToEnd } from '../../core/features.ts';
import { sortedFinite } from '../../core/math.ts';
import { type Model, REFERENCE_QUANTILES } from '../../core/model.ts';
import { schemaOf } from '../data/read.ts';
import type { Recording } from '../data/recording.ts';

/** What one metric, or the score, was like when things were normal. */
export interface SourceStream {
  readonly name: string;
  readonly unit: string;
  readonly cells: CellWeights;
  /** Ascending; null where only the cells are known. */
  readonly sorted: Float64Array | null;
  /** Values behind the cells. */
  readonly values: number;
  /** Robust standard deviation, in the metric's unit. */
  readonly spread: number;
}

/** What live data is held against. */
export interface DriftSource {
  readonly model: Model | null;
  /** The metrics, then the score where a model gives one. */
  readonly streams: readonly SourceStream[];
  /** null: too short, or a model from before there was one. Always has a last stream for the score, if empty. */
  readonly reference: DriftReference | null;
  readonly fromMs: number;
  readonly toMs: number;
  readonly rows: number;
  readonly intervalMs: number;
}

/** The training distribution of a metric; `model.schema.length`: of the score. */
export function modelCells(model: Model, stream: number): CellWeights {
  const { drift } = model;
  if (drift !== null) return { values: knotsOf(drift, stream), weights: partWeights(drift, stream) };
  return quantileCells(modelQuantiles(model, stream));
}

function modelQuantiles({ schema, reference: { metrics, score } }: Model, stream: number): Float64Array {
  return stream === schema.length
    ? score
    : metrics.subarray(stream * REFERENCE_QUANTILES, (stream + 1) * REFERENCE_QUANTILES);
}

export function sourceOfModel(model: Model): DriftSource {
  const { drift, schema, provenance } = model;
  const streams = [...schema, { name: 'score', unit: 'score' }].map(({ name, unit }, i): SourceStream => {
    const cells = modelCells(model, i);
    return {
      name,
      unit,
      cells,
      sorted: null,
      values: drift === null ? provenance.rows : cells.weights.reduce((sum, weight) => sum + weight, 0),
      spread:
        drift === null
          ? robustSpread(sortedFinite(modelQuantiles(model, i)))
          : statisticOf(drift, i, 'spread'),
    };
  });
  return {
    model,
    streams,
    reference: drift,
    fromMs: provenance.trainedFromMs,
    toMs: provenance.trainedToMs,
    rows: provenance.rows,
    intervalMs: provenance.intervalMs,
  };
}

/** @param liveMs length of what will be held against it: at least two windows should fit into that */
export function sourceOfRecording(recording: Recording, liveMs: number): DriftSource {
  const { schema } = schemaOf([recording]);
  const { timesMs, columns, intervalMs } = recording;
  const streams = schema.map(({ name, unit }, i): SourceStream => {
    const sorted = sortedFinite(columns[i] as Float64Array);
    const values = chooseKnots(sorted);
    return {
      name,
      unit,
      cells: { values, weights: Float64Array.from(countSorted(sorted, values)) },
      sorted,
      values: sorted.length,
      spread: robustSpread(sorted),
    };
  });
  const reference = runToEnd(
    fitDriftReference({
      columns: [...columns, new Float64Array(timesMs.length).fill(Number.NaN)],
      timeOf: (row) => timesMs[row] as number,
      intervalMs,
      leastEffects: [...schema.map(({ noiseFloor }) => noiseFloor), 0],
      longestWindowMs: liveMs / 2,
    }),
  );
  return {
    model: null,
    streams,
    reference,
    fromMs: timesMs[0] as number,
    toMs: timesMs.at(-1) as number,
    rows: timesMs.length,
    intervalMs,
  };
}
