import {
  CELLS,
  DISTANCE,
  DISTANCES,
  type DriftReference,
  KNOTS,
  knotsOf,
  PARTS,
  partWeights,
  STATISTIC,
  STATISTICS,
  statisticOf,
  WEEK_MS,
} from '../core/drift/reference.ts';
import type { NamedArray } from './artifact-arrays.ts';
import { ArtifactError } from './artifact-error.ts';

/** The reference of drift in an artifact (format version 3): four numbers in the header, three arrays and, since there are two distances, a fourth. */

export interface DriftHeader {
  readonly windowMs: number;
  readonly slotMs: number;
  /** null: no weekend of its own. */
  readonly weekendMs: number | null;
  readonly spanMs: number;
}

export function driftHeader(drift: DriftReference | null): DriftHeader | null {
  if (drift === null) return null;
  const { windowMs, slotMs, weekendMs, spanMs } = drift;
  return { windowMs, slotMs, weekendMs: Number.isNaN(weekendMs) ? null : weekendMs, spanMs };
}

/** What is wrong with the header's part, or null. */
export function driftFault(drift: unknown): string | null {
  if (drift === null) return null;
  const isTime = (x: unknown, least: number, most: number): boolean =>
    Number.isFinite(x) && Number(x) >= least && Number(x) <= most;
  const fields = (drift ?? {}) as Readonly<Record<string, unknown>>;
  const whole =
    typeof drift === 'object' &&
    isTime(fields['windowMs'], 1, WEEK_MS) &&
    isTime(fields['slotMs'], 1, Number(fields['windowMs'])) &&
    isTime(fields['spanMs'], 1, 8.64e15) &&
    (fields['weekendMs'] === null || isTime(fields['weekendMs'], 0, WEEK_MS));
  return whole ? null : 'drift: windowMs, slotMs, weekendMs and spanMs expected, or null';
}

export function driftArrays(drift: DriftReference | null): NamedArray[] {
  if (drift === null) return [];
  const arrays: NamedArray[] = [
    ['driftKnots', 'f64', drift.knots],
    ['driftStatistics', 'f64', drift.statistics],
    ['driftWeights', 'u32', drift.weights],
  ];
  if (!drift.distances.every(Number.isNaN)) arrays.push(['driftDistances', 'f64', drift.distances]);
  return arrays;
}

/** @throws ArtifactError where a distribution is none */
export function driftOf(
  header: DriftHeader | null,
  streams: number,
  f64: (name: string, length: number) => Float64Array,
  u32: (name: string, length: number) => Uint32Array,
  has: (name: string) => boolean,
): DriftReference | null {
  if (header === null) return null;
  const reference: DriftReference = {
    ...header,
    weekendMs: header.weekendMs ?? Number.NaN,
    streams,
    knots: f64('driftKnots', streams * KNOTS),
    statistics: f64('driftStatistics', streams * STATISTICS),
    // Models of before have none; older readers pass it over.
    distances: has('driftDistances')
      ? f64('driftDistances', streams * DISTANCES)
      : new Float64Array(streams * DISTANCES).fill(Number.NaN),
    weights: u32('driftWeights', streams * PARTS * CELLS),
  };
  for (let stream = 0; stream < streams; stream++) {
    const fault = streamFault(reference, stream);
    if (fault !== null) throw new ArtifactError('badArray', `drift, stream ${stream}: ${fault}`);
  }
  return reference;
}

function streamFault(reference: DriftReference, stream: number): string | null {
  const knots = knotsOf(reference, stream);
  const padding = reference.knots.subarray(stream * KNOTS + knots.length, (stream + 1) * KNOTS);
  if (!knots.every((x, i) => Number.isFinite(x) && (i === 0 || x > (knots[i - 1] as number)))) {
    return 'knots are not ascending';
  }
  if (!padding.every(Number.isNaN)) return 'a knot behind the last';
  const statistics = reference.statistics.subarray(stream * STATISTICS, (stream + 1) * STATISTICS);
  if (!statistics.every((x) => x >= 0 && x < Number.POSITIVE_INFINITY)) return 'statistics are not positive';
  const shares = [STATISTIC.meanD, STATISTIC.sdD, STATISTIC.weekly, STATISTIC.missing];
  if (shares.some((at) => (statistics[at] as number) > 1)) return 'a share above 1';
  const distances = reference.distances.subarray(stream * DISTANCES, (stream + 1) * DISTANCES);
  const known = distances.every((x) => x >= 0 && x < Number.POSITIVE_INFINITY);
  if (!known && !distances.every(Number.isNaN)) return 'distances are not positive';
  if ((distances[DISTANCE.largestD] as number) > 1) return 'a largest D above 1';
  const weekly = statisticOf(reference, stream, 'weekly');
  if (weekly !== 0 && (weekly !== 1 || Number.isNaN(reference.weekendMs))) return 'no weekend is known';
  for (let part = 0; part <= weekly; part++) {
    const total = partWeights(reference, stream, part).reduce((sum, weight) => sum + weight, 0);
    if (knots.length > 0 && total === 0) return 'no counts';
  }
  return null;
}
