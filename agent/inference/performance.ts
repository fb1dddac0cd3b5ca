import type { Performance } from '../performance.ts';
import { HOUR_MS, type HourFigures } from './hours.ts';

const WEEK_MS = 7 * 86_400_000;

/** null: there is no agent yet. */
export type PerformanceAt = (timeMs: number) => ReturnType<Performance['at']> | null;

/**
 * Of the week that an hour lies in and of the week before, as operators have judged them by now; of the 30 days until
 * the hour is over. MLflow takes back no figure, and most is said late: what came of a week is in the steps of the next.
 */
export function performanceFigures(at: PerformanceAt, hourMs: number): HourFigures {
  const now = at(hourMs + HOUR_MS - 1);
  const before = at(hourMs - WEEK_MS);
  if (now === null || before === null) return {};
  const { week, retrainings } = now;
  const known = {
    week_precision: week.precision,
    week_recall: week.recall,
    week_f1: week.f1,
    last_week_precision: before.week.precision,
    last_week_recall: before.week.recall,
    last_week_f1: before.week.f1,
  };
  const figures: Record<string, number> = { week_judged: week.judged, week_missed: week.missed, retrainings };
  for (const [name, value] of Object.entries(known)) if (value !== null) figures[name] = value;
  return figures;
}
