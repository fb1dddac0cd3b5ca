import { createHash } from 'node:crypto';
import { DECISIVE_FAULTS, FAULT_KINDS } from '../../core/evaluation/faults.ts';
import { runToEnd } from '../../core/features.ts';
import type { Model } from '../../core/model.ts';
import type { MetricSchema } from '../../core/sample.ts';
import { trainModel } from '../../core/train.ts';
import { type Recording, slice } from '../data/recording.ts';
import { columnsByWeight, meanContributions } from '../evaluation/portrait.ts';
import { type DisturbedFigures, measureRobustness } from '../evaluation/robustness.ts';
import { type Assessment, assess, see } from './assess.ts';
import { type Candidate, candidateWords, trainingOptions } from './candidates.ts';
import { type HostReport, hostReports } from './hosts.ts';
import { judgedParts, type LearnedRows, learnedRows, type Split, scalerOf } from './parts.ts';
import { prepare } from './prepare.ts';

/** Candidates are compared on models of so many rows at the most: enough for weeks at a minute, a day at a second. */
const COMPARED_ROWS = 100_000;
/** A later candidate has to be better by more than this: the first is the recipe, and a difference below is chance. */
const CLEARLY_BETTER = 0.02;
/** Of comparing and testing: below, figures are hardly any. */
const LEAST_DAYS = 1;
/** Beyond this many times its budget, a candidate's recall was bought with alarms. */
const BUDGET_SLACK = 3;
export interface TrainingRequest {
  readonly name: string;
  readonly recordings: readonly Recording[];
  readonly candidates: readonly Candidate[];
  readonly split: Split;
  readonly seed: number;
  readonly toolVersion: string;
  /** Worth knowing of how the rows were read. */
  readonly notes?: readonly string[];
  readonly onProgress?: (done: number, total: number, what: string) => void;
}

export interface ComparedCandidate {
  readonly parameters: Candidate;
  readonly objective: number;
  readonly withinBudget: boolean;
  readonly validation: Assessment;
  readonly fitMs: number;
}

export interface TrainingResult {
  /** Its provenance has no version yet: the registry gives it. */
  readonly model: Model;
  readonly chosen: ComparedCandidate;
  readonly compared: readonly ComparedCandidate[];
  /** What candidates were compared by: mean of event F1 and AUC-PR, or mean recall of spikes and level shifts. */
  readonly comparedBy: 'labels' | 'injected faults';
  readonly test: Assessment;
  /** On the test part. */
  readonly robustness: readonly DisturbedFigures[];
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
  const steps = candidates.length + 3;
  const few = learnedRows(recordings, split.train, COMPARED_ROWS);
  const deviations = scalerOf(few.columns).map(({ std }) => std);
  const validation = judgedParts(recordings, split.train, split.train + split.validation, COMPARED_ROWS);
  const compared = candidates.map((parameters, i): ComparedCandidate => {
    request.onProgress?.(i, steps, candidateWords(parameters));
    const startedMs = nowMs();
    const model = fitModel(request, schema, few, parameters, recordings, split.train);
    const fitMs = nowMs() - startedMs;
    const seen = validation.map((part) => see(model, part));
    const figures = assess(model, seen, deviations, { seed, faults: FAULT_KINDS, vus: true });
    return {
      parameters,
      validation: figures,
      fitMs,
      objective: 0,
      withinBudget: keepsBudget(parameters, figures),
    };
  });
  const { comparedBy, judged } = judge(compared);
  const chosen = choose(judged);
  request.onProgress?.(candidates.length, steps, `fit: ${candidateWords(chosen.parameters)}`);
  const learned = learnedRows(recordings, split.train + split.validation);
  const model = fitModel(
    request,
    schema,
    learned,
    chosen.parameters,
    recordings,
    split.train + split.validation,
  );
  request.onProgress?.(candidates.length + 1, steps, 'test');
  const scaler = scalerOf(learned.columns);
  const seen = judgedParts(recordings, split.train + split.validation, 1).map((part) => see(model, part));
  const test = assess(
    model,
    seen,
    scaler.map(({ std }) => std),
    { seed, faults: FAULT_KINDS, vus: true },
  );
  request.onProgress?.(candidates.length + 2, steps, 'robustness');
  const robustness = measureRobustness(
    model,
    seen.map(({ part: { recording, from } }) => slice(recording, from, recording.timesMs.length)),
    {
      seed,
      deviations: scaler.map(({ std }) => std),
      byWeight: columnsByWeight(model, recordings[0]?.names ?? [], meanContributions(model, seen)),
    },
  );
  request.onProgress?.(steps, steps, 'done');
  const hosts = hostReports(model, few);
  notes.unshift(...(request.notes ?? []));
  notes.push(...notesOn(recordings, hosts, learned));
  notes.push(...shortNotes(compared[0]?.validation, test));
  return {
    model,
    chosen,
    compared: judged,
    comparedBy,
    test,
    robustness,
    scaler: Object.fromEntries(schema.map(({ name }, i) => [name, scaler[i] as (typeof scaler)[number]])),
    hosts,
    notes,
    rows: {
      read: total(recordings, ({ rowsRead }) => rowsRead),
      used: total(recordings, ({ timesMs }) => timesMs.length),
      train: total(recordings, ({ timesMs }) => Math.round(timesMs.length * split.train)),
      validation: total(validation, ({ recording, from }) => recording.timesMs.length - from),
      test: test.rows,
      leftOut: learned.leftOut,
    },
  };
}

