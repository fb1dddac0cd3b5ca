/**
 * `npm run bench:footprint [--minutes 20]`: memory and CPU of the packaged agent, sampling each second, connected to a
 * real mosquitto, with its own model (learned in the first minute). Beside it the same agent on systeminformation, and
 * a bare Node with a timer. Each is a file of its own, since PSS shares what processes map together.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { circumstances, numberArgument, writeResult } from '../proofs/proof.ts';
import { EXECUTABLE } from '../support/executable.ts';
import { hasMosquitto, startMosquitto } from '../support/mosquitto.ts';

const SAMPLE_EVERY_MS = 60_000;
/** Jiffies a second; a constant of Linux's interface to user space. */
const TICKS_PER_SECOND = 100;

interface Usage {
  readonly pssMb: number;
  readonly pssAnonMb: number;
  readonly pssFileMb: number;
  readonly peakRssMb: number;
  readonly descriptors: number;
  readonly cpuSeconds: number;
}

process.exitCode = await main();

async function main(): Promise<number> {
  if (!hasMosquitto) {
    console.error('bench:footprint: mosquitto is not installed (Debian package mosquitto)');
    return 3;
  }
  const minutes = numberArgument('minutes', 20);
  const work = mkdtempSync(join(tmpdir(), 'edgewood-footprint-'));
  const mosquitto = await startMosquitto();
  const children = new Map<string, ChildProcess>();
  const agent = (name: string, source: string): void => {
    const file = join(work, name);
    copyFileSync(EXECUTABLE, file);
    // Out of the page cache, as after a boot: a file just written lies there in large pieces, and each page that is
    // touched maps a whole one.
    spawnSync('dd', [`of=${file}`, 'oflag=nocache', 'conv=notrunc,fdatasync', 'count=0'], {
      stdio: 'ignore',
    });
    const args = ['--interval', '1s', '--warmup', '1m', '--source', source, '--state-dir', `${file}-state`];
    const sinks = ['--mqtt', `mqtt://127.0.0.1:${mosquitto.port}`, '--log-format', 'json'];
    children.set(name, spawn(file, ['agent', ...args, ...sinks], { stdio: 'ignore', env: {} }));
  };
  try {
    agent('agent', 'procfs');
    agent('agent on systeminformation', 'systeminformation');
    children.set(
      'bare Node',
      spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' }),
    );
    const series = new Map<string, Usage[]>([...children.keys()].map((name) => [name, []]));
    for (let minute = 0; minute < minutes; minute++) {
      await sleep(SAMPLE_EVERY_MS);
      for (const [name, child] of children) series.get(name)?.push(usageOf(child.pid as number));
      const now = series.get('agent')?.at(-1);
      console.error(
        `${minute + 1} min: PSS ${now?.pssMb.toFixed(1)} MB, Pss_Anon ${now?.pssAnonMb.toFixed(1)} MB`,
      );
    }
    return report(minutes, series);
  } finally {
    for (const child of children.values()) {
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      await gone;
    }
    await mosquitto.stop();
    rmSync(work, { recursive: true, force: true });
  }
}

function usageOf(pid: number): Usage {
  const proc = (file: string): string => readFileSync(`/proc/${pid}/${file}`, 'utf8');
  const mb = (text: string, key: string): number =>
    Number(new RegExp(`^${key}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? Number.NaN) / 1024;
  const smaps = proc('smaps_rollup');
  // Behind the name in parentheses: state is field 3, utime 14, stime 15, and those of waited-for children 16 and 17.
  const fields = proc('stat')
    .replace(/^.*\) /s, '')
    .split(' ');
  const ticks = [14, 15, 16, 17].reduce((sum, field) => sum + Number(fields[field - 3]), 0);
  return {
    pssMb: mb(smaps, 'Pss'),
    pssAnonMb: mb(smaps, 'Pss_Anon'),
    pssFileMb: mb(smaps, 'Pss_File'),
    peakRssMb: mb(proc('status'), 'VmHWM'),
    descriptors: Number(/^FDSize:\s+(\d+)/m.exec(proc('status'))?.[1]),
    cpuSeconds: ticks / TICKS_PER_SECOND,
  };
}

function report(minutes: number, series: ReadonlyMap<string, readonly Usage[]>): number {
  const rows = [...series].map(([name, usages]) => {
    const last = usages.at(-1) as Usage;
    // From the second minute on: the first has start and learning in it.
    const from = usages[Math.min(1, usages.length - 1)] as Usage;
    const seconds = ((usages.length - 1 - Math.min(1, usages.length - 1)) * SAMPLE_EVERY_MS) / 1000;
    const cpuPercent = seconds > 0 ? (100 * (last.cpuSeconds - from.cpuSeconds)) / seconds : Number.NaN;
    return { name, ...last, cpuPercent };
  });
  console.log(`after ${minutes} min                 PSS MB  Pss_Anon  VmHWM  CPU % of a core`);
  for (const row of rows) {
    console.log(
      `${row.name.padEnd(28)} ${row.pssMb.toFixed(1).padStart(6)} ${row.pssAnonMb.toFixed(1).padStart(9)} ${row.peakRssMb.toFixed(0).padStart(6)} ${row.cpuPercent.toFixed(2).padStart(8)}`,
    );
  }
  const file = writeResult('benchmarks', 'footprint', {
    ...circumstances(),
    command: 'npm run bench:footprint',
    minutes,
    intervalMs: 1000,
    rows,
    pssMbByMinute: series.get('agent')?.map(({ pssMb }) => Number(pssMb.toFixed(2))),
  });
  console.log(file);
  return 0;
}
