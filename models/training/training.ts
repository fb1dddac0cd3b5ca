import { createHash } from 'node:crypto';
import { DECISIVE_FAULTS, FAULT_KINDS } from '../../core/evaluation/faults.ts';
import { runToEnd } from '../../core/features.ts';
import { sortedFinite } from '../../core/math.ts';
import type { Model } from '../../core/model.ts';
import type { MetricSchema } from '../../core/sample.ts';
import { trainModel, usableMetrics } from '../../core/train.ts';
import { schemaOf } from '../data/read.ts';
import type { Recording } from '../data/recording.ts';
import { DataError } from '../data/table.ts';
import { type Assessment, assess, see } from './assess.ts';
import { type Candidate, candidateWords, trainingOptions } from './candidates.ts';
import { judgedParts, type LearnedRows, learnedRows, type Split, scalerOf } from './parts.ts';

/** Candidates are compared on models of so many rows at the most: enough for weeks at a minute, a day at a second. */
const COMPARED_ROWS = 100_000;
const LEAST_ROWS = 200;
/** A later candidate has to be better by more than this: the first is the recipe, and a difference below is chance. */
const CLEARLY_BETTER = 0.02;
/** Beyond this many times its budget, a candidate's recall was bought with alarms. */
const BUDGET_SLACK = 3;
/** Share of a host's rows outside all that the others know of a metric. */
const UNLIKE_SHARE = 0.5;

export interface TrainingRequest {
  readonly name: string;
  readonly recordings: readonly Recording[];
  readonly candidates: readonly Candidate[];
  readonly split: Split;
  readonly seed: number;
  readonly toolVersion: string;
  readonly onProgress?: (done: number, total: number, what: string) => void;
}

export interface ComparedCandidate {
  readonly parameters: Candidate;
  readonly objective: number;
  readonly withinBudget: boolean;
  readonly validation: Assessment;
  readonly fitMs: number;
}

export interface HostReport {
  readonly host: string;
  readonly rows: number;
  /** Its own `info` threshold of the surprise trigger (or the score's) over the common one. */
  readonly thresholdRatio: number;
  /** The metric that leaves what the other hosts know the most, and how often. */
  readonly outside: { readonly metric: string; readonly share: number };
  readonly unlike: boolean;
}

export interface TrainingResult {
  /** Its provenance has no version yet: the registry gives it. */
  readonly model: Model;
  readonly chosen: ComparedCandidate;
  readonly compared: readonly ComparedCandidate[];
  /** What candidates were compared by. */
  readonly comparedBy: 'events of labels' | 'average precision' | 'injected faults';
  readonly test: Assessment;
  readonly scaler: Readonly<Record<string, { readonly mean: number; readonly std: number }>>;
  readonly hosts: readonly HostReport[];
  readonly notes: readonly string[];
  readonly rows: {
    readonly read: number;
    readonly used: number;
    readonly train: number;
    readonly validation: number;
    readonly test: number;
    readonly leftOut: number;
  };
}

/**
 * Compares candidates on the validation part, fits the chosen one on training and validation part, tests it on the
 * rest. Deterministic: same recordings, candidates and seed, same model.
 * @throws DataError where there is not enough to learn from
 */
