import { setFlagsFromString } from 'node:v8';

/**
 * For a process whose live data is small and whose garbage is much: with a young generation of 1 MB (baked in) what is
 * received goes straight to the old one, which V8 lets grow to several times of what lives before it looks, the more
 * the busier the machine is. A first collection makes it hold to the factor from the start.
 */
export function useBoundedHeap(): void {
  setFlagsFromString('--heap-growing-percent=50');
  Buffer.poolSize = 0;
  const { gc } = globalThis as { gc?: () => void };
  gc?.();
}

/**
 * For a process that works a millisecond a second: the optimising compilers would touch 7 MB of their own code and
 * keep arenas for functions that are fast enough (`npm run bench:footprint`). Called at the start of `agent`, before
 * its modules are loaded; `train` and `score` keep the compilers.
 *
 * What V8 only reads while it starts is baked into the executable (build/executable.ts).
 */
export function useSmallHeap(): void {
  setFlagsFromString('--no-opt');
  setFlagsFromString('--no-maglev');
  // Small Buffers are cut from slabs of 64 kB, and one that stays keeps its whole slab: mqtt-packet keeps four bytes
  // for each length of packet that it has ever written, 4 MB after an hour or two.
  Buffer.poolSize = 0;
}
