import type { Random } from '../random.ts';

/**
 * Faults put into recorded data, one metric at a time, to see whether a model tells them. Recall of spikes and level
 * shifts ranks detectors as labels do (rank correlation .70-.77 over 27 detectors); of ramps, frozen sensors and lost
 * rows it does not: they are told beside, not decided by.
 */
export const FAULT_KINDS = ['spike', 'levelShift', 'ramp', 'stuck', 'lost'] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];
/** Those that candidates are compared by. */
export const DECISIVE_FAULTS: readonly FaultKind[] = ['spike', 'levelShift'];

export interface Fault {
  readonly first: number;
  readonly last: number;
  readonly metric: number;
}

const MINUTE_MS = 60_000;
/** Length, and height in standard deviations of the metric. A stuck metric keeps its last value, a lost one has none. */
const SHAPES: Readonly<Record<FaultKind, { readonly durationMs: number; readonly height: number }>> = {
  spike: { durationMs: 15 * MINUTE_MS, height: 8 },
  levelShift: { durationMs: 240 * MINUTE_MS, height: 4 },
  ramp: { durationMs: 240 * MINUTE_MS, height: 6 },
  stuck: { durationMs: 24 * 60 * MINUTE_MS, height: 0 },
  lost: { durationMs: 15 * MINUTE_MS, height: 0 },
};
/** Quiet rows between two faults, as a multiple of their length and at the least. */
const QUIET_LENGTHS = 1.5;
const QUIET_LEAST = 60;
/** On short data faults are shorter, so that several find room. */
const ROOM_SHARE = 1 / 6;

/**
 * @param columns not changed
 * @param deviations standard deviation of each metric in training; metrics with 0 are left alone
 * @param blocked rows that no fault may touch: labelled ones
 */
export function injectFaults(
  columns: readonly Float64Array[],
  deviations: ArrayLike<number>,
  kind: FaultKind,
  intervalMs: number,
  random: Random,
  blocked: ArrayLike<number> | null,
): { readonly columns: Float64Array[]; readonly faults: Fault[] } {
  const { durationMs, height } = SHAPES[kind];
  const rows = columns[0]?.length ?? 0;
  const length = Math.max(3, Math.min(Math.round(durationMs / intervalMs), Math.floor(rows * ROOM_SHARE)));
  const quiet = Math.max(QUIET_LEAST, Math.round(QUIET_LENGTHS * length));
  const out = columns.map((column) => column.slice());
  const lively = columns.flatMap((_, metric) => ((deviations[metric] as number) > 0 ? [metric] : []));
  const faults: Fault[] = [];
  let row = Math.floor(random.float() * Math.min(quiet, rows / 4));
  while (lively.length > 0 && row + length <= rows) {
    const last = row + length - 1;
    const obstacle = lastBlocked(blocked, row, last);
    if (obstacle >= 0) {
      row = obstacle + 1;
      continue;
    }
    const metric = lively[random.below(lively.length)] as number;
    const column = out[metric] as Float64Array;
    const before = column[row] as number;
    for (let i = 0; i < length; i++) {
      const share = kind === 'ramp' ? (i + 1) / length : 1;
      if (kind === 'stuck') column[row + i] = before;
      else if (kind === 'lost') for (const each of out) each[row + i] = Number.NaN;
      else column[row + i] = (column[row + i] as number) + height * (deviations[metric] as number) * share;
    }
    faults.push({ first: row, last, metric });
    row = last + quiet + Math.floor(random.float() * quiet);
  }
  return { columns: out, faults };
}

function lastBlocked(blocked: ArrayLike<number> | null, from: number, to: number): number {
  if (blocked === null) return -1;
  for (let row = to; row >= from; row--) if (blocked[row] === 1) return row;
  return -1;
}
