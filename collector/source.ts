import type { MetricSchema, Sample } from '../core/sample.ts';

/**
 * Source: where samples come from. Implementations: procfs, systeminformation, replay.
 *
 * Contract:
 * - `open` is called once, before anything else; it throws a SourceError for what a user can mend.
 * - `read` is never called while an earlier `read` is pending. It resolves to a sample, or to null when the
 *   source has ended (a replay at the end of its file); after null it is not called again.
 * - A value that can't be had is NaN, and counted under a stable fault name; `read` rejects only when nothing at
 *   all could be read. The sampler that calls it survives a rejection and a hang.
 * - Rates (per second) are NaN on the first read after open, after a counter went backwards by anything but
 *   a plausible wrap, and across a suspend; a repair is counted.
 * - `close` is idempotent and never rejects.
 */
export interface Source {
  readonly kind: 'procfs' | 'systeminformation' | 'replay';
  /** Valid after `open`. */
  readonly schema: MetricSchema;
  open(): Promise<void>;
  read(): Promise<Sample | null>;
  close(): Promise<void>;
  /** Count of each fault or repair since `open`, e.g. { counterWrapped: 1, pressureUnreadable: 20 }. */
  faults(): Readonly<Record<string, number>>;
  /** What is measured, in words, for logs and `status`: "host view from /proc", "cgroup view: …". */
  describe(): string;
  /** Replay only: the label (0 or 1) of the last read row, or undefined. */
  label?(): number | undefined;
}

/** Wall clock and monotonic clock, handed in so that tests and the simulation own time. */
export interface Clock {
  nowMs(): number;
  monotonicMs(): number;
}

/** A user's mistake or a host's lack: file, place and what to do are in the message. */
export class SourceError extends Error {
  override name = 'SourceError';
}
