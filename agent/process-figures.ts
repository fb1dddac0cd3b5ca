import { readdirSync, readFileSync } from 'node:fs';
import type { ProcessFigures } from './exposition.ts';

/**
 * Proportional set size (proc(5), smaps_rollup): what the process would cost alone; null where the kernel has none.
 * As utf8: for any other encoding Node takes 64 kB of buffer for a file that has no size.
 */
export function proportionalBytes(): number | null {
  try {
    const kilobytes = /^Pss:\s+(\d+) kB/m.exec(readFileSync('/proc/self/smaps_rollup', 'utf8'))?.[1];
    return kilobytes === undefined ? null : Number(kilobytes) * 1024;
  } catch {
    return null;
  }
}

/** Once: taken anew each time it would jitter. */
const STARTED_SECONDS = Date.now() / 1000 - process.uptime();

export function processFigures(): ProcessFigures {
  const { user, system } = process.cpuUsage();
  return {
    cpuSeconds: (user + system) / 1e6,
    residentBytes: process.memoryUsage.rss(),
    proportionalBytes: proportionalBytes(),
    openDescriptors: openDescriptors(),
    startSeconds: STARTED_SECONDS,
  };
}

function openDescriptors(): number | null {
  try {
    return readdirSync('/proc/self/fd').length;
  } catch {
    return null;
  }
}
