import { clampPercent } from '../counter.ts';
import { type Family, position, type Reading } from './family.ts';
import { ProcFile } from './file.ts';
import { numberAfterKey } from './scan.ts';

/** /proc/meminfo, in KiB; NaN where a line is missing. */
export interface Memory {
  readonly total: number;
  readonly available: number;
  readonly swapTotal: number;
  readonly swapFree: number;
}

/** Kernels before 3.14 have no MemAvailable: free + buffers + page cache stands in for it. */
export function parseMemory(text: string): Memory {
  const available = numberAfterKey(text, 'MemAvailable:');
  return {
    total: numberAfterKey(text, 'MemTotal:'),
    available: Number.isNaN(available)
      ? numberAfterKey(text, 'MemFree:') + numberAfterKey(text, 'Buffers:') + numberAfterKey(text, 'Cached:')
      : available,
    swapTotal: numberAfterKey(text, 'SwapTotal:'),
    swapFree: numberAfterKey(text, 'SwapFree:'),
  };
}

/** Percent that can't be had without swapping, and percent of swap in use (0 on a host without swap). */
export function memoryPercents(memory: Memory): { memory: number; swap: number } {
  const { total, available, swapTotal, swapFree } = memory;
  return {
    memory: total > 0 ? clampPercent(((total - available) / total) * 100) : Number.NaN,
    swap: swapTotal === 0 ? 0 : clampPercent(((swapTotal - swapFree) / swapTotal) * 100),
  };
}

const MEMORY = position('memory');
const SWAP = position('swap');

export class MemoryFamily implements Family {
  readonly name = 'memory';
  readonly #file: ProcFile;

  constructor(root: string) {
    // The swap lines stand within the first 800 bytes, on 32-bit kernels within 1,000.
    this.#file = new ProcFile(`${root}/meminfo`, 2048);
  }

  read({ values }: Reading): void {
    const percents = memoryPercents(parseMemory(this.#file.read()));
    if (Number.isNaN(percents.memory)) throw new Error(`${this.#file.path} has no MemTotal or MemAvailable`);
    values[MEMORY] = percents.memory;
    values[SWAP] = percents.swap;
  }

  close(): void {
    this.#file.close();
  }
}
