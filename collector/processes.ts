import { readdirSync, readFileSync } from 'node:fs';
import { type Sleep, systemClock, systemSleep } from './clock.ts';
import { countCpus } from './procfs/cpu.ts';
import { Scanner } from './procfs/scan.ts';
import type { Clock } from './source.ts';

export interface ProcessUse {
  readonly pid: number;
  /** Without control characters, at most 64 characters; a command line only where it was asked for. */
  readonly name: string;
  /** Of all CPUs, as the metric `cpu` is; NaN for a process seen only once. */
  readonly cpuPercent: number;
  /** Resident. */
  readonly memoryBytes: number;
}

export interface ProcessesOptions {
  readonly root?: string;
  /** Default 5. */
  readonly count?: number;
  /** Between the two readings. Default 200. */
  readonly windowMs?: number;
  /** Command lines may hold secrets: off by default. */
  readonly commandLines?: boolean;
  readonly clock?: Clock;
  readonly sleep?: Sleep;
  /** Default 4096, the page of x86-64 and most arm64. */
  readonly pageBytes?: number;
}

export interface HeaviestProcesses {
  readonly byCpu: readonly ProcessUse[];
  readonly byMemory: readonly ProcessUse[];
}

export interface ProcessStat {
  readonly name: string;
  /** User and system time of the process, without its children, in ticks. */
  readonly ticks: number;
  /** Since boot, in ticks; with the pid it names a process for good. */
  readonly startTicks: number;
  readonly residentPages: number;
}

/** USER_HZ: 100 on every architecture that Node runs on. */
const TICKS_PER_SECOND = 100;
const NAME_LENGTH_MAX = 64;

/** Whatever a process calls itself goes to terminals, logs and alerts: no control, format or lone surrogate. */
export function cleanName(name: string): string {
  const clean = name.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, '').trim();
  return [...clean].slice(0, NAME_LENGTH_MAX).join('') || '?';
}

/** /proc/<pid>/stat. The name stands in parentheses and may hold any byte, parentheses and blanks too. */
export function parseProcessStat(text: string): ProcessStat | null {
  const open = text.indexOf('(');
  const close = text.lastIndexOf(')');
  if (open < 0 || close < open) return null;
  const scan = new Scanner(text, close + 1);
  scan.skip(11);
  const ticks = scan.number() + scan.number();
  scan.skip(6);
  const startTicks = scan.number();
  scan.skip(1);
  const residentPages = scan.number();
  if (Number.isNaN(ticks + startTicks + residentPages)) return null;
  return { name: cleanName(text.slice(open + 1, close)), ticks, startTicks, residentPages };
}

/** The heaviest by CPU over a short window, and by resident memory. Processes may come and go meanwhile. */
export async function heaviestProcesses(options: ProcessesOptions = {}): Promise<HeaviestProcesses> {
  const { root = '/proc', count = 5, windowMs = 200, pageBytes = 4096 } = options;
  const clock = options.clock ?? systemClock;
  const beganMs = clock.monotonicMs();
  const before = readAll(root);
  await (options.sleep ?? systemSleep)(windowMs);
  const elapsedMs = clock.monotonicMs() - beganMs;
  const cpus = countCpus(readOr(`${root}/stat`));
  const uses: ProcessUse[] = [];
  for (const [pid, now] of readAll(root)) {
    const then = before.get(pid);
    const same = then !== undefined && then.startTicks === now.startTicks;
    // One that began within the window used all of its time there.
    const ticks = same ? now.ticks - then.ticks : then ? Number.NaN : now.ticks;
    const cpuPercent = ((ticks / TICKS_PER_SECOND) * 100_000) / elapsedMs / cpus;
    uses.push({
      pid,
      name: now.name,
      cpuPercent: elapsedMs > 0 ? Math.min(100, Math.max(0, cpuPercent)) : Number.NaN,
      memoryBytes: now.residentPages * pageBytes,
    });
  }
  const heaviest = (weight: (use: ProcessUse) => number) =>
    uses
      .filter((use) => weight(use) > 0)
      .sort((a, b) => weight(b) - weight(a) || a.pid - b.pid)
      .slice(0, count)
      .map((use) => (options.commandLines ? { ...use, name: commandLine(root, use) } : use));
  return { byCpu: heaviest((use) => use.cpuPercent), byMemory: heaviest((use) => use.memoryBytes) };
}

function readAll(root: string): Map<number, ProcessStat> {
  const all = new Map<number, ProcessStat>();
  let names: string[];
  try {
    names = readdirSync(root);
  } catch {
    return all;
  }
  for (const name of names) {
    const code = name.charCodeAt(0);
    if (code < 49 || code > 57) continue;
    // Empty where it ended meanwhile.
    const stat = parseProcessStat(readOr(`${root}/${name}/stat`));
    if (stat) all.set(Number(name), stat);
  }
  return all;
}

function commandLine(root: string, use: ProcessUse): string {
  const text = readOr(`${root}/${use.pid}/cmdline`).replaceAll('\0', ' ').trim();
  return text === '' ? use.name : cleanName(text);
}

function readOr(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
