import { existsSync } from 'node:fs';

/** libfaketime (Debian package of that name): another time for one process. */
const LIBRARY = ['x86_64', 'aarch64']
  .map((machine) => `/usr/lib/${machine}-linux-gnu/faketime/libfaketime.so.1`)
  .find((path) => existsSync(path));

/** In CI a missing library is a failure, not a skip. */
export const hasClock = LIBRARY !== undefined || process.env['CI'] === 'true';

/** @param offset from now, as `-30d`. @returns the environment of a process whose clock is set so; it goes on as clocks do */
export function clockSetTo(offset: string): Readonly<Record<string, string>> {
  if (LIBRARY === undefined) throw new Error('libfaketime is needed (Debian package libfaketime)');
  // Intervals are measured by the monotonic clock, which nobody sets.
  return { LD_PRELOAD: LIBRARY, FAKETIME: offset, DONT_FAKE_MONOTONIC: '1' };
}
