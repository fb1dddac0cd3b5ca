import { parseDurationMs } from '../agent/units.ts';
import { parseTimestamp } from '../core/csv.ts';
import { UserError } from './errors.ts';

/** Milliseconds since 1970 of a time, or of how long ago it was: a duration with its unit. @throws UserError */
export function timeOption(option: string, text: string, nowMs: number): number {
  const agoMs = /[a-z]$/i.test(text) ? parseDurationMs(text) : null;
  const timeMs = agoMs === null ? parseTimestamp(text) : nowMs - agoMs;
  if (timeMs >= 0) return Math.round(timeMs);
  throw new UserError(
    `${option} "${text}": expected a time (2026-01-05T10:00Z; UTC unless it names its zone), or how long ago (2h)`,
  );
}
