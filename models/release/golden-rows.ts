import { type Model, REFERENCE_QUANTILES } from '../../core/model.ts';
import type { GoldenRow } from '../../core/protocol/trust.ts';
import { Random } from '../../core/random.ts';
import { goldenScores } from '../trust/golden.ts';

const ROWS = 64;
/** Of all rows together: a model of many metrics gets fewer rows, so that the document stays below its cap. */
const MOST_VALUES = 4096;
/** A jump goes beyond the training range by so many spreads. */
const JUMP_SPREADS = 8;
const MEDIAN = (REFERENCE_QUANTILES - 1) / 2;
const QUIET = 4;
const PHASE_ROWS = 8;

/**
 * Rows on which every host has to make the same scores as the machine that released the model. They are made of the
 * model's own reference distributions, the same for the same model: quiet stretches around the medians, stretches in
 * which every fourth metric leaves its range, missing values, and now and then a row with nothing at all.
 */
export function goldenRows(model: Model): GoldenRow[] {
  const metrics = model.schema.length;
  const rows = Math.max(1, Math.min(ROWS, Math.floor(MOST_VALUES / metrics)));
  const random = new Random(1);
  const values = Array.from({ length: rows }, (_, t) =>
    Array.from({ length: metrics }, (_, m) => {
      const x = valueAt(model, t, m, random.float());
      return isMissing(t, m) || !Number.isFinite(x) ? null : Number(x.toPrecision(7));
    }),
  );
  const scores = goldenScores(
    model,
    values.map((row) => ({ values: row })),
  );
  return values.map((row, t) => ({ values: row, score: scores[t] ?? null }));
}

/** Row 29 of 32 has nothing; each metric misses every thirteenth row. */
const isMissing = (t: number, m: number): boolean => t % 32 === 29 || (t + 3 * m) % 13 === 5;

/** @param u 0 to 1 @returns NaN where the metric was never seen */
function valueAt({ reference }: Model, t: number, m: number, u: number): number {
  const at = m * REFERENCE_QUANTILES;
  const quantile = (k: number): number => reference.metrics[at + k] as number;
  const phase = Math.floor(t / PHASE_ROWS);
  const jumps = phase % 2 === 1 && m % 4 === (phase >> 1) % 4;
  if (!jumps) return quantile(MEDIAN - QUIET + Math.floor(u * (2 * QUIET + 1)));
  const far = (reference.spreads[m] as number) * JUMP_SPREADS * (1 + u);
  return phase % 4 === 1 ? quantile(REFERENCE_QUANTILES - 1) + far : quantile(0) - far;
}
