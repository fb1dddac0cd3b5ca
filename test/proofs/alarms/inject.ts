import type { Random } from '../../../core/random.ts';
import type { Series } from './series.ts';

/** Faults put into the test part of a series, one metric at a time, away from labelled events. */

export const FAULTS = ['spike', 'level shift', 'ramp of 4 h', 'ramp of 12 h', 'frozen'] as const;
export type FaultKind = (typeof FAULTS)[number];

export interface Fault {
  readonly kind: FaultKind;
  readonly metric: string;
  /** First and last row. */
  readonly first: number;
  readonly last: number;
}

const HOUR_MS = 3_600_000;
/** Length, and height in standard deviations of the metric in training. A frozen metric keeps its last value. */
export const SHAPES: Readonly<Record<FaultKind, { readonly durationMs: number; readonly height: number }>> = {
  spike: { durationMs: 15 * 60_000, height: 8 },
  'level shift': { durationMs: 4 * HOUR_MS, height: 4 },
  'ramp of 4 h': { durationMs: 4 * HOUR_MS, height: 6 },
  'ramp of 12 h': { durationMs: 12 * HOUR_MS, height: 6 },
  frozen: { durationMs: 24 * HOUR_MS, height: 0 },
};
/** Quiet time around each fault, so that one is not taken for another. */
const MARGIN_MS = 6 * HOUR_MS;

/** @returns a copy with faults of one kind, and where they are */
export function inject(series: Series, kind: FaultKind, random: Random): { series: Series; faults: Fault[] } {
  const { durationMs, height } = SHAPES[kind];
  const length = Math.max(1, Math.round(durationMs / series.intervalMs));
  const margin = Math.round(MARGIN_MS / series.intervalMs);
  const values = series.values.map((column) => column.slice());
  const lively = values.flatMap((column, i) => (deviation(column, series.testFrom) > 0 ? [i] : []));
  const faults: Fault[] = [];
  let row = series.testFrom + Math.floor(random.float() * margin);
  while (lively.length > 0 && row + length + margin < series.timesMs.length) {
    const last = row + length - 1;
    const blocked = lastLabel(series, row - margin, last + margin);
    if (blocked >= 0) {
      row = blocked + margin + 1;
      continue;
    }
    const metric = lively[Math.floor(random.float() * lively.length)] as number;
    const column = values[metric] as Float64Array;
    const sd = deviation(column, series.testFrom);
    const frozen = column[row] as number;
    for (let i = 0; i < length; i++) {
      const at = row + i;
      if (kind === 'frozen') column[at] = frozen;
      else
        column[at] = (column[at] as number) + height * sd * (kind.startsWith('ramp') ? (i + 1) / length : 1);
    }
    faults.push({ kind, metric: series.columns[metric] as string, first: row, last });
    row = last + margin + Math.floor(random.float() * margin);
  }
  return { series: { ...series, values }, faults };
}

function lastLabel(series: Series, from: number, to: number): number {
  for (let row = Math.min(to, series.labels.length - 1); row >= Math.max(0, from); row--) {
    if (series.labels[row] === 1) return row;
  }
  return -1;
}

function deviation(column: Float64Array, rows: number): number {
  const present = column.subarray(0, rows).filter((x) => !Number.isNaN(x));
  const mean = present.reduce((sum, x) => sum + x, 0) / present.length;
  return Math.sqrt(present.reduce((sum, x) => sum + (x - mean) ** 2, 0) / present.length);
}
