import { readdirSync, readFileSync } from 'node:fs';

/** Jiffies a second; a constant of Linux's interface to user space. */
const TICKS_PER_SECOND = 100;

export interface Usage {
  readonly pssMb: number;
  readonly pssAnonMb: number;
  readonly peakRssMb: number;
  readonly cpuSeconds: number;
  /** Those alive now; the CPU of those that have ended is in `endedChildrenSeconds`. */
  readonly children: number;
  readonly endedChildrenSeconds: number;
}

/** Of the process and of all it has started. */
export function usageOf(pid: number): Usage {
  const own = processUsage(pid);
  const family = descendants(pid).flatMap((child) => {
    try {
      return [processUsage(child)];
    } catch {
      return []; // Ended meanwhile.
    }
  });
  const sum = (key: keyof Usage): number => family.reduce((total, usage) => total + usage[key], own[key]);
  return {
    pssMb: sum('pssMb'),
    pssAnonMb: sum('pssAnonMb'),
    peakRssMb: sum('peakRssMb'),
    cpuSeconds: sum('cpuSeconds'),
    children: family.length,
    endedChildrenSeconds: sum('endedChildrenSeconds'),
  };
}

function descendants(pid: number): number[] {
  const found: number[] = [];
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    const text = readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').trim();
    const children = text === '' ? [] : text.split(' ').map(Number);
    for (const child of children) {
      try {
        found.push(child, ...descendants(child));
      } catch {
        // Ended meanwhile.
      }
    }
  }
  return found;
}

function processUsage(pid: number): Usage {
  const proc = (file: string): string => readFileSync(`/proc/${pid}/${file}`, 'utf8');
  const mb = (text: string, key: string): number =>
    Number(new RegExp(`^${key}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? Number.NaN) / 1024;
  const smaps = proc('smaps_rollup');
  // Behind the name in parentheses: state is field 3, utime 14, stime 15, and those of waited-for children 16 and 17.
  const fields = proc('stat')
    .replace(/^.*\) /s, '')
    .split(' ');
  const seconds = (first: number): number =>
    (Number(fields[first - 3]) + Number(fields[first - 2])) / TICKS_PER_SECOND;
  return {
    pssMb: mb(smaps, 'Pss'),
    pssAnonMb: mb(smaps, 'Pss_Anon'),
    peakRssMb: mb(proc('status'), 'VmHWM'),
    cpuSeconds: seconds(14) + seconds(16),
    children: 0,
    endedChildrenSeconds: seconds(16),
  };
}
