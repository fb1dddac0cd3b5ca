import { existsSync, readFileSync } from 'node:fs';
import { clampPercent, counterDelta, usableElapsed } from '../counter.ts';
import { countCpus } from './cpu.ts';
import { type Family, position, REFRESH_MS, type Reading } from './family.ts';
import { ProcFile } from './file.ts';
import { parseMemory } from './memory.ts';
import { numberAfterKey, Scanner } from './scan.ts';

/** Whose CPU and memory are measured, and why. `directory` is null for the host's. */
export interface View {
  readonly directory: string | null;
  readonly reason: string;
}

/** Paths that container engines give; a systemd service's own limits make no container of the host. */
const CONTAINER_PATH = /docker|containerd|kubepods|libpod|lxc|crio|cri-o|nspawn|machine\.slice/;

/**
 * Cgroup v2 only. In a cgroup namespace the path is `/` and that directory has memory.current, which a real root
 * lacks; without a namespace the path itself names the container engine.
 */
export function detectView(root: string, cgroupRoot: string, wanted: 'auto' | 'host' | 'cgroup'): View {
  const host = (reason: string): View => ({ directory: null, reason });
  if (wanted === 'host') return host('as configured');
  if (!existsSync(`${cgroupRoot}/cgroup.controllers`)) return host(`no cgroup v2 at ${cgroupRoot}`);
  let path: string | undefined;
  try {
    path = /^0::(\/.*)$/m.exec(readFileSync(`${root}/self/cgroup`, 'utf8'))?.[1];
  } catch {
    // Treated as no path.
  }
  if (path === undefined) return host(`${root}/self/cgroup names no cgroup v2`);
  const inside = `${cgroupRoot}${path === '/' ? '' : path}`;
  // With the host's hierarchy mounted away, a path of the host may not be visible: its own root then is.
  const directory = existsSync(`${inside}/cpu.stat`) ? inside : cgroupRoot;
  const owned = existsSync(`${directory}/memory.current`) && existsSync(`${directory}/cpu.stat`);
  if (!owned) return host(wanted === 'cgroup' ? `${directory} has no memory.current` : 'not in a container');
  if (wanted === 'cgroup') return { directory, reason: 'as configured' };
  if (path === '/') return { directory, reason: 'in a cgroup namespace' };
  if (CONTAINER_PATH.test(path)) return { directory, reason: `in the container ${path.slice(0, 120)}` };
  return host('not in a container');
}

/** `cpu.max` ("200000 100000", "max 100000") in CPUs; Infinity without a limit. */
export function parseCpuMax(text: string): number {
  const scan = new Scanner(text);
  if (text.startsWith('max')) return Number.POSITIVE_INFINITY;
  const cpus = scan.number() / scan.number();
  return cpus > 0 ? cpus : Number.POSITIVE_INFINITY;
}

/** `memory.max` in bytes; Infinity without a limit. */
export function parseMemoryMax(text: string): number {
  const bytes = new Scanner(text).number();
  return bytes > 0 ? bytes : Number.POSITIVE_INFINITY;
}

/** Percent of the CPUs allowed. A burst above the quota is 100. */
export function cgroupCpuPercent(
  previousMicros: number,
  currentMicros: number,
  elapsedMs: number,
  cpus: number,
  repairs = { wrapped: 0, reset: 0 },
): number {
  if (!usableElapsed(elapsedMs)) return Number.NaN;
  return clampPercent(counterDelta(previousMicros, currentMicros, repairs) / (elapsedMs * 10 * cpus));
}

/** Percent of the limit that reclaim can't free: current less inactive page cache, as `docker stats` has it. */
export function cgroupMemoryPercent(current: number, inactiveFile: number, limit: number): number {
  const used = current - (Number.isNaN(inactiveFile) ? 0 : inactiveFile);
  return limit > 0 ? clampPercent((used / limit) * 100) : Number.NaN;
}

