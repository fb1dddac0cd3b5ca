import type { NotificationRule } from '../calibration.ts';
import { segmentsOf } from './ranking.ts';

/** Alarms as somebody gets them: episodes of flags, told when they begin and again while they stand. */

const DAY_MS = 86_400_000;

/** A notification, and the last flagged row before the next. */
export interface Notification {
  readonly first: number;
  readonly last: number;
}

export interface EventFigures {
  readonly days: number;
  readonly notifications: number;
  readonly notificationsPerDay: number;
  readonly falsePerDay: number;
  /** Labelled segments; found: those that a notification overlaps. */
  readonly segments: number;
  readonly found: number;
  readonly recall: number;
  readonly precision: number;
  readonly f1: number;
  /** Median time from the beginning of a found segment to the first flag in it; null: none was found. */
  readonly delayMs: number | null;
  readonly flaggedShare: number;
}

/** @param flags 1 where an alarm stands */
export function notificationsOf(flags: ArrayLike<number>, rule: NotificationRule): Notification[] {
  const found: { first: number; last: number }[] = [];
  for (let row = 0; row < flags.length; row++) {
    if (flags[row] !== 1) continue;
    const current = found.at(-1);
    if (
      current === undefined ||
      row - current.last > rule.mergeSamples ||
      row - current.first >= rule.renotifySamples
    ) {
      found.push({ first: row, last: row });
    } else current.last = row;
  }
  return found;
}

/** @param labels null: none are known, and every notification is taken for a false one */
export function judgeEvents(
  flags: ArrayLike<number>,
  labels: ArrayLike<number> | null,
  intervalMs: number,
  rule: NotificationRule,
): EventFigures {
  const told = notificationsOf(flags, rule);
  const segments = labels === null ? [] : segmentsOf(labels);
  const days = (flags.length * intervalMs) / DAY_MS;
  const overlapping = ({ first, last }: Notification): boolean =>
    segments.some(([from, to]) => first <= to && last >= from);
  const trueOnes = told.filter(overlapping).length;
  const delays = segments.flatMap(([from, to]) => {
    const hit = told.find(({ first, last }) => first <= to && last >= from);
    return hit === undefined ? [] : [(Math.max(from, hit.first) - from) * intervalMs];
  });
  const recall = segments.length === 0 ? 0 : delays.length / segments.length;
  const precision = told.length === 0 ? 0 : trueOnes / told.length;
  let flagged = 0;
  for (let row = 0; row < flags.length; row++) if (flags[row] === 1) flagged++;
  return {
    days,
    notifications: told.length,
    notificationsPerDay: told.length / days,
    falsePerDay: (told.length - trueOnes) / days,
    segments: segments.length,
    found: delays.length,
    recall,
    precision,
    f1: recall + precision === 0 ? 0 : (2 * recall * precision) / (recall + precision),
    delayMs: middle(delays),
    flaggedShare: flags.length === 0 ? 0 : flagged / flags.length,
  };
}

/** Median, or null of nothing. */
export function middle(values: readonly number[]): number | null {
  const sorted = Float64Array.from(values).sort();
  if (sorted.length === 0) return null;
  const upper = sorted[sorted.length >> 1] as number;
  return sorted.length % 2 === 1 ? upper : ((sorted[(sorted.length >> 1) - 1] as number) + upper) / 2;
}

export interface RowFigures {
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
}

/** Row by row: how many of the flagged rows are labelled, how many of the labelled are flagged. */
export function judgeRows(flags: ArrayLike<number>, labels: ArrayLike<number>): RowFigures {
  let both = 0;
  let flagged = 0;
  let labelled = 0;
  for (let row = 0; row < flags.length; row++) {
    if (labels[row] !== 0 && labels[row] !== 1) continue;
    if (flags[row] === 1) flagged++;
    if (labels[row] === 1) labelled++;
    if (flags[row] === 1 && labels[row] === 1) both++;
  }
  const precision = flagged === 0 ? 0 : both / flagged;
  const recall = labelled === 0 ? 0 : both / labelled;
  return {
    precision,
    recall,
    f1: precision + recall === 0 ? 0 : (2 * precision * recall) / (precision + recall),
  };
}
