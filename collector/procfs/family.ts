import { HOST_METRICS } from '../../core/sample.ts';
import type { Faults } from '../faults.ts';

/** One reading of all families. */
export interface Reading {
  /** Milliseconds since the reading before; NaN when rates can't be had (first reading, suspend). */
  readonly elapsedMs: number;
  /** Monotonic. */
  readonly nowMs: number;
  /** In the order of HOST_METRICS, NaN to begin with. */
  readonly values: Float64Array;
  readonly faults: Faults;
}

/** A family of metrics. `read` throws when nothing could be read; it then forgets its previous counters. */
export interface Family {
  readonly name: string;
  read(reading: Reading): void;
  close(): void;
}

/** The position of a metric in HOST_METRICS. */
export function position(name: string): number {
  const index = HOST_METRICS.findIndex((metric) => metric.name === name);
  if (index < 0) throw new Error(`no host metric is named ${name}`);
  return index;
}

/** What is slow to find out and seldom changes (mounts, interfaces, limits) is looked up again after this. */
export const REFRESH_MS = 60_000;
