import { createHash } from 'node:crypto';
import type { Stepwise } from '../core/features.ts';
import { type Budget, DEFAULT_BUDGET, type Model } from '../core/model.ts';
import type { MetricSchema } from '../core/sample.ts';
import { TRAINING_DEFAULTS, trainModel, usableMetrics } from '../core/train.ts';
import { withLongReference } from './drift-reference.ts';
import { flagsLeftOut } from './left-out.ts';
import { newestRows } from './newest-rows.ts';
import { SAMPLE_IN_INCIDENT, type Store } from './store/store.ts';

const HOUR_MS = 3_600_000;
/** Rows a fit takes at the most: a day at 5 s, a month at 2 minutes. The newest ones. */
export const MAX_TRAINING_ROWS = 30_000;
const COPIED_ROWS_PER_STEP = 512;
/** Fewer rows than this are no basis for a model. */
export const LEAST_TRAINING_ROWS = 40;
/** A fit that found too little history is tried again so much later, not at every sample. */
const RETRY_MS = 60_000;

/** History at which a host's own model is fitted anew; after the last one, every night. */
export const REFIT_AGES_MS = [HOUR_MS, 6 * HOUR_MS, 24 * HOUR_MS] as const;

export interface LearnerState {
  /** Sample time of the first row this host ever kept. */
  readonly firstSampleMs: number | null;
  readonly fits: number;
  readonly lastFitMs: number | null;
}

/** What comes next, for people: "first model in 12 min". */
export interface NextFit {
  readonly kind: 'first' | 'widening' | 'nightly' | 'none';
  readonly dueMs: number | null;
}

/** When to learn: warm-up, 1 h, 6 h, 24 h of history, then nightly. Decides by sample time; holds no timer. */
export class LearningSchedule {
  #warmupMs: number;
  #refit: 'auto' | 'off';
  #state: LearnerState;
  #nightlyDue = false;

  constructor(warmupMs: number, refit: 'auto' | 'off', state: LearnerState | null) {
    this.#warmupMs = warmupMs;
    this.#refit = refit;
    this.#state = state ?? { firstSampleMs: null, fits: 0, lastFitMs: null };
  }

  configure(warmupMs: number, refit: 'auto' | 'off'): void {
    this.#warmupMs = warmupMs;
    this.#refit = refit;
  }

  get state(): LearnerState {
    return this.#state;
  }

  sampled(timeMs: number): void {
    if (this.#state.firstSampleMs === null || timeMs < this.#state.firstSampleMs) {
      this.#state = { ...this.#state, firstSampleMs: timeMs };
    }
    // A clock that was set back must not put the next fit off until it has caught up.
    if (this.#state.lastFitMs !== null && timeMs < this.#state.lastFitMs) {
      this.#state = { ...this.#state, lastFitMs: timeMs };
    }
  }

  next(hasModel: boolean): NextFit {
    const first = this.#state.firstSampleMs;
    const last = this.#state.lastFitMs;
    if (!hasModel) {
      const retryMs = last === null ? 0 : last + Math.min(RETRY_MS, this.#warmupMs);
      return { kind: 'first', dueMs: first === null ? null : Math.max(first + this.#warmupMs, retryMs) };
    }
    if (this.#refit === 'off') return { kind: 'none', dueMs: null };
    for (const age of REFIT_AGES_MS) {
      const due = (first ?? 0) + age;
      if (age > this.#warmupMs && (last === null || last < due)) return { kind: 'widening', dueMs: due };
    }
    return { kind: 'nightly', dueMs: null };
  }

  due(nowMs: number, hasModel: boolean): boolean {
    const next = this.next(hasModel);
    return next.kind === 'nightly' ? this.#nightlyDue : next.dueMs !== null && nowMs >= next.dueMs;
  }

  /** The nightly timer rang. */
  night(): void {
    this.#nightlyDue = true;
  }

  /** A fit was made, or tried: the next one is the next stage's. */
  fitted(nowMs: number): void {
    this.#nightlyDue = false;
    this.#state = { ...this.#state, fits: this.#state.fits + 1, lastFitMs: nowMs };
  }
}

export interface FitRequest {
  readonly store: Store;
  readonly schema: MetricSchema;
  readonly nowMs: number;
  readonly budget: Budget;
  readonly renotifyMs: number;
  readonly intervalMs: number;
  readonly toolVersion: string;
  readonly seed: number;
  /** The newest so many rows, MAX_TRAINING_ROWS where it is not said. */
  readonly mostRows?: number;
  /** Drift is held against nothing from before this time; null: against 14 days. */
  readonly referenceFromMs: number | null;
}

/**
 * Fits a model to the host's own history: to its newest rows, and the reference of drift to its last fortnight.
 * @returns null where there is not enough to learn from
 */
export function* fitFromStore(request: FitRequest): Stepwise<Model | null> {
  // On its own, so that the rows are gone before the reference needs room.
  const model = yield* fitNewest(request);
  return model === null
    ? null
    : yield* withLongReference(model, { ...request, fromMs: request.referenceFromMs });
}

function* fitNewest(request: FitRequest): Stepwise<Model | null> {
  const rows = yield* newestRows(request.store, request.mostRows ?? MAX_TRAINING_ROWS);
  const leaveOut = flagsLeftOut(
    rows.length,
    rows.reduce((count, { flags }) => count + (flags & SAMPLE_IN_INCIDENT) / SAMPLE_IN_INCIDENT, 0),
  );
  const columns = request.schema.map(() => new Float64Array(rows.length));
  const digest = createHash('sha256');
  let used = 0;
  for (const [i, row] of rows.entries()) {
    const out = (row.flags & leaveOut) !== 0;
    if (!out) used++;
    // Left-out rows stay as missing ones, so that time runs on evenly.
    for (let metric = 0; metric < columns.length; metric++) {
      (columns[metric] as Float64Array)[i] = out ? Number.NaN : (row.values[metric] ?? Number.NaN);
    }
    if (!out) digest.update(new Uint8Array(row.values.buffer, row.values.byteOffset, row.values.byteLength));
    if (i % COPIED_ROWS_PER_STEP === COPIED_ROWS_PER_STEP - 1) yield;
  }
  const first = rows[0];
  const last = rows.at(-1);
  if (used < LEAST_TRAINING_ROWS || first === undefined || last === undefined) return null;
  const usable = yield* usableMetrics(columns);
  if (usable.length === 0) return null;
  const timesMs = Float64Array.from(rows, ({ timeMs }) => timeMs);
  yield;
  const intervalMs = medianInterval(timesMs) ?? request.intervalMs;
  yield;
  return yield* trainModel(
    usable.map((i) => request.schema[i] as MetricSchema[number]),
    usable.map((i) => columns[i] as Float64Array),
    {
      name: 'self',
      version: new Date(request.nowMs).toISOString(),
      seed: request.seed,
      trainedFromMs: first.timeMs,
      trainedToMs: last.timeMs,
      rows: used,
      intervalMs,
      dataSha256: digest.digest('hex'),
      toolVersion: request.toolVersion,
    },
    {
      ...TRAINING_DEFAULTS,
      budget: request.budget ?? DEFAULT_BUDGET,
      renotifyMs: request.renotifyMs,
      timesMs,
    },
  );
}

function medianInterval(timesMs: Float64Array): number | null {
  const steps = new Float64Array(timesMs.length);
  let count = 0;
  for (let i = 1; i < timesMs.length; i++) {
    const step = (timesMs[i] as number) - (timesMs[i - 1] as number);
    if (step > 0) steps[count++] = step;
  }
  return steps.subarray(0, count).sort()[count >> 1] ?? null;
}