export function train(request: TrainingRequest, nowMs: () => number): TrainingResult {
  const { recordings: all, split, seed, candidates } = request;
  const { recordings, schema, notes } = prepare(all);
  const total = candidates.length + 2;
  const few = learnedRows(recordings, split.train, COMPARED_ROWS);
  const deviations = scalerOf(few.columns).map(({ std }) => std);
  const validation = judgedParts(recordings, split.train, split.train + split.validation);
  const compared = candidates.map((parameters, i): ComparedCandidate => {
    request.onProgress?.(i, total, candidateWords(parameters));
    const startedMs = nowMs();
    const model = fit(request, schema, few, parameters, recordings, split.train);
    const fitMs = nowMs() - startedMs;
    const seen = validation.map((part) => see(model, part));
    const figures = assess(model, seen, deviations, { seed, faults: FAULT_KINDS, vus: false });
    return {
      parameters,
      validation: figures,
      fitMs,
      objective: 0,
      withinBudget:
        parameters.budgetPerDay === null ||
        figures.alarmsPerDay <=
          Math.max(BUDGET_SLACK * parameters.budgetPerDay, 2 / Math.max(figures.days, 1e-9)),
    };
  });
  const { comparedBy, judged } = judge(compared);
  const chosen = choose(judged);
  request.onProgress?.(candidates.length, total, `fit: ${candidateWords(chosen.parameters)}`);
  const learned = learnedRows(recordings, split.train + split.validation);
  const model = fit(request, schema, learned, chosen.parameters, recordings, split.train + split.validation);
  request.onProgress?.(candidates.length + 1, total, 'test');
  const scaler = scalerOf(learned.columns);
  const seen = judgedParts(recordings, split.train + split.validation, 1).map((part) => see(model, part));
  const test = assess(
    model,
    seen,
    scaler.map(({ std }) => std),
    { seed, faults: FAULT_KINDS, vus: true },
  );
  request.onProgress?.(total, total, 'done');
  const hosts = hostReports(model, learned, schema);
  for (const { host, outside } of hosts.filter(({ unlike }) => unlike)) {
    notes.push(
      `${host} is unlike the other hosts: ${Math.round(outside.share * 100)} % of its ${outside.metric} lies outside all that they know; a model of its own will serve it better`,
    );
  }
  if (learned.leftOut > 0) notes.push(`${learned.leftOut} rows labelled as anomalies were not learned from`);
  const used = recordings.reduce((sum, { timesMs }) => sum + timesMs.length, 0);
  const read = recordings.reduce((sum, { rowsRead }) => sum + rowsRead, 0);
  if (used < read) notes.push(`of ${read} rows ${used} were kept, in whole stretches over all of the time`);
  return {
    model,
    chosen,
    compared: judged,
    comparedBy,
    test,
    scaler: Object.fromEntries(schema.map(({ name }, i) => [name, scaler[i] as (typeof scaler)[number]])),
    hosts,
    notes,
    rows: {
      read,
      used,
      train: Math.round(used * split.train),
      validation: validation.reduce((sum, { recording, from }) => sum + recording.timesMs.length - from, 0),
      test: test.rows,
      leftOut: learned.leftOut,
    },
  };
}

/** Recordings of one interval and the same metrics, those left out that were hardly ever there. */
function prepare(all: readonly Recording[]): {
  recordings: Recording[];
  schema: MetricSchema;
  notes: string[];
} {
  const first = all[0];
  if (first === undefined) throw new DataError('there is nothing to learn from.');
  for (const { host, names, intervalMs, timesMs } of all) {
    if (timesMs.length < LEAST_ROWS) {
      throw new DataError(
        `${host}: ${timesMs.length} rows, at least ${LEAST_ROWS} are needed to train, compare and test.`,
      );
    }
    const missing = first.names.find((name) => !names.includes(name));
    const extra = names.find((name) => !first.names.includes(name));
    if (missing !== undefined || extra !== undefined) {
      throw new DataError(
        `${host} has other columns than ${first.host} (${missing ?? extra}). Give all files the same, or name those to use with --features.`,
      );
    }
    if (Math.abs(intervalMs - first.intervalMs) > 0.1 * first.intervalMs) {
      throw new DataError(
        `${host} was recorded every ${intervalMs} ms, ${first.host} every ${first.intervalMs} ms: windows count samples, so one model needs one interval.`,
      );
    }
  }
  const columns = first.names.map((name) => {
    const parts = all.map((recording) => recording.columns[recording.names.indexOf(name)] as Float64Array);
    return Float64Array.from(parts.flatMap((part) => Array.from(part)));
  });
  const usable = usableMetrics(columns);
  const notes = first.names
    .filter((_, i) => !usable.includes(i))
    .map((name) => `${name} is missing in more than half of the rows and was left out`);
  if (usable.length === 0) throw new DataError('no column has a number in at least half of its rows.');
  const names = usable.map((i) => first.names[i] as string);
  const recordings = all.map((recording) => ({
    ...recording,
    names,
    columns: names.map((name) => recording.columns[recording.names.indexOf(name)] as Float64Array),
  }));
  const described = schemaOf(recordings);
  return { recordings, schema: described.schema, notes: [...notes, ...described.notes] };
}

