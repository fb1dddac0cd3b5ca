import { createDetector } from '../../core/create-detector.ts';
import type { Model } from '../../core/model.ts';
import type { GoldenRow } from '../../core/protocol/trust.ts';

/**
 * Scores rows as one stream from a fresh start on.
 * @param rows values in the order of the model's metrics; null: missing
 * @returns one score a row; null where the model gives none
 */
export function goldenScores(model: Model, rows: readonly Pick<GoldenRow, 'values'>[]): (number | null)[] {
  const detector = createDetector(model);
  detector.reset();
  const values = new Float64Array(model.schema.length);
  return rows.map((row) => {
    for (let i = 0; i < values.length; i++) values[i] = row.values[i] ?? Number.NaN;
    const score = detector.score(values);
    // JSON has one zero.
    return Number.isFinite(score) ? score + 0 : null;
  });
}

/** What is wrong where this machine makes other scores of the rows than the release says, or null. Bits count. */
export function goldenFault(model: Model, rows: readonly GoldenRow[]): string | null {
  const width = model.schema.length;
  const odd = rows.findIndex(({ values }) => values.length !== width);
  if (odd >= 0)
    return `golden row ${odd + 1} has ${rows[odd]?.values.length} values, the model ${width} metrics`;
  const scores = goldenScores(model, rows);
  const other = rows.findIndex(({ score }, i) => !Object.is(score, scores[i]));
  if (other < 0) return null;
  return `golden row ${other + 1} scores ${scores[other]}, the release says ${rows[other]?.score}`;
}
