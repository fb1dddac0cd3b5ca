/**
 * `npm run prove:soak [--minutes 60] [--hours 1200]`: does anything grow? Fifty simulated days: the packaged agent over a
 * recording at full pace, learning as it goes (48 hours are over in five seconds, before the first garbage is collected);
 * then a real hour at 1 s with MQTT, InfluxDB and /metrics. Slope of PSS with its 95 % confidence interval, descriptors,
 * size of the database.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { hasVictoriaMetrics, startVictoriaMetrics } from '../support/daemons.ts';
import { EXECUTABLE } from '../support/executable.ts';
import { freePort, hasMosquitto, startMosquitto } from '../support/mosquitto.ts';
import { measure, type Point, simulate } from '../support/soak.ts';
import { type Trend, trend } from '../support/trend.ts';
import { circumstances, numberArgument, writeResult } from './proof.ts';

/** After the models of the first day and what they left behind. */
const SETTLED_AFTER_SHARE = 0.4;
/** Of PSS, and of anonymous memory, which no page of a file hides: what the interval leaves no doubt about. */
const MOST_MB_AN_HOUR = { real: 1, simulated: 0.05 };

process.exitCode = await main();

async function main(): Promise<number> {
  const again = process.argv.indexOf('--again');
  if (again >= 0) return summariseAgain(process.argv[again + 1] ?? '');
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

/** The points of an earlier run, up to a minute: a fit in the last one is no growth. */
function summariseAgain(path: string): number {
  const run = JSON.parse(readFileSync(path, 'utf8')) as Record<'real' | 'simulated', { points: Point[] }>;
  const minutes = numberArgument('minutes', 60);
  const simulated = summary('simulated', 'simulated', run.simulated.points);
  const real = summary('real', `${minutes} real minutes`, run.real.points.slice(0, minutes));
  const passed = real.holds && simulated.holds;
  const file = writeResult('proofs', 'soak', { ...run, minutes, real, simulated, passed });
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
    // The fit after an hour would be a peak in the last minute; fits are in the simulated days.
    ['agent', '--interval', '1s', '--warmup', '1m', '--refit', 'off', '--state-dir', work, ...sinks],
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

interface Summary {
  readonly pssMbAnHour: Trend;
  /** Of its own pages alone: those of files come and go with the trim every five minutes. */
  readonly anonMbAnHour: Trend;
  readonly descriptors: { readonly least: number; readonly most: number };
  readonly databaseMb: number;
  readonly databaseMbAnHour: number;
  readonly holds: boolean;
  readonly points: readonly Point[];
}

function summary(kind: keyof typeof MOST_MB_AN_HOUR, name: string, all: readonly Point[]): Summary {
  const settled = all.slice(Math.floor(all.length * SETTLED_AFTER_SHARE));
  const at = settled.map(({ atHours }) => atHours);
  const anonMbAnHour = trend(
    at,
    settled.map(({ pssAnonMb }) => pssAnonMb),
  );
  const pssMbAnHour = trend(
    at,
    settled.map(({ pssMb }) => pssMb),
  );
  const counts = settled.map(({ descriptors }) => descriptors);
  const descriptors = { least: Math.min(...counts), most: Math.max(...counts) };
  const [first, last] = [settled[0] as Point, settled.at(-1) as Point];
  const databaseMbAnHour = (last.databaseMb - first.databaseMb) / (last.atHours - first.atHours);
  const holds =
    [pssMbAnHour, anonMbAnHour].every(({ low }) => low <= MOST_MB_AN_HOUR[kind]) &&
    descriptors.most - descriptors.least <= 5;
  console.log(
    `${name}: PSS ${first.pssMb.toFixed(1)} -> ${last.pssMb.toFixed(1)} MB, slope ${pssMbAnHour.slope.toFixed(4)} MB an hour ` +
      `(95 %: ${pssMbAnHour.low.toFixed(4)} to ${pssMbAnHour.high.toFixed(4)}), Pss_Anon ${anonMbAnHour.slope.toFixed(4)} (${anonMbAnHour.low.toFixed(4)} to ${anonMbAnHour.high.toFixed(4)}); descriptors ${descriptors.least} to ${descriptors.most}; ` +
      `database ${last.databaseMb.toFixed(1)} MB, ${databaseMbAnHour.toFixed(3)} MB an hour`,
  );
  return {
    pssMbAnHour,
    anonMbAnHour,
    descriptors,
    databaseMb: last.databaseMb,
    databaseMbAnHour,
    holds,
    points: all,
  };
}
