import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** Time that the main thread of a process was on a processor, in ms; finer than the ticks of its `stat`. */
export const cpuMs = (pid: number): number =>
  Number(readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[0]) / 1e6;

export const residentBytes = (pid: number): number =>
  1024 * Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);

export interface Cost {
  readonly count: number;
  /** Of one, in microseconds of processor time. */
  readonly cpuUs: number;
  /** Of one: what the process has grown by. */
  readonly residentBytes: number;
}

/** What `work` costs a process, of which it does `count`. */
export async function costOf(pid: number, count: number, work: () => Promise<unknown>): Promise<Cost> {
  const before = { cpu: cpuMs(pid), bytes: residentBytes(pid) };
  await work();
  return {
    count,
    cpuUs: round((1000 * (cpuMs(pid) - before.cpu)) / count),
    residentBytes: Math.round((residentBytes(pid) - before.bytes) / count),
  };
}

export const round = (value: number): number => Number(value.toPrecision(3));

/** Looks twice in a tenth of a second. @throws where it does not come to hold within two minutes */
export async function until(holds: () => boolean, what: string): Promise<void> {
  const end = performance.now() + 120_000;
  while (!holds()) {
    if (performance.now() > end) throw new Error(`${what}: not within two minutes`);
    await sleep(50);
  }
}
