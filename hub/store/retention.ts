import type { Feed } from './feeds.ts';
import type { Statements } from './statements.ts';

const ROWS_PER_STEP = 1000;
const STEPS_PER_RUN = 10;

export interface Removed {
  readonly rows: number;
  /** Among them what InfluxDB had not taken, where there is one; only feeds of which there were some. */
  readonly notCopied: Readonly<Partial<Record<Feed, number>>>;
}

/** One run: bounded, so that the hub goes on hearing. @param cursorOf last row taken; null: nobody takes any */
export function removeOld(
  sql: Statements,
  { beforeMs, isTooLarge }: { readonly beforeMs: number; readonly isTooLarge: () => boolean },
  cursorOf: (feed: Feed) => number | null,
): Removed {
  const most = ROWS_PER_STEP * STEPS_PER_RUN;
  let rows = 0;
  const notCopied: Partial<Record<Feed, number>> = {};
  const count = (feed: Feed, ids: readonly number[]): number => {
    rows += ids.length;
    const cursor = cursorOf(feed) ?? Number.MAX_SAFE_INTEGER;
    const early = ids.filter((id) => id > cursor).length;
    if (early > 0) notCopied[feed] = (notCopied[feed] ?? 0) + early;
    return ids.length;
  };
  count('alerts', sql.deleteAlertsBefore.all(beforeMs, most));
  count('reported', sql.deleteReportedBefore.all(beforeMs, most));
  count('events', sql.deleteEventsBefore.all(beforeMs, most));
  for (let step = 0; step < STEPS_PER_RUN && isTooLarge(); step++) {
    // Samples were fetched on request and can be again.
    if (count('samples', sql.deleteSamples.all(ROWS_PER_STEP)) > 0) continue;
    const removed =
      count('reported', sql.deleteReportedBefore.all(Number.MAX_SAFE_INTEGER, ROWS_PER_STEP)) +
      count('events', sql.deleteEventsBefore.all(Number.MAX_SAFE_INTEGER, ROWS_PER_STEP));
    if (removed === 0) break;
  }
  return { rows, notCopied };
}
