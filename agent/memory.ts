import { readFileSync, readlinkSync } from 'node:fs';

/**
 * Gives back what only the start, or a fit, needed: garbage that V8 would keep for as long as nothing presses it, free
 * pages of malloc's arenas, and pages of the executable's own file, which the kernel reads again should they be
 * wanted. Of 120 MB that a process of Node has mapped, the loop uses a few.
 */

const MADV_DONTNEED = 4;

export interface Mapping {
  readonly start: bigint;
  readonly bytes: bigint;
}

/**
 * Mappings of a file that hold nothing but what is in the file: not writable, and no page of them changed (those with
 * relocated data would lose it).
 * @param smaps text of /proc/<pid>/smaps
 */
export function cleanMappings(smaps: string, file: string): Mapping[] {
  const found: Mapping[] = [];
  let current: { start: bigint; bytes: bigint } | null = null;
  for (const line of smaps.split('\n')) {
    const head = /^([0-9a-f]+)-([0-9a-f]+) (\S{4}) \S+ \S+ \d+\s+(.*)$/.exec(line);
    if (head !== null) {
      const [, from = '', to = '', mode = '', path = ''] = head;
      const start = BigInt(`0x${from}`);
      const clean = path === file && !mode.includes('w');
      current = clean ? { start, bytes: BigInt(`0x${to}`) - start } : null;
    } else if (current !== null && /^Anonymous:\s+0 kB/.test(line)) {
      found.push(current);
      current = null;
    }
  }
  return found;
}

/** V8's collector, where the executable was built with it (build/executable.ts). */
type Collector = (options: { type: 'major'; execution: 'sync'; flavor: 'last-resort' }) => void;

/** Some 20 ms of work. @returns bytes of the mappings that were given back; 0 where this is not Linux, or there is no FFI */
export async function trimMemory(): Promise<number> {
  const { gc } = globalThis as { gc?: Collector };
  gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' });
  if (process.platform !== 'linux') return 0;
  const ffi = await import('node:ffi').catch(() => null);
  if (ffi === null) return 0;
  const mappings = cleanMappings(readFileSync('/proc/self/smaps', 'utf8'), readlinkSync('/proc/self/exe'));
  // The process's own symbols: libc is among them.
  const { functions } = ffi.dlopen(null, {
    madvise: { arguments: ['pointer', 'u64', 'i32'], return: 'i32' },
    malloc_trim: { arguments: ['u64'], return: 'i32' },
  });
  functions.malloc_trim(0n);
  let bytes = 0;
  for (const { start, bytes: length } of mappings) {
    if (functions.madvise(start, length, MADV_DONTNEED) === 0) bytes += Number(length);
  }
  return bytes;
}
