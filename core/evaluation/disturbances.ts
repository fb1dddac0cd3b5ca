import { ln } from '../math.ts';
import type { Random } from '../random.ts';

/**
 * What happens to data between a host and a model, done to recorded rows on purpose: how far do scores and verdicts
 * move? Nothing given is changed; what is not disturbed is the same array.
 */

/** Rows as they would have arrived. */
export interface DisturbedRows {
  readonly timesMs: Float64Array;
  readonly columns: readonly Float64Array[];
  /** Which of the rows before each one is; null: all of them, in their places. */
  readonly kept: Uint32Array | null;
}

export interface Rows {
  readonly timesMs: Float64Array;
  readonly columns: readonly Float64Array[];
}

/** Standard normal deviate by Marsaglia's polar method: +, *, /, sqrt and core/math.ts alone. */
export function normal(random: Random): number {
  for (;;) {
    const u = 2 * random.float() - 1;
    const v = 2 * random.float() - 1;
    const s = u * u + v * v;
    if (s > 0 && s < 1) return u * Math.sqrt((-2 * ln(s)) / s);
  }
}

const withColumns = (rows: Rows, columns: readonly Float64Array[]): DisturbedRows => ({
  timesMs: rows.timesMs,
  columns,
  kept: null,
});

/** Adds to each value a normal deviate of `share` of its column's standard deviation. */
export function addNoise(
  rows: Rows,
  deviations: ArrayLike<number>,
  share: number,
  random: Random,
): DisturbedRows {
  return withColumns(
    rows,
    rows.columns.map((column, i) => {
      const size = share * (deviations[i] as number);
      return column.map((x) => x + size * normal(random));
    }),
  );
}

/** One column is missing in every row. */
export function dropColumn(rows: Rows, dropped: number): DisturbedRows {
  return withColumns(
    rows,
    rows.columns.map((column, i) =>
      i === dropped ? new Float64Array(column.length).fill(Number.NaN) : column,
    ),
  );
}

/** Each value is missing with this probability. */
export function dropCells(rows: Rows, share: number, random: Random): DisturbedRows {
  return withColumns(
    rows,
    rows.columns.map((column) => column.map((x) => (random.float() < share ? Number.NaN : x))),
  );
}

/** All values of a share of the rows, chosen at random, times `factor`. */
export function multiplyRows(rows: Rows, factor: number, share: number, random: Random): DisturbedRows {
  const chosen = Uint8Array.from(rows.timesMs, () => (random.float() < share ? 1 : 0));
  return withColumns(
    rows,
    rows.columns.map((column) => column.map((x, row) => (chosen[row] === 1 ? x * factor : x))),
  );
}

/** Every value moves up by `amount` standard deviations of its column. */
export function shiftAll(rows: Rows, deviations: ArrayLike<number>, amount: number): DisturbedRows {
  return withColumns(
    rows,
    rows.columns.map((column, i) => {
      const by = amount * (deviations[i] as number);
      return column.map((x) => x + by);
    }),
  );
}

/** From row `from` on, one column keeps the last value that it had. */
export function freezeColumn(rows: Rows, frozen: number, from: number): DisturbedRows {
  return withColumns(
    rows,
    rows.columns.map((column, i) => {
      if (i !== frozen) return column;
      let at = Math.min(from, column.length - 1);
      while (at > 0 && Number.isNaN(column[at])) at--;
      return column.slice().fill(column[at] ?? Number.NaN, from);
    }),
  );
}

/** The clock is `byMs` further (back where negative) from row `from` on, up to row `to`. */
export function jumpClock(
  rows: Rows,
  byMs: number,
  from: number,
  to = Number.POSITIVE_INFINITY,
): DisturbedRows {
  const timesMs = rows.timesMs.map((timeMs, row) => (row >= from && row < to ? timeMs + byMs : timeMs));
  return { timesMs, columns: rows.columns, kept: null };
}

/** About `share` of the rows never came, in `gaps` stretches of equal length at random places. */
export function cutGaps(rows: Rows, share: number, gaps: number, random: Random): DisturbedRows {
  const count = rows.timesMs.length;
  const length = Math.floor((count * share) / gaps);
  const lost = new Uint8Array(count);
  for (let gap = 0; gap < gaps; gap++) {
    const first = random.below(Math.max(1, count - length));
    lost.fill(1, first, first + length);
  }
  const kept = Uint32Array.from({ length: count }, (_, row) => row).filter((row) => lost[row] === 0);
  return {
    timesMs: Float64Array.from(kept, (row) => rows.timesMs[row] as number),
    columns: rows.columns.map((column) => Float64Array.from(kept, (row) => column[row] as number)),
    kept,
  };
}
