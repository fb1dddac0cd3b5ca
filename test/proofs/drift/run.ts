import { fitDriftReference } from '../../../core/drift/calibration.ts';
import type { DecisionSettings } from '../../../core/drift/decision.ts';
import { type DriftDecision, DriftMonitor } from '../../../core/drift/monitor.ts';
import type { DriftReference } from '../../../core/drift/reference.ts';
import { runToEnd } from '../../../core/features.ts';

/** Recorded or simulated columns through the monitor, with a score that stands in for a detector's. */

export interface Columns {
  readonly columns: readonly (Float32Array | Float64Array)[];
  readonly startMs: number;
  readonly intervalMs: number;
}

/** Mean distance from the training mean in standard deviations: moves with every metric, as a detector's score does. */
export class StandInScore {
  readonly #means: number[];
  readonly #sds: number[];

  constructor(columns: Columns['columns'], from: number, to: number) {
    this.#means = columns.map((column) => meanOf(column.subarray(from, to), (x) => x));
    this.#sds = columns.map((column, i) => {
      const mean = this.#means[i] as number;
      return Math.sqrt(meanOf(column.subarray(from, to), (x) => (x - mean) * (x - mean)));
    });
  }

  /** Standard deviation of a metric in training. */
  sd(metric: number): number {
    return this.#sds[metric] as number;
  }

  mean(metric: number): number {
    return this.#means[metric] as number;
  }

  of(values: ArrayLike<number>): number {
    let sum = 0;
    for (let i = 0; i < this.#means.length; i++) {
      const distance = Math.abs((values[i] as number) - (this.#means[i] as number));
      if (!Number.isNaN(distance)) sum += distance / ((this.#sds[i] as number) || 1);
    }
    return sum / this.#means.length;
  }
}

/** Of what is there. */
function meanOf(values: Float32Array | Float64Array, of: (x: number) => number): number {
  let sum = 0;
  let count = 0;
  for (const x of values) {
    if (Number.isNaN(x)) continue;
    sum += of(x);
    count++;
  }
  return sum / Math.max(1, count);
}

export interface Fitted {
  readonly reference: DriftReference;
  readonly score: StandInScore;
}

/** A reference of the rows `from` to `to`. */
export function fitColumns({ columns, startMs, intervalMs }: Columns, from: number, to: number): Fitted {
  const score = new StandInScore(columns, from, to);
  const values = new Float64Array(columns.length);
  const scores = Float64Array.from({ length: to - from }, (_, i) => {
    for (let m = 0; m < columns.length; m++)
      values[m] = (columns[m] as ArrayLike<number>)[from + i] as number;
    return score.of(values);
  });
  const reference = runToEnd(
    fitDriftReference({
      columns: [...columns.map((column) => Float64Array.from(column.subarray(from, to))), scores],
      timeOf: (row) => startMs + (from + row) * intervalMs,
      intervalMs,
      leastEffects: new Float64Array(columns.length + 1),
    }),
  );
  if (reference === null) throw new Error('the history is too short');
  return { reference, score };
}

/** What happens to a row's values before they are measured; `sinceMs` is below 0 before the onset. */
export type Disturbance = (values: Float64Array, sinceMs: number) => void;

/** The decisions over the rows `from` to `to`. */
export function decide(
  { columns, startMs, intervalMs }: Columns,
  { reference, score }: Fitted,
  from: number,
  to: number,
  disturb: Disturbance | null = null,
  onsetMs = 0,
  settings?: DecisionSettings,
): DriftDecision[] {
  const monitor = new DriftMonitor(reference, intervalMs, 'model', null, settings);
  const decisions: DriftDecision[] = [];
  const values = new Float64Array(columns.length);
  for (let row = from; row < to; row++) {
    const timeMs = startMs + row * intervalMs;
    for (let m = 0; m < columns.length; m++) values[m] = (columns[m] as ArrayLike<number>)[row] as number;
    if (disturb !== null && timeMs >= onsetMs) disturb(values, timeMs - onsetMs);
    decisions.push(...monitor.update({ timeMs, values, score: score.of(values), inIncident: false }));
  }
  return decisions;
}

/** Time from the onset to the first decision at which `is` holds, or null. */
export function delayMs(
  decisions: readonly DriftDecision[],
  onsetMs: number,
  is: (decision: DriftDecision) => boolean,
): number | null {
  const first = decisions.find((decision) => decision.atMs > onsetMs && is(decision));
  return first === undefined ? null : first.atMs - onsetMs;
}
