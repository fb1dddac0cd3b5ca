import { modelDrift, slotSamples } from '../core/drift/calibration.ts';
import { DAY_MS } from '../core/drift/reference.ts';
import type { Stepwise } from '../core/features.ts';
import type { Model } from '../core/model.ts';
import { Random } from '../core/random.ts';
import type { MetricSchema } from '../core/sample.ts';
import { flagsLeftOut } from './left-out.ts';
import { Rescored } from './rescored.ts';
import { SAMPLE_IN_INCIDENT, type Store } from './store/store.ts';

/** Two of each day of the week: what a reference needs to know ordinary days and weekends. */
export const REFERENCE_MS = 14 * DAY_MS;

/** A regime younger than this has no reference (five windows of an hour): then some of what was before is in it. */
const LEAST_REFERENCE_MS = DAY_MS / 4;

/** Between two looks at the clock. */
const ROWS_PER_STEP = 16;
const MOVED_ROWS_PER_STEP = 1024;

export interface ReferenceRequest {
  readonly store: Store;
  /** Of the stored samples. */
  readonly schema: MetricSchema;
  readonly nowMs: number;
  /** What lies before is another regime's; null: nothing does. */
  readonly fromMs: number | null;
}

/**
 * The model with a reference over up to 14 days, which is more than it learned from: one stored sample in each 30 s,
 * drawn at random, and the model's own score of it. At most 40,320 rows, 6 MB with 17 metrics while it is fitted.
 */
export function* withLongReference(
  model: Model,
  { store, schema, nowMs, fromMs }: ReferenceRequest,
): Stepwise<Model> {
  const { intervalMs } = model.provenance;
  yield;
  if (fromMs === null && !isLonger(store, model, nowMs)) return model;
  yield;
  const slotMs = intervalMs * slotSamples(DAY_MS, intervalMs);
  const startMs = Math.max(nowMs - REFERENCE_MS, Math.min(fromMs ?? 0, nowMs - LEAST_REFERENCE_MS));
  const most = Math.ceil((nowMs - startMs) / slotMs) + 2;
  const width = model.schema.length + 1;
  const rows = new RowTable(Math.min(most, Math.ceil(REFERENCE_MS / slotMs) + 2), width);
  yield;
  const reader = new Rescored(model, schema);
  yield;
  const random = new Random(model.provenance.seed);
  let slot = Number.NaN;
  let dueMs = 0;
  let count = 0;
  for (const row of store.samples(startMs, nowMs + 1)) {
    const own = Math.floor(row.timeMs / slotMs);
    if (own !== slot) {
      slot = own;
      dueMs = own * slotMs + random.below(slotMs / intervalMs) * intervalMs;
    }
    if (row.timeMs < dueMs) reader.pass(row);
    else {
      rows.add(row.timeMs, reader.score(row), reader.values, row.flags);
      dueMs = Number.POSITIVE_INFINITY;
    }
    if (++count % ROWS_PER_STEP === 0) yield;
  }
  const columns = yield* rows.learned();
  const drift = yield* modelDrift(
    model.schema,
    columns,
    { trainedFromMs: startMs, intervalMs: slotMs },
    rows.timesMs,
  );
  return { ...model, drift: drift ?? (fromMs === null ? model.drift : null) };
}

/** Is there something before what the model learned from? */
function isLonger(store: Store, model: Model, nowMs: number): boolean {
  for (const _row of store.samples(nowMs - REFERENCE_MS, model.provenance.trainedFromMs)) return true;
  return false;
}

/** Columns that rows are put into, of which incidents can be left out at the end. */
class RowTable {
  readonly #columns: readonly Float64Array[];
  readonly #flags: Uint8Array;
  readonly timesMs: Float64Array;
  #rows = 0;

  constructor(most: number, width: number) {
    this.#columns = Array.from({ length: width }, () => new Float64Array(most));
    this.#flags = new Uint8Array(most);
    this.timesMs = new Float64Array(most);
  }

  add(timeMs: number, score: number, values: Float64Array, flags: number): void {
    const at = this.#rows;
    if (at === this.#flags.length) return;
    this.#rows++;
    for (let i = 0; i < values.length; i++) (this.#columns[i] as Float64Array)[at] = values[i] as number;
    (this.#columns[values.length] as Float64Array)[at] = score;
    this.timesMs[at] = timeMs;
    this.#flags[at] = flags;
  }

  /** Without what learning leaves out, incidents up to a quarter. `timesMs` are of these rows afterwards. */
  *learned(): Stepwise<Float64Array[]> {
    let inIncident = 0;
    for (let i = 0; i < this.#rows; i++) {
      if (((this.#flags[i] as number) & SAMPLE_IN_INCIDENT) !== 0) inIncident++;
    }
    const leaveOut = flagsLeftOut(this.#rows, inIncident);
    let kept = 0;
    for (let i = 0; i < this.#rows; i++) {
      if (i % MOVED_ROWS_PER_STEP === 0) yield;
      if (((this.#flags[i] as number) & leaveOut) !== 0) continue;
      for (const column of this.#columns) column[kept] = column[i] as number;
      this.timesMs[kept++] = this.timesMs[i] as number;
    }
    return this.#columns.map((column) => column.subarray(0, kept));
  }
}
