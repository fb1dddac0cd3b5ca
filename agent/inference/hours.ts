import { SAMPLE_IN_INCIDENT, type Store } from '../store/store.ts';

export const HOUR_MS = 3_600_000;
/** Rows between two turns of the loop: two pages of the store, well below a fit's slice of 8 ms. */
const SLICE_ROWS = 128;
/** Incidents that are looked through: budgets are alerts a day, so these are months. */
const INCIDENTS = 500;

export const hourOf = (timeMs: number): number => Math.floor(timeMs / HOUR_MS) * HOUR_MS;

/** What happened in an hour, by the names that it is logged under. What is not known is left out. */
export type HourFigures = Readonly<Record<string, number>>;

/** The beginning of the first hour from `fromMs` on that has samples before `toMs`; null where none has. */
export function nextHour(store: Store, fromMs: number, toMs: number): number | null {
  for (const { timeMs } of store.samples(fromMs, toMs)) return hourOf(timeMs);
  return null;
}

/**
 * Reads an hour's samples in slices, and sums them up.
 * @param breathe lets the loop have its turn
 */
export async function hourFigures(
  store: Store,
  hourMs: number,
  breathe: () => Promise<void>,
): Promise<HourFigures> {
  const scores: number[] = [];
  let rows = 0;
  let inIncident = 0;
  for (let fromMs = hourMs, more = true; more; ) {
    let taken = 0;
    for (const { timeMs, score, flags } of store.samples(fromMs, hourMs + HOUR_MS)) {
      rows++;
      if ((flags & SAMPLE_IN_INCIDENT) !== 0) inIncident++;
      if (Number.isFinite(score)) scores.push(score);
      fromMs = timeMs + 1;
      if (++taken === SLICE_ROWS) break;
    }
    more = taken === SLICE_ROWS;
    await breathe();
  }
  const sorted = Float64Array.from(scores).sort();
  const opened = store
    .incidents(INCIDENTS)
    .filter(({ openedAtMs }) => openedAtMs >= hourMs && openedAtMs < hourMs + HOUR_MS);
  return {
    samples: rows,
    samples_judged: sorted.length,
    incidents: opened.length,
    ...(rows > 0 && { anomaly_rate: inIncident / rows }),
    ...(sorted.length > 0 && {
      score_p50: quantile(sorted, 0.5),
      score_p95: quantile(sorted, 0.95),
      score_max: sorted.at(-1) as number,
    }),
  };
}

/** Nearest rank. */
const quantile = (sorted: Float64Array, q: number): number =>
  sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] as number;
