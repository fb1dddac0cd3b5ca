import { spawn } from 'node:child_process';
import { createWriteStream, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { EXECUTABLE } from './executable.ts';
import { smallSeries } from './series.ts';
import { usageOf } from './usage.ts';

const SIMULATED_INTERVAL_S = 5;
const SIMULATED_WATCH_MS = 500;

/** What an agent holds at some time. */
export interface Point {
  readonly atHours: number;
  readonly pssMb: number;
  readonly pssAnonMb: number;
  readonly descriptors: number;
  readonly databaseMb: number;
}

/** The packaged agent over a recording at full pace. */
export async function simulate(hours: number): Promise<Point[]> {
  const work = mkdtempSync(join(tmpdir(), 'edgewood-soak-'));
  const recording = join(work, 'recording.csv');
  const rows = (hours * 3600) / SIMULATED_INTERVAL_S;
  await record(recording, rows);
  const state = join(work, 'state');
  const args = ['agent', '--source', `replay:${recording}`, '--pace', 'max', '--state-dir', state];
  const child = spawn(EXECUTABLE, args, { stdio: 'ignore', env: { EDGEWOOD_CONFIG: '' } });
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  try {
    const points: Point[] = [];
    const beganMs = performance.now();
    let tookMs = 0;
    while (child.exitCode === null) {
      await Promise.race([sleep(SIMULATED_WATCH_MS), ended]);
      if (child.exitCode !== null) break;
      tookMs = performance.now() - beganMs;
      try {
        points.push(measure(child.pid as number, state, tookMs));
      } catch (error) {
        // It may end between the look at its exit code and the last of its files in /proc.
        if (!['ESRCH', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
        await ended;
      }
    }
    if ((await ended) !== 0) throw new Error(`the replay ended with ${child.exitCode}`);
    // At full pace the hours run evenly but for the fits: wall time stands for simulated time.
    return points.map((point) => ({ ...point, atHours: (point.atHours / tookMs) * hours }));
  } finally {
    child.kill('SIGKILL');
    rmSync(work, { recursive: true, force: true });
  }
}

async function record(path: string, rows: number): Promise<void> {
  const columns = smallSeries(rows, 9);
  const stream = createWriteStream(path);
  stream.write('timestamp,cpu,memory,network,swap\n');
  for (let t = 0; t < rows; t++) {
    const values = columns.map((column) => (column[t] as number).toFixed(3));
    if (!stream.write(`${1_700_000_000 + SIMULATED_INTERVAL_S * t},${values.join(',')}\n`)) {
      await new Promise<void>((resolve) => stream.once('drain', () => resolve()));
    }
  }
  await new Promise<void>((resolve) => stream.end(() => resolve()));
}

export function measure(pid: number, state: string, atHours: number): Point {
  const { pssMb, pssAnonMb } = usageOf(pid);
  const size = (name: string): number => statSync(join(state, name), { throwIfNoEntry: false })?.size ?? 0;
  return {
    atHours,
    pssMb,
    pssAnonMb,
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
    databaseMb: (size('edgewood.db') + size('edgewood.db-wal')) / 1e6,
  };
}
