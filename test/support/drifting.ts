import type { Recording } from '../../models/data/recording.ts';
import { SMALL_SCHEMA, smallSeries } from './series.ts';

const START_MS = Date.UTC(2026, 0, 5);
const MINUTE_MS = 60_000;
const DAY_ROWS = 1440;

/**
 * Days of a small host, a row a minute, from a day on.
 * @param shift is added to cpu
 */
export function hostDays(fromDay: number, days: number, shift = 0, host = 'web-1'): Recording {
  const rows = Math.round(days * DAY_ROWS);
  const first = Math.round(fromDay * DAY_ROWS);
  const columns = smallSeries(first + rows, 11).map((column) => column.subarray(first));
  return {
    host,
    names: SMALL_SCHEMA.map(({ name }) => name),
    intervalMs: MINUTE_MS,
    timesMs: Float64Array.from({ length: rows }, (_, i) => START_MS + (first + i) * MINUTE_MS),
    columns: columns.map((column, m) => (m === 0 ? column.map((x) => x + shift) : column)),
    labels: null,
    breaks: [],
    rowsRead: rows,
    rowsOutOfOrder: 0,
  };
}