function fit(
  request: TrainingRequest,
  schema: MetricSchema,
  learned: LearnedRows,
  candidate: Candidate,
  recordings: readonly Recording[],
  to: number,
): Model {
  const digest = createHash('sha256');
  for (const column of learned.columns) digest.update(new Uint8Array(column.buffer));
  const ends = recordings.map(({ timesMs }) => timesMs[Math.round(timesMs.length * to) - 1] as number);
  return runToEnd(
    trainModel(
      schema,
      learned.columns,
      {
        name: request.name,
        version: '',
        seed: request.seed,
        trainedFromMs: Math.min(...recordings.map(({ timesMs }) => timesMs[0] as number)),
        trainedToMs: Math.max(...ends),
        rows: learned.rows,
        intervalMs: recordings[0]?.intervalMs ?? 1000,
        dataSha256: digest.digest('hex'),
        toolVersion: request.toolVersion,
      },
      { ...trainingOptions(candidate), breaks: learned.breaks, hosts: learned.hosts },
    ),
  );
}

function judge(compared: readonly ComparedCandidate[]): {
  comparedBy: TrainingResult['comparedBy'];
  judged: ComparedCandidate[];
} {
  const withObjective = (objective: (a: Assessment) => number): ComparedCandidate[] =>
    compared.map((one) => ({ ...one, objective: objective(one.validation) }));
  if (compared.some(({ validation }) => (validation.events?.f1 ?? 0) > 0)) {
    return { comparedBy: 'events of labels', judged: withObjective((a) => a.events?.f1 ?? 0) };
  }
  if (compared.some(({ validation }) => validation.averagePrecision !== null)) {
    return { comparedBy: 'average precision', judged: withObjective((a) => a.averagePrecision ?? 0) };
  }
  return {
    comparedBy: 'injected faults',
    judged: withObjective(({ injected }) => {
      const recalls = DECISIVE_FAULTS.map((kind) => injected[kind]?.recall ?? 0);
      return recalls.reduce((sum, x) => sum + x, 0) / recalls.length;
    }),
  };
}

/** The best within its budget, but the earliest of those that are hardly worse. */
function choose(judged: readonly ComparedCandidate[]): ComparedCandidate {
  const within = judged.filter(({ withinBudget }) => withinBudget);
  const from = within.length > 0 ? within : judged;
  const best = Math.max(...from.map(({ objective }) => objective));
  return from.find(({ objective }) => objective >= best - CLEARLY_BETTER) as ComparedCandidate;
}

function hostReports(model: Model, learned: LearnedRows, schema: MetricSchema): HostReport[] {
  const threshold = ({ surprise, score }: Model['thresholds']): number =>
    model.contamination === null ? surprise.info : score.info;
  return model.hosts.map(({ host, rows, thresholds }, i) => {
    const from = learned.hosts[i]?.from ?? 0;
    const to = learned.hosts[i + 1]?.from ?? learned.rows;
    const outside = learned.columns
      .map((column, metric) => ({
        metric: schema[metric]?.name ?? '',
        share: outsideShare(column, from, to),
      }))
      .reduce((worst, one) => (one.share > worst.share ? one : worst));
    return {
      host,
      rows,
      thresholdRatio: threshold(thresholds) / threshold(model.thresholds),
      outside,
      unlike: outside.share > UNLIKE_SHARE,
    };
  });
}

/** Share of the rows [from, to) beyond the 1st and 99th percentile of all the others. */
function outsideShare(column: Float64Array, from: number, to: number): number {
  const others = new Float64Array(column.length - (to - from));
  others.set(column.subarray(0, from));
  others.set(column.subarray(to), from);
  const sorted = sortedFinite(others);
  if (sorted.length === 0) return 0;
  const low = sorted[Math.floor(0.01 * (sorted.length - 1))] as number;
  const high = sorted[Math.ceil(0.99 * (sorted.length - 1))] as number;
  let outside = 0;
  let present = 0;
  for (const x of column.subarray(from, to)) {
    if (Number.isNaN(x)) continue;
    present++;
    if (x < low || x > high) outside++;
  }
  return present === 0 ? 0 : outside / present;
}
