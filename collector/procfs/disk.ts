import { type CounterRepairs, clampPercent, counterDelta, usableElapsed } from '../counter.ts';
import { type Family, position, REFRESH_MS, type Reading } from './family.ts';
import { ProcFile } from './file.ts';
import { fullestPercent, parseMounts, type Statfs } from './mounts.ts';
import { Scanner } from './scan.ts';

/** One line of /proc/diskstats (kernel: Documentation/admin-guide/iostats.rst). */
export interface DiskCounters {
  readonly readSectors: number;
  readonly writtenSectors: number;
  /** Milliseconds with at least one request under way; 32 bits in the kernel, wraps. */
  readonly busyMs: number;
}

/** Of this size whatever the disk's own sectors are. */
const SECTOR_BYTES = 512;

/** Stacked on other disks, in memory, or removable: they would count twice or not at all. */
const STACKED = /^(?:loop|ram|zram|dm-|md|sr|fd|drbd|zd|bcache|nvme\d+c)/;

/** Every device by name, partitions included. */
export function parseDisks(text: string): Map<string, DiskCounters> {
  const disks = new Map<string, DiskCounters>();
  const scan = new Scanner(text);
  do {
    scan.skip(2);
    const name = scan.word();
    if (name === '' || STACKED.test(name)) continue;
    scan.skip(2);
    const readSectors = scan.number();
    scan.skip(3);
    const writtenSectors = scan.number();
    scan.skip(2);
    const busyMs = scan.number();
    if (Number.isNaN(readSectors + writtenSectors + busyMs)) continue;
    disks.set(name, { readSectors, writtenSectors, busyMs });
  } while (scan.nextLine());
  return disks;
}

/**
 * Whole disks: not a partition of another listed device (sda1 of sda, nvme0n1p2 of nvme0n1; but a lone xvda1, as
 * some clouds have it, is a disk), nor an mmc's boot areas.
 */
export function wholeDisks(names: Iterable<string>): Set<string> {
  const all = new Set(names);
  const whole = new Set<string>();
  for (const name of all) {
    const stem = name.replace(/\d+$/, '');
    const parent = stem.endsWith('p') && /\dp$/.test(stem) ? stem.slice(0, -1) : stem;
    const partition = stem !== name && (all.has(parent) || all.has(stem));
    if (!partition && !STACKED.test(name) && !/^mmcblk\d+(?:boot|rpmb)/.test(name)) whole.add(name);
  }
  return whole;
}

export interface DiskRates {
  /** Percent, of the busiest disk. */
  readonly busy: number;
  readonly read: number;
  readonly write: number;
  readonly repairs: CounterRepairs;
}

/** As networkRates: over the disks that stand in both readings; NaN where none does. */
export function diskRates(
  previous: ReadonlyMap<string, DiskCounters> | null,
  current: ReadonlyMap<string, DiskCounters>,
  elapsedMs: number,
  whole: ReadonlySet<string>,
): DiskRates {
  const repairs = { wrapped: 0, reset: 0 };
  let busy = Number.NaN;
  let read = Number.NaN;
  let write = Number.NaN;
  if (previous && usableElapsed(elapsedMs)) {
    const bytesPerSecond = (SECTOR_BYTES * 1000) / elapsedMs;
    let common = false;
    for (const [name, now] of current) {
      const before = whole.has(name) ? previous.get(name) : undefined;
      if (!before) continue;
      if (!common) busy = read = write = 0;
      common = true;
      // Math.max passes NaN on.
      busy = Math.max(busy, (counterDelta(before.busyMs, now.busyMs, repairs) / elapsedMs) * 100);
      read += counterDelta(before.readSectors, now.readSectors, repairs) * bytesPerSecond;
      write += counterDelta(before.writtenSectors, now.writtenSectors, repairs) * bytesPerSecond;
    }
  }
  return { busy: clampPercent(busy), read, write, repairs };
}

const BUSY = position('disk_busy');
const READ = position('disk_read');
const WRITE = position('disk_write');

export class DiskFamily implements Family {
  readonly name = 'disk';
  readonly #file: ProcFile;
  #previous: Map<string, DiskCounters> | null = null;
  #whole: ReadonlySet<string> = new Set();
  #known = 0;
  #chosenMs = Number.NEGATIVE_INFINITY;

  constructor(root: string) {
    this.#file = new ProcFile(`${root}/diskstats`);
  }

  read({ values, elapsedMs, nowMs, faults }: Reading): void {
    const previous = this.#previous;
    this.#previous = null;
    const current = parseDisks(this.#file.read());
    if (current.size !== this.#known || nowMs - this.#chosenMs >= REFRESH_MS) {
      this.#whole = wholeDisks(current.keys());
      this.#known = current.size;
      this.#chosenMs = nowMs;
    }
    this.#previous = current;
    const rates = diskRates(previous, current, elapsedMs, this.#whole);
    values[BUSY] = rates.busy;
    values[READ] = rates.read;
    values[WRITE] = rates.write;
    faults.add('counterWrapped', rates.repairs.wrapped);
    faults.add('counterReset', rates.repairs.reset);
  }

  close(): void {
    this.#file.close();
  }
}

const FILESYSTEM = position('filesystem');

export class FilesystemFamily implements Family {
  readonly name = 'filesystem';
  readonly #file: ProcFile;
  readonly #statfs: Statfs;
  #mounts: readonly string[] = [];
  #listedMs = Number.NEGATIVE_INFINITY;

  constructor(root: string, statfs: Statfs) {
    this.#file = new ProcFile(`${root}/self/mountinfo`);
    this.#statfs = statfs;
  }

  read({ values, nowMs, faults }: Reading): void {
    if (nowMs - this.#listedMs >= REFRESH_MS) {
      this.#mounts = parseMounts(this.#file.read());
      this.#file.close();
      this.#listedMs = nowMs;
    }
    const { percent, unreadable } = fullestPercent(this.#mounts, this.#statfs);
    values[FILESYSTEM] = percent;
    faults.add('mountUnreadable', unreadable);
  }

  close(): void {
    this.#file.close();
  }
}
