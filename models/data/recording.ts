/**
 * Recorded data in memory, in time order and of bounded size: where there is more, every second, fourth, … stretch of
 * rows is kept, whole. Windows need rows that follow each other, so rows are never thinned one by one.
 */

/** Rows of one stretch. */
export const STRETCH_ROWS = 8192;
/** Doubles kept in all, over all recordings of one training: 24 MiB. */
export const VALUES_MAX = 3 * 1024 * 1024;
/** Beyond this many intervals a row does not continue the one before. */
const GAP_INTERVALS = 5;
/** In `labels`: nobody knows. */
export const UNLABELLED = 2;

export interface Recording {
  /** Where it comes from: the file's name without folder and extension. */
  readonly host: string;
  readonly names: readonly string[];
  readonly intervalMs: number;
  readonly timesMs: Float64Array;
  /** `columns[metric][row]`, NaN where missing. */
  readonly columns: readonly Float64Array[];
  /** 0, 1 or UNLABELLED; null where the data has no labels. */
  readonly labels: Uint8Array | null;
  /** Rows (ascending, without 0) that do not continue the row before. */
  readonly breaks: readonly number[];
  /** Rows that were read, of which `timesMs.length` are kept. */
  readonly rowsRead: number;
  /** Rows left out because their time is that of an earlier one, or before it. */
  readonly rowsOutOfOrder: number;
}

/** Gathers rows; the number of metrics decides how many are kept. */
export class RecordingBuilder {
  readonly #host: string;
  readonly #names: readonly string[];
  readonly #width: number;
  readonly #most: number;
  #stretches: Float64Array[] = [];
  #rowsInLast = STRETCH_ROWS;
  /** Of the stretches that came, each `#every`-th is kept. */
  #every = 1;
  #came = 0;
  #keeping = true;
  #rowsRead = 0;
  #outOfOrder = 0;
  #lastMs = Number.NEGATIVE_INFINITY;
  #labelled = false;

  constructor(host: string, names: readonly string[], valuesMax: number) {
    this.#host = host;
    this.#names = names;
    this.#width = names.length + 2;
    this.#most = Math.max(8, 2 * Math.floor(valuesMax / (STRETCH_ROWS * this.#width * 2)));
  }

  /** @param label 0, 1, or UNLABELLED @param values NaN where missing; copied */
  add(timeMs: number, label: number, values: ArrayLike<number>): void {
    if (!(timeMs > this.#lastMs)) {
      this.#outOfOrder++;
      return;
    }
    this.#lastMs = timeMs;
    this.#rowsRead++;
    if (this.#rowsInLast === STRETCH_ROWS) this.#begin();
    const at = this.#rowsInLast++ * this.#width;
    if (!this.#keeping) return;
    const stretch = this.#stretches.at(-1) as Float64Array;
    stretch[at] = timeMs;
    stretch[at + 1] = label;
    if (label !== UNLABELLED) this.#labelled = true;
    for (let i = 0; i < this.#names.length; i++) stretch[at + 2 + i] = values[i] as number;
  }

  #begin(): void {
    this.#rowsInLast = 0;
    this.#keeping = this.#came++ % this.#every === 0;
    if (!this.#keeping) return;
    if (this.#stretches.length === this.#most) {
      // Those at 0, 2, 4 … of what was kept are those at 0, 2, 4 … times the old distance of what came.
      this.#stretches = this.#stretches.filter((_, i) => i % 2 === 0);
      this.#every *= 2;
      this.#keeping = (this.#came - 1) % this.#every === 0;
      if (!this.#keeping) return;
    }
    this.#stretches.push(new Float64Array(STRETCH_ROWS * this.#width));
  }

  finish(): Recording {
    const count = this.#stretches.length;
    const inLast = this.#keeping ? this.#rowsInLast : STRETCH_ROWS;
    const rows = count === 0 ? 0 : (count - 1) * STRETCH_ROWS + inLast;
    const timesMs = new Float64Array(rows);
    const labels = this.#labelled ? new Uint8Array(rows) : null;
    const columns = this.#names.map(() => new Float64Array(rows));
    for (let s = 0; s < count; s++) {
      // Let go one by one, so that both copies never stand in memory together.
      const stretch = this.#stretches[s] as Float64Array;
      this.#stretches[s] = new Float64Array(0);
      const first = s * STRETCH_ROWS;
      const last = Math.min(first + STRETCH_ROWS, rows);
      for (let row = first; row < last; row++) {
        const at = (row - first) * this.#width;
        timesMs[row] = stretch[at] as number;
        if (labels !== null) labels[row] = stretch[at + 1] as number;
        for (let i = 0; i < columns.length; i++) {
          (columns[i] as Float64Array)[row] = stretch[at + 2 + i] as number;
        }
      }
    }
    this.#stretches = [];
    const intervalMs = usualInterval(timesMs);
    return {
      host: this.#host,
      names: this.#names,
      intervalMs,
      timesMs,
      columns,
      labels,
      breaks: breaksOf(timesMs, intervalMs),
      rowsRead: this.#rowsRead,
      rowsOutOfOrder: this.#outOfOrder,
    };
  }
}

const INTERVALS_LOOKED_AT = 1 << 16;

function usualInterval(timesMs: Float64Array): number {
  const steps = new Float64Array(Math.max(0, Math.min(timesMs.length - 1, INTERVALS_LOOKED_AT)));
  for (let i = 0; i < steps.length; i++) steps[i] = (timesMs[i + 1] as number) - (timesMs[i] as number);
  steps.sort();
  return steps[steps.length >> 1] ?? 1000;
}

function breaksOf(timesMs: Float64Array, intervalMs: number): number[] {
  const breaks: number[] = [];
  for (let row = 1; row < timesMs.length; row++) {
    const step = (timesMs[row] as number) - (timesMs[row - 1] as number);
    if (step > GAP_INTERVALS * intervalMs) breaks.push(row);
  }
  return breaks;
}

/** A part of a recording by rows; its breaks count from its first row. */
export function slice(recording: Recording, from: number, to: number): Recording {
  return {
    ...recording,
    timesMs: recording.timesMs.subarray(from, to),
    columns: recording.columns.map((column) => column.subarray(from, to)),
    labels: recording.labels?.subarray(from, to) ?? null,
    breaks: recording.breaks.filter((row) => row > from && row < to).map((row) => row - from),
  };
}
