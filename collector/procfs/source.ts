import { accessSync, constants, existsSync, readFileSync, statfsSync } from 'node:fs';
import { HOST_METRICS, type MetricSchema, type Sample } from '../../core/sample.ts';
import { systemClock } from '../clock.ts';
import { Faults } from '../faults.ts';
import { type Clock, type Source, SourceError } from '../source.ts';
import { CgroupFamily, detectView, type View } from './cgroup.ts';
import { CpuFamily } from './cpu.ts';
import { DiskFamily, FilesystemFamily } from './disk.ts';
import type { Family } from './family.ts';
import { LoadFamily } from './load.ts';
import { MemoryFamily } from './memory.ts';
import type { Statfs } from './mounts.ts';
import { NetworkFamily } from './network.ts';
import { PressureFamily } from './pressure.ts';

export interface ProcfsOptions {
  /** `/proc`; another directory in tests, or the host's as mounted into a container. */
  readonly root?: string;
  readonly sysRoot?: string;
  readonly cgroupRoot?: string;
  readonly clock?: Clock;
  /** How often `read` will be called: a much longer pause is a suspend. */
  readonly intervalMs?: number;
  /** `auto`: the cgroup's CPU and memory in a container, else the host's. */
  readonly view?: 'auto' | 'host' | 'cgroup';
  readonly networkInclude?: readonly string[] | undefined;
  readonly networkExclude?: readonly string[] | undefined;
  readonly statfs?: Statfs;
}

/** Wall clock and monotonic clock may part by so much between two readings before it means something. */
const PARTING_MS = 1000;
/** A pause of so many intervals is no late timer any more. */
const GAP_INTERVALS = 5;

/** Reads this host from /proc: some 20 reads of files kept open, no child process, no await. */
export class ProcfsSource implements Source {
  readonly kind = 'procfs';
  readonly schema: MetricSchema = HOST_METRICS;
  readonly #root: string;
  readonly #options: ProcfsOptions;
  readonly #clock: Clock;
  readonly #intervalMs: number;
  readonly #faults = new Faults();
  #families: readonly Family[] = [];
  #cgroup: CgroupFamily | undefined;
  #view: View = { directory: null, reason: 'not opened' };
  #previousMs = Number.NaN;
  #previousWallMs = Number.NaN;
  #uptimeOffsetMs = Number.NaN;

  constructor(options: ProcfsOptions = {}) {
    this.#options = options;
    this.#root = options.root ?? '/proc';
    this.#clock = options.clock ?? systemClock;
    this.#intervalMs = options.intervalMs ?? 5000;
  }

  async open(): Promise<void> {
    const root = this.#root;
    try {
      accessSync(`${root}/stat`, constants.R_OK);
    } catch {
      throw new SourceError(
        `${root}/stat can't be read. The procfs source needs Linux with ${root} mounted; elsewhere use --source systeminformation.`,
      );
    }
    const { sysRoot = '/sys', cgroupRoot = '/sys/fs/cgroup', networkInclude, networkExclude } = this.#options;
    this.#view = detectView(root, cgroupRoot, this.#options.view ?? 'auto');
    const { directory } = this.#view;
    this.#cgroup = directory === null ? undefined : new CgroupFamily(root, directory, cgroupRoot);
    const ownPressure = directory !== null && existsSync(`${directory}/cpu.pressure`);
    this.#families = [
      new CpuFamily(root),
      new LoadFamily(root),
      new MemoryFamily(root),
      new NetworkFamily(root, sysRoot, { include: networkInclude, exclude: networkExclude }),
      new PressureFamily((name) =>
        ownPressure ? `${directory}/${name}.pressure` : `${root}/pressure/${name}`,
      ),
      new DiskFamily(root),
      new FilesystemFamily(root, this.#options.statfs ?? statfsSync),
      ...(this.#cgroup ? [this.#cgroup] : []),
    ];
  }

  async read(): Promise<Sample> {
    const nowMs = this.#clock.monotonicMs();
    const elapsedMs = this.#elapsed(nowMs);
    const faults = this.#faults;
    const values = new Float64Array(HOST_METRICS.length).fill(Number.NaN);
    const reading = { elapsedMs, nowMs, values, faults };
    let failed = 0;
    let failure: unknown;
    for (const family of this.#families) {
      try {
        family.read(reading);
      } catch (error) {
        failed++;
        failure = error;
        faults.add(`${family.name}Unreadable`);
      }
    }
    if (failed === this.#families.length) throw failure ?? new Error('read before open');
    return { timeMs: this.#clock.nowMs(), values };
  }

  /**
   * The monotonic time since the reading before, or NaN where rates must not be had from it. /proc/uptime goes on
   * during a suspend (CLOCK_BOOTTIME) while the monotonic clock stands: it tells a suspend from a set clock, and is
   * read only once the two clocks have parted.
   */
  #elapsed(nowMs: number): number {
    const wallMs = this.#clock.nowMs();
    const elapsedMs = nowMs - this.#previousMs;
    const partingMs = wallMs - this.#previousWallMs - elapsedMs;
    const first = Number.isNaN(elapsedMs);
    this.#previousMs = nowMs;
    this.#previousWallMs = wallMs;
    if (first) {
      this.#uptimeOffsetMs = this.#uptimeMs() - nowMs;
      return Number.NaN;
    }
    if (Math.abs(partingMs) > PARTING_MS) {
      const offsetMs = this.#uptimeMs() - nowMs;
      const sleptMs = offsetMs - this.#uptimeOffsetMs;
      this.#uptimeOffsetMs = offsetMs;
      const suspended = Number.isNaN(sleptMs) ? partingMs > 0 : sleptMs > PARTING_MS;
      this.#faults.add(suspended ? 'suspendResumed' : 'clockStepped');
      if (suspended) return Number.NaN;
    }
    if (elapsedMs > GAP_INTERVALS * this.#intervalMs) {
      // The process was stopped, or its machine paused.
      this.#faults.add('suspendResumed');
      return Number.NaN;
    }
    return elapsedMs;
  }

  #uptimeMs(): number {
    try {
      return Number.parseFloat(readFileSync(`${this.#root}/uptime`, 'utf8')) * 1000;
    } catch {
      return Number.NaN;
    }
  }

  async close(): Promise<void> {
    for (const family of this.#families) family.close();
  }

  faults(): Readonly<Record<string, number>> {
    return this.#faults.counts();
  }

  describe(): string {
    const { directory, reason } = this.#view;
    if (directory === null) return `host view from ${this.#root} (${reason})`;
    return `cgroup view: CPU and memory of ${directory} (${reason}; ${this.#cgroup?.limits()}); iowait, steal, load and disks are the host's`;
  }
}
