/** The differences of kernel counters: wraps repaired, resets named, nothing negative. */

const WRAP = 2 ** 32;
const QUARTER = WRAP / 4;

export interface CounterRepairs {
  wrapped: number;
  reset: number;
}

/**
 * current - previous of a counter that only grows. One that fell from the last quarter of 32 bits to the first
 * is taken as wrapped and repaired (drivers with 32-bit counters, and the kernel's io_ticks, do that); any other
 * fall is a reset: NaN. Both are counted in `repairs`. A value missing on either side is NaN and not counted.
 */
export function counterDelta(previous: number, current: number, repairs: CounterRepairs): number {
  const delta = current - previous;
  if (delta >= 0 || Number.isNaN(delta)) return delta;
  if (previous < WRAP && previous >= WRAP - QUARTER && delta + WRAP <= QUARTER) {
    repairs.wrapped++;
    return delta + WRAP;
  }
  repairs.reset++;
  return Number.NaN;
}

/** Into 0..100; NaN stays NaN. */
export const clampPercent = (value: number): number => Math.min(100, Math.max(0, value));

/** Elapsed time that a rate may be divided by. */
export const usableElapsed = (elapsedMs: number): boolean =>
  elapsedMs >= 1 && elapsedMs < Number.POSITIVE_INFINITY;
