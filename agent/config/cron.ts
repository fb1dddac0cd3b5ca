import { createTask, validate } from 'node-cron';

const MINUTE_MS = 60_000;

/** A schedule of five fields (crontab(5)); with a time zone, or in that of the host. */
export interface Schedule {
  readonly expression: string;
  readonly timezone: string | null;
}

/** Five fields, without seconds: `0 2 * * sun`. */
export const isCronExpression = (text: string): boolean =>
  text.trim().split(/\s+/).length === 5 && validate(text.trim());

export function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

/** Tells whether a minute, given by its number since 1970, is one of the schedule's. */
export function minuteMatcher({ expression, timezone }: Schedule): (minute: number) => boolean {
  const task = createTask(expression, () => {}, timezone === null ? {} : { timezone });
  return (minute) => task.match(new Date(minute * MINUTE_MS));
}
