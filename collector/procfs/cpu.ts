import { clampPercent, usableElapsed } from '../counter.ts';
import { type Family, position, type Reading } from './family.ts';
import { ProcFile } from './file.ts';
import { Scanner } from './scan.ts';

/** The `cpu` line of /proc/stat, in ticks. Guest time is already inside user and nice (proc(5)): not read. */
export interface CpuTimes {
  readonly user: number;
  readonly nice: number;
  readonly system: number;
  readonly idle: number;
  readonly iowait: number;
  readonly irq: number;
  readonly softirq: number;
  readonly steal: number;
}

/** The first line of /proc/stat; null where it isn't one. Kernels before 2.6 lack the last columns: 0. */
export function parseCpu(text: string): CpuTimes | null {
  if (!text.startsWith('cpu ')) return null;
  const scan = new Scanner(text, 4);
  const user = scan.number();
  const nice = scan.number();
  const system = scan.number();
  const idle = scan.number();
  if (Number.isNaN(user + nice + system + idle)) return null;
  return {
    user,
    nice,
    system,
    idle,
    iowait: scan.number() || 0,
    irq: scan.number() || 0,
    softirq: scan.number() || 0,
    steal: scan.number() || 0,
  };
}

/** The number of online CPUs: lines `cpu0`, `cpu1`, …; at least 1. */
export function countCpus(text: string): number {
  let count = 0;
  for (let at = text.indexOf('\ncpu'); at >= 0; at = text.indexOf('\ncpu', at + 4)) {
    const code = text.charCodeAt(at + 4);
    if (code >= 48 && code <= 57) count++;
  }
  return Math.max(1, count);
}

export interface CpuRates {
  /** Percent of all CPUs: user, nice, system, irq, softirq. Neither waiting nor stolen time is busy. */
  readonly busy: number;
  readonly iowait: number;
  readonly steal: number;
  /** idle or iowait went backwards and was taken as unchanged: the kernel's documented habit. */
  readonly backwards: number;
  /** Another counter went backwards: all three are NaN. */
  readonly reset: number;
}

const NONE: CpuRates = { busy: Number.NaN, iowait: Number.NaN, steal: Number.NaN, backwards: 0, reset: 0 };

/** Ticks divide by ticks: the elapsed time only says whether a rate may be had at all. */
export function cpuRates(previous: CpuTimes | null, current: CpuTimes, elapsedMs: number): CpuRates {
  if (!previous || !usableElapsed(elapsedMs)) return NONE;
  const user = current.user - previous.user;
  const nice = current.nice - previous.nice;
  const system = current.system - previous.system;
  const interrupts = current.irq - previous.irq + (current.softirq - previous.softirq);
  const steal = current.steal - previous.steal;
  if (user < 0 || nice < 0 || system < 0 || interrupts < 0 || steal < 0) return { ...NONE, reset: 1 };
  const idle = current.idle - previous.idle;
  const iowait = current.iowait - previous.iowait;
  const backwards = (idle < 0 ? 1 : 0) + (iowait < 0 ? 1 : 0);
  const busy = user + nice + system + interrupts;
  const total = busy + steal + Math.max(0, idle) + Math.max(0, iowait);
  if (!(total > 0)) return { ...NONE, backwards };
  const percent = 100 / total;
  return {
    busy: clampPercent(busy * percent),
    iowait: clampPercent(Math.max(0, iowait) * percent),
    steal: clampPercent(steal * percent),
    backwards,
    reset: 0,
  };
}

const BUSY = position('cpu');
const IOWAIT = position('cpu_iowait');
const STEAL = position('cpu_steal');

export class CpuFamily implements Family {
  readonly name = 'cpu';
  readonly #file: ProcFile;
  #previous: CpuTimes | null = null;

  constructor(root: string) {
    this.#file = new ProcFile(`${root}/stat`, 512);
  }

  read({ values, elapsedMs, faults }: Reading): void {
    const previous = this.#previous;
    this.#previous = null;
    const current = parseCpu(this.#file.read());
    if (!current) throw new Error(`${this.#file.path} has no cpu line`);
    this.#previous = current;
    const rates = cpuRates(previous, current, elapsedMs);
    values[BUSY] = rates.busy;
    values[IOWAIT] = rates.iowait;
    values[STEAL] = rates.steal;
    faults.add('cpuIdleBackwards', rates.backwards);
    faults.add('counterReset', rates.reset);
  }

  close(): void {
    this.#file.close();
  }
}
