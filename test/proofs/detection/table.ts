import type { MeanEvents, SetResult, seriesResult } from './summary.ts';

/** Lines that a person reads. Event figures are those with the guard. */

const number = (x: number | null, width = 6, digits = 3): string =>
  (x === null ? '-' : x.toFixed(digits)).padStart(width);
const minutes = (ms: number | null): string =>
  (ms === null ? '-' : `${Math.round(ms / 60_000)} min`).padStart(8);

export const HEAD = [
  `${' '.repeat(52)}                                        one alarm a day, with the guard                          one a week`,
  `${'set, series'.padEnd(34)}${'detector'.padEnd(18)}AUC-PR     (recipe)  VUS-PR ROC-AUC   recall  prec.    F1 (recipe) false/day  flagged    delay    F1 false/day`,
].join('\n');

export function seriesLine(row: ReturnType<typeof seriesResult>): string {
  return [
    `${row.set.padEnd(7)}${row.series.padEnd(27)}${row.detector.padEnd(17)}`,
    `${number(row.averagePrecision)} ±${number(row.averagePrecisionSpread, 5)}  ${number(row.reference.averagePrecision)}  ${number(row.vusPr)} ${number(row.rocAuc)}`,
    events(row.guarded.day, row.reference.guardedAtOneADay.f1),
    `${number(row.guarded.week.f1)}  ${number(row.guarded.week.falsePerDay, 6, 2)}`,
  ].join('  ');
}

export function setLine({ set, detector, means, reference, missed }: SetResult): string {
  const week = `${number(means.guarded.week.f1)}  ${number(means.guarded.week.falsePerDay, 6, 2)}`;
  return [
    `${'mean'.padEnd(7)}${set.padEnd(27)}${detector.padEnd(17)}`,
    `${number(means.averagePrecision)}         ${number(reference.averagePrecision)}  ${number(means.vusPr)} ${number(means.rocAuc)}`,
    events(means.guarded.day, reference.f1AtOneADay),
    `${week} (recipe ${number(reference.f1AtOneAWeek, 5)})`,
    missed.length > 0 ? `MISSED: ${missed.join('; ')}` : '',
  ].join('  ');
}

const events = (of: MeanEvents, recipe: number): string =>
  `${number(of.recall)} ${number(of.precision)} ${number(of.f1)} ${number(recipe)} ${number(of.falsePerDay, 9, 2)} ${`${(100 * of.flaggedShare).toFixed(2)} %`.padStart(9)} ${minutes(of.delayMs)}`;
