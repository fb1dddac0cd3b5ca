/**
 * `npm run prove:soak [--minutes 60] [--hours 1200]`: does anything grow? Fifty simulated days: the packaged agent over a
 * recording at full pace, learning as it goes (48 hours are over in five seconds, before the first garbage is collected);
 * then a real hour at 1 s with MQTT, InfluxDB and /metrics. Slope of PSS with its 95 % confidence interval, descriptors,
 * size of the database.
 */
import { spawn } from 'node:child_process';
import { createWriteStream, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { hasVictoriaMetrics, startVictoriaMetrics } from '../support/daemons.ts';
import { EXECUTABLE } from '../support/executable.ts';
import { freePort, hasMosquitto, startMosquitto } from '../support/mosquitto.ts';
import { smallSeries } from '../support/series.ts';
import { type Trend, trend } from '../support/trend.ts';
import { usageOf } from '../support/usage.ts';
import { circumstances, numberArgument, writeResult } from './proof.ts';

/** After the models of the first day and what they left behind. */
const SETTLED_AFTER_SHARE = 0.4;
const MOST_MB_AN_HOUR = { real: 1, simulated: 0.05 };
const SIMULATED_INTERVAL_S = 5;
const SIMULATED_WATCH_MS = 500;

interface Point {
  readonly atHours: number;
  readonly pssMb: number;
  readonly pssAnonMb: number;
  readonly descriptors: number;
  readonly databaseMb: number;
}

process.exitCode = await main();

async function main(): Promise<number> {
  if (!hasMosquitto || !hasVictoriaMetrics) {
    console.log('SKIPPED prove:soak: mosquitto or victoria-metrics is not installed (Debian packages)');
    return 0;
  }
  const minutes = numberArgument('minutes', 60);
  const hours = numberArgument('hours', 1200);
  const simulated = summary('simulated', `${hours} simulated hours`, await simulate(hours));
  const real = summary('real', `${minutes} real minutes`, await watch(minutes));
  const passed = [real, simulated].every(({ holds }) => holds);
  const file = writeResult('proofs', 'soak', { ...circumstances(), minutes, hours, real, simulated, passed });
  console.log(`${passed ? 'PASSED' : 'FAILED'}. ${file}`);
  return passed ? 0 : 1;
}

async function watch(minutes: number): Promise<Point[]> {
  const work = mkdtempSync(join(tmpdir(), 'edgewood-soak-'));
  const mosquitto = await startMosquitto();
  const victoria = await startVictoriaMetrics();
  const http = `127.0.0.1:${await freePort()}`;
  const sinks = ['--mqtt', `mqtt://127.0.0.1:${mosquitto.port}`, '--influx', victoria.url, '--http', http];
  const child = spawn(
    EXECUTABLE,
    ['agent', '--interval', '1s', '--warmup', '1m', '--state-dir', work, ...sinks],
    {
      stdio: 'ignore',
      env: { EDGEWOOD_CONFIG: '' },
    },
  );
  try {
    const points: Point[] = [];
    for (let minute = 1; minute <= minutes; minute++) {
      await sleep(60_000);
      await fetch(`http://${http}/metrics`).then((response) => response.text());
      const point = measure(child.pid as number, work, minute / 60);
      points.push(point);
      if (minute % 5 === 0) console.error(`${minute} min: ${JSON.stringify(point)}`);
    }
    return points;
  } finally {
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    await gone;
    await victoria.stop();
    await mosquitto.stop();
    rmSync(work, { recursive: true, force: true });
  }
}

async function simulate(hours: number): Promise<Point[]> {
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
      points.push(measure(child.pid as number, state, tookMs));
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

function measure(pid: number, state: string, atHours: number): Point {
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

interface Summary {
  readonly pssMbAnHour: Trend;
  readonly descriptors: { readonly least: number; readonly most: number };
  readonly databaseMb: number;
  readonly databaseMbAnHour: number;
  readonly holds: boolean;
  readonly points: readonly Point[];
}

function summary(kind: keyof typeof MOST_MB_AN_HOUR, name: string, all: readonly Point[]): Summary {
  const settled = all.slice(Math.floor(all.length * SETTLED_AFTER_SHARE));
  const at = settled.map(({ atHours }) => atHours);
  const pssMbAnHour = trend(
    at,
    settled.map(({ pssMb }) => pssMb),
  );
  const counts = settled.map(({ descriptors }) => descriptors);
  const descriptors = { least: Math.min(...counts), most: Math.max(...counts) };
  const [first, last] = [settled[0] as Point, settled.at(-1) as Point];
  const databaseMbAnHour = (last.databaseMb - first.databaseMb) / (last.atHours - first.atHours);
  const holds = pssMbAnHour.slope <= MOST_MB_AN_HOUR[kind] && descriptors.most - descriptors.least <= 5;
  console.log(
    `${name}: PSS ${first.pssMb.toFixed(1)} -> ${last.pssMb.toFixed(1)} MB, slope ${pssMbAnHour.slope.toFixed(4)} MB an hour ` +
      `(95 %: ${pssMbAnHour.low.toFixed(4)} to ${pssMbAnHour.high.toFixed(4)}); descriptors ${descriptors.least} to ${descriptors.most}; ` +
      `database ${last.databaseMb.toFixed(1)} MB, ${databaseMbAnHour.toFixed(3)} MB an hour`,
  );
  return { pssMbAnHour, descriptors, databaseMb: last.databaseMb, databaseMbAnHour, holds, points: all };
}
