/** Samples of a host, as `send-samples` gives them. */

export interface Samples {
  readonly metrics: readonly string[];
  /** Ascending by time, each time once; null where a value is missing. */
  readonly rows: readonly SampleRow[];
}

export interface SampleRow {
  readonly timeMs: number;
  readonly values: readonly (number | null)[];
}

const MAX_METRICS = 256;
const METRIC_NAME = /^[A-Za-z_][\w.:-]{0,63}$/;

/** @returns the samples, or what is wrong with what the host sent */
export function samplesOf(results: readonly unknown[]): Samples | { readonly fault: string } {
  let metrics: readonly string[] | null = null;
  const rows: SampleRow[] = [];
  for (const result of results) {
    const { metrics: names, rows: some } = (result ?? {}) as { metrics?: unknown; rows?: unknown };
    if (!Array.isArray(names) || names.length === 0 || names.length > MAX_METRICS)
      return { fault: 'no metrics' };
    if (
      !names.every((name) => typeof name === 'string' && METRIC_NAME.test(name)) ||
      new Set(names).size < names.length
    )
      return { fault: 'metrics with names that are none' };
    metrics ??= names as string[];
    if (JSON.stringify(metrics) !== JSON.stringify(names)) return { fault: 'parts with different metrics' };
    if (!Array.isArray(some)) return { fault: 'no rows' };
    for (const row of some) {
      const parsed = rowOf(row, names.length);
      if (parsed === null) return { fault: 'a row that is none' };
      rows.push(parsed);
    }
  }
  if (metrics === null) return { fault: 'no metrics' };
  rows.sort((a, b) => a.timeMs - b.timeMs);
  return { metrics, rows: rows.filter(({ timeMs }, i) => i === 0 || timeMs !== rows[i - 1]?.timeMs) };
}

function rowOf(row: unknown, width: number): SampleRow | null {
  if (!Array.isArray(row) || row.length !== width + 1) return null;
  const [timeMs, ...values] = row as unknown[];
  // What a Date can hold.
  if (typeof timeMs !== 'number' || !Number.isSafeInteger(timeMs) || timeMs < 0 || timeMs > 8.64e15)
    return null;
  const fine = values.every(
    (value) => value === null || (typeof value === 'number' && Number.isFinite(value)),
  );
  return fine ? { timeMs, values: values as (number | null)[] } : null;
}

/** What `train` reads; a missing value is an empty cell. Names are letters and digits: nothing to escape. */
export function samplesCsv({ metrics, rows }: Samples): string {
  const lines = rows.map(({ timeMs, values }) =>
    [new Date(timeMs).toISOString(), ...values.map((value) => (value === null ? '' : String(value)))].join(
      ',',
    ),
  );
  return `${[['timestamp', ...metrics].join(','), ...lines].join('\n')}\n`;
}
