import { setFlagsFromString } from 'node:v8';

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
