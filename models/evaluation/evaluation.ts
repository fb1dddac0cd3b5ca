import { FAULT_KINDS, type FaultKind } from '../../core/evaluation/faults.ts';
import type { Model } from '../../core/model.ts';
import type { Recording } from '../data/recording.ts';
import {
  type Assessment,
  assess,
  type JudgedFault,
  judgeFaults,
  type Seen,
  see,
} from '../training/assess.ts';
import { scalerOf } from '../training/parts.ts';
import { alikeRows } from './alike.ts';
import { type Comparison, compareModels } from './comparison.ts';
import { type Latency, measureLatency } from './latency.ts';
import {
  columnsByWeight,
  type DriftFigures,
  type MeanContributions,
  meanContributions,
  measureDrift,
} from './portrait.ts';
import { type DisturbedFigures, measureRobustness } from './robustness.ts';

export interface EvaluationRequest {
  readonly model: Model;
  readonly against: Model | null;
  /** What messages call the two. */
  readonly names?: { readonly model: string; readonly against: string };
  readonly recordings: readonly Recording[];
  readonly seed: number;
  readonly robustness: boolean;
  readonly onProgress?: (done: number, total: number, what: string) => void;
}

export interface FileAssessment {
  readonly host: string;
  readonly fromMs: number;
  readonly toMs: number;
  readonly intervalMs: number;
  readonly metrics: Assessment;
}

export interface CaveatedComparison extends Comparison {
  /** Why the verdict is not to be believed: `web@2 learned from these rows`; null where nothing is known. */
  readonly caveat: string | null;
}

export interface Evaluation {
  /** All files together. */
  readonly metrics: Assessment;
  readonly files: readonly FileAssessment[];
  readonly robustness: readonly DisturbedFigures[];
  readonly latency: Latency;
  readonly comparison: CaveatedComparison | null;
  readonly otherMetrics: Assessment | null;
  readonly contributions: readonly MeanContributions[];
  readonly drift: readonly DriftFigures[];
  readonly notes: readonly string[];
  /** What plots are made of. */
  readonly seen: readonly Seen[];
  readonly otherSeen: readonly Seen[] | null;
}

/**
 * What a model is worth on recorded rows, every one of which is judged: none of them may have been learned from.
 * Deterministic for a seed, but for the latencies.
 * @param nowUs wall time in microseconds
 * @throws DataError where the files can't be judged by the model
 */
export function evaluate(request: EvaluationRequest, nowUs: () => number): Evaluation {
  const { model, against, seed } = request;
  const names = request.names ?? { model: 'the model', against: 'the other model' };
  const { recordings, notes, caveat } = alikeRows(
    [{ name: names.model, model }, ...(against === null ? [] : [{ name: names.against, model: against }])],
    request.recordings,
  );
  const deviations = scalerOf(normalColumns(recordings)).map(({ std }) => std);
  const figuresOf = (judging: Model, looked: readonly Seen[], faults: JudgedFaults): Assessment => ({
    ...assess(judging, looked, deviations, { seed, faults: [], vus: true }),
    injected: injectedFigures(faults, looked),
  });
  const step = (done: number, what: string): void => request.onProgress?.(done, 100, what);
  const lookAt = (looking: Model): Seen[] =>
    recordings.map((recording) => see(looking, { host: recording.host, recording, from: 0 }));

  step(0, 'score');
  const seen = lookAt(model);
  step(5, 'test metrics');
  const faults = faultsOf(model, seen, deviations, seed);
  const metrics = figuresOf(model, seen, faults);
  const files = seen.map((one) => {
    const { host, timesMs, intervalMs } = one.part.recording;
    return {
      host,
      fromMs: timesMs[0] as number,
      toMs: timesMs.at(-1) as number,
      intervalMs,
      metrics: seen.length === 1 ? metrics : figuresOf(model, [one], faults),
    };
  });
  step(20, 'contributions');
  const contributions = meanContributions(model, seen);
  let comparison: CaveatedComparison | null = null;
  let otherMetrics: Assessment | null = null;
  let otherSeen: Seen[] | null = null;
  if (against !== null) {
    step(25, 'the other model');
    otherSeen = lookAt(against);
    otherMetrics = figuresOf(against, otherSeen, faultsOf(against, otherSeen, deviations, seed));
    step(35, 'intervals');
    const sides = [
      { model, seen },
      { model: against, seen: otherSeen },
    ] as const;
    comparison = { ...compareModels(...sides, deviations, seed), caveat };
    notes.push(...comparison.notes);
  }
  step(40, 'latency');
  const latency = measureLatency(model, recordings[0] as Recording, nowUs);
  const robustness = request.robustness
    ? measureRobustness(model, recordings, {
        seed,
        deviations,
        byWeight: columnsByWeight(model, recordings[0]?.names ?? [], contributions),
        onProgress: (done, total, what) => step(45 + (55 * done) / total, what),
      })
    : [];
  step(100, 'done');
  const broken = robustness.reduce((sum, { nonFiniteScores }) => sum + nonFiniteScores, 0);
  if (broken > 0) notes.push(`${broken} scores of disturbed rows are not finite: the detector is broken`);
  return {
    metrics,
    files,
    robustness,
    latency,
    comparison,
    otherMetrics,
    contributions,
    drift: measureDrift(model, seen),
    notes,
    seen,
    otherSeen,
  };
}

type JudgedFaults = ReadonlyMap<FaultKind, readonly JudgedFault[]>;

/** Injected once into all files, and counted by file and in all. */
const faultsOf = (
  model: Model,
  seen: readonly Seen[],
  deviations: ArrayLike<number>,
  seed: number,
): JudgedFaults =>
  new Map(FAULT_KINDS.map((kind) => [kind, judgeFaults(model, seen, deviations, kind, seed)]));

function injectedFigures(judged: JudgedFaults, seen: readonly Seen[]): Assessment['injected'] {
  const hosts = new Set(seen.map(({ part }) => part.host));
  return Object.fromEntries(
    [...judged].map(([kind, all]) => {
      const own = all.filter(({ host }) => hosts.has(host));
      const caught = own.filter((fault) => fault.caught).length;
      return [kind, { faults: own.length, caught, recall: own.length === 0 ? 0 : caught / own.length }];
    }),
  );
}

/** What is labelled as anomalous says nothing about a metric's usual deviation. */
function normalColumns(recordings: readonly Recording[]): Float64Array[] {
  const rows = recordings.reduce((sum, { timesMs }) => sum + timesMs.length, 0);
  const columns = (recordings[0]?.names ?? []).map(() => new Float64Array(rows));
  let at = 0;
  for (const recording of recordings) {
    columns.forEach((column, i) => {
      column.set(recording.columns[i] as Float64Array, at);
      recording.labels?.forEach((label, row) => {
        if (label === 1) column[at + row] = Number.NaN;
      });
    });
    at += recording.timesMs.length;
  }
  return columns;
}