const CPU = position('cpu');
const MEMORY = position('memory');
const SWAP = position('swap');

/** Overwrites cpu, memory and swap, which the families of the host wrote before. */
export class CgroupFamily implements Family {
  readonly name = 'cgroup';
  readonly #root: string;
  readonly #directory: string;
  readonly #top: string;
  readonly #cpuStat: ProcFile;
  readonly #current: ProcFile;
  readonly #memoryStat: ProcFile;
  #previousMicros = Number.NaN;
  #cpus = 1;
  #memoryBytes = Number.NaN;
  #swapBytes = Number.NaN;
  #limitsMs = Number.NEGATIVE_INFINITY;

  constructor(root: string, directory: string, cgroupRoot: string) {
    this.#root = root;
    this.#directory = directory;
    this.#top = cgroupRoot;
    this.#cpuStat = new ProcFile(`${directory}/cpu.stat`, 512);
    this.#current = new ProcFile(`${directory}/memory.current`, 64);
    this.#memoryStat = new ProcFile(`${directory}/memory.stat`);
  }

  read({ values, elapsedMs, nowMs, faults }: Reading): void {
    const previous = this.#previousMicros;
    this.#previousMicros = Number.NaN;
    values[CPU] = values[MEMORY] = values[SWAP] = Number.NaN;
    if (nowMs - this.#limitsMs >= REFRESH_MS) {
      this.#refreshLimits();
      this.#limitsMs = nowMs;
    }
    const current = new Scanner(this.#current.read()).number();
    const inactive = numberAfterKey(this.#memoryStat.read(), 'inactive_file ');
    values[MEMORY] = cgroupMemoryPercent(current, inactive, this.#memoryBytes);
    values[SWAP] = this.#swapPercent();
    const micros = numberAfterKey(this.#cpuStat.read(), 'usage_usec ');
    if (Number.isNaN(micros + current)) throw new Error(`${this.#directory} can't be understood`);
    this.#previousMicros = micros;
    const repairs = { wrapped: 0, reset: 0 };
    values[CPU] = cgroupCpuPercent(previous, micros, elapsedMs, this.#cpus, repairs);
    faults.add('counterReset', repairs.reset + repairs.wrapped);
  }

  /** "2 CPUs, 512 MiB"; after the first reading. */
  limits(): string {
    return `${Number(this.#cpus.toFixed(2))} CPUs, ${Math.round(this.#memoryBytes / 2 ** 20)} MiB`;
  }

  /** Without a limit: the host's own size. The limits of the groups above bind too, as far as they can be seen. */
  #refreshLimits(): void {
    this.#cpus = countCpus(readFileSync(`${this.#root}/stat`, 'utf8'));
    this.#memoryBytes = parseMemory(readFileSync(`${this.#root}/meminfo`, 'utf8')).total * 1024;
    for (let directory = this.#directory; directory.startsWith(this.#top); ) {
      this.#cpus = Math.min(this.#cpus, parseCpuMax(textOf(`${directory}/cpu.max`)));
      this.#memoryBytes = Math.min(this.#memoryBytes, parseMemoryMax(textOf(`${directory}/memory.max`)));
      directory = directory.slice(0, Math.max(0, directory.lastIndexOf('/')));
    }
    this.#swapBytes = new Scanner(textOf(`${this.#directory}/memory.swap.max`)).number();
  }

  /** 0 where swap is forbidden; NaN where its limit is the host's, which says nothing of this container. */
  #swapPercent(): number {
    if (this.#swapBytes === 0) return 0;
    const current = new Scanner(textOf(`${this.#directory}/memory.swap.current`)).number();
    return clampPercent((current / this.#swapBytes) * 100);
  }

  close(): void {
    for (const file of [this.#cpuStat, this.#current, this.#memoryStat]) file.close();
  }
}

/** Empty where there is none: the root group has no limits. */
function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