/** A short part may hold two alarms by chance. What labels call an anomaly is worth its alarm. */
function keepsBudget({ budgetPerDay }: Candidate, figures: Assessment): boolean {
  if (budgetPerDay === null) return true;
  const spent = figures.falseAlarmsPerDay ?? figures.alarmsPerDay;
  return spent <= Math.max(BUDGET_SLACK * budgetPerDay, 2 / Math.max(figures.days, 1e-9));
}

const total = <T>(items: readonly T[], of: (item: T) => number): number =>
  items.reduce((sum, item) => sum + of(item), 0);

/** What whoever ships the model has to know of how it came about. */
function notesOn(
  recordings: readonly Recording[],
  hosts: readonly HostReport[],
  learned: LearnedRows,
): string[] {
  const notes = hosts
    .filter(({ unlike }) => unlike)
    .map(
      ({ host, outside }) =>
        `${host} is unlike the other hosts: ${Math.round(outside.share * 100)} % of its ${outside.metric} lies outside all that they know; a model of its own will serve it better`,
    );
  const used = total(recordings, ({ timesMs }) => timesMs.length);
  const read = total(recordings, ({ rowsRead }) => rowsRead);
  const disorder = total(recordings, ({ rowsOutOfOrder }) => rowsOutOfOrder);
  if (learned.leftOut > 0) notes.push(`${learned.leftOut} rows labelled as anomalies were not learned from`);
  if (disorder > 0)
    notes.push(`${disorder} rows out of order, or of a time that was there before, were left out`);
  if (used < read) notes.push(`of ${read} rows ${used} were kept, in whole stretches over all of the time`);
  return notes;
}

/** Figures of a few hours say little, whatever they are. */
function shortNotes(validation: Assessment | undefined, test: Assessment): string[] {
  const days = Math.min(validation?.days ?? 0, test.days);
  if (days >= LEAST_DAYS) return [];
  const hours = (24 * days).toFixed(1);
  return [
    `only ${hours} h to compare or to test by: the figures below say little, and thresholds will wander; a week of data is better`,
  ];
}

function fitModel(
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
      {
        ...trainingOptions(candidate),
        breaks: learned.breaks,
        hosts: learned.hosts,
        timesMs: learned.timesMs,
      },
    ),
  );
}

function judge(compared: readonly ComparedCandidate[]): {
  comparedBy: TrainingResult['comparedBy'];
  judged: ComparedCandidate[];
} {
  const withObjective = (objective: (a: Assessment) => number): ComparedCandidate[] =>
    compared.map((one) => ({ ...one, objective: objective(one.validation) }));
  if (compared.some(({ validation }) => validation.averagePrecision !== null)) {
    // Few labelled events make F1 coarse, and AUC-PR says nothing of alarms: half each.
    return {
      comparedBy: 'labels',
      judged: withObjective((a) => ((a.events?.f1 ?? 0) + (a.averagePrecision ?? 0)) / 2),
    };
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
