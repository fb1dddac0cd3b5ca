import { parseDurationMs } from '../../agent/units.ts';
import { UserError } from '../errors.ts';

const DAY_MS = 86_400_000;
const MOST_DAYS = 3650;

/** @throws UserError for what is no time from a minute to ten years */
export function lifetimeMs(text: string): number {
  const ms = parseDurationMs(text);
  if (ms !== null && ms >= 60_000 && ms <= MOST_DAYS * DAY_MS) return Math.round(ms);
  throw new UserError(
    `--expires: expected a time from 1m to ${MOST_DAYS}d, e.g. 180d, found ${JSON.stringify(text)}`,
  );
}
