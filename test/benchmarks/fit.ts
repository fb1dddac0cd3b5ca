/**
 * `npm run bench:fit`: what an agent does at night, step by step: a fit to the newest rows of its store, and the
 * reference of drift over 14 days of 17 metrics at 5 s. Between two steps the agent looks at the clock: a step that is
 * longer than a slice (8 ms) makes a sample late.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import { SLICE_MS } from '../../agent/background.ts';
import { fitFromStore } from '../../agent/learner.ts';
import { openSqliteStore, type SqliteStore } from '../../agent/store/sqlite-store.ts';
import { DAY_MS } from '../../core/drift/reference.ts';
import { quantileSorted } from '../../core/math.ts';
import { DEFAULT_BUDGET } from '../../core/model.ts';
import { Random } from '../../core/random.ts';
import { HOST_METRICS } from '../../core/sample.ts';
import { encodeModel } from '../../models/artifact.ts';
import { circumstances, writeResult } from '../proofs/proof.ts';
import { AGENT_FLAGS } from './agent-flags.ts';

const DAYS = 14;
const REPEATS = 2;
const INTERVAL_MS = 5000;
const ROWS = (DAYS * DAY_MS) / INTERVAL_MS;
const START_MS = 1_700_000_000_000;

interface Figures {
  readonly steps: number;
  /** Of each step the shorter of two runs: collections of garbage fall on others in each. */
  readonly medianMs: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** Of the steps as they came, collections and a loaded machine's caches included; how many a run were over a slice. */
  readonly onceMaxMs: number;
  readonly onceOverSlice: number;
  readonly cpuSeconds: number;
  readonly artifactSha256: string;
}

if (process.argv.includes('--child')) console.log(JSON.stringify(measure()));
else main();

function main(): void {
  const child = spawnSync(process.execPath, [...AGENT_FLAGS, fileURLToPath(import.meta.url), '--child'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (child.status !== 0) throw new Error(`the measurement ended with ${child.status}`);
  const figures = JSON.parse(child.stdout) as Figures;
  const file = writeResult('benchmarks', 'fit', {
    ...circumstances(),
    command: 'npm run bench:fit',
    days: DAYS,
    metrics: HOST_METRICS.length,
    intervalMs: INTERVAL_MS,
    sliceMs: SLICE_MS,
    repeats: REPEATS,
    agentFlags: AGENT_FLAGS,
    ...figures,
  });
  console.log(
    `${figures.steps} steps: median ${figures.medianMs.toFixed(2)} ms, p99 ${figures.p99Ms.toFixed(2)}, longest ${figures.maxMs.toFixed(1)} (as they came ${figures.onceMaxMs.toFixed(1)}, ${figures.onceOverSlice} over a slice of ${SLICE_MS}); CPU ${figures.cpuSeconds.toFixed(1)} s. ${file}`,
  );
}

function measure(): Figures {
  const directory = mkdtempSync(join(tmpdir(), 'edgewood-bench-fit-'));
  const store = openSqliteStore({
    stateDir: directory,
    openDatabase: (path) => new Database(path),
    nowMs: () => START_MS,
    randomHex: (bytes) => '0'.repeat(2 * bytes),
  });
  try {
    fill(store);
    const runs = Array.from({ length: REPEATS }, () => timed(store));
    const [first] = runs;
    if (
      first === undefined ||
      runs.some(({ sha256, took }) => sha256 !== first.sha256 || took.length !== first.took.length)
    )
      throw new Error('two fits to the same rows differ');
    const shortest = first.took.map((_, i) => Math.min(...runs.map(({ took }) => took[i] as number)));
    if (process.argv.includes('--verbose'))
      for (const [i, ms] of shortest.entries()) if (ms > 4) console.error(`step ${i}: ${ms.toFixed(1)} ms`);
    const sorted = Float64Array.from(shortest).sort();
    const all = runs.flatMap(({ took }) => took);
    return {
      steps: first.took.length,
      medianMs: quantileSorted(sorted, 0.5),
      p99Ms: quantileSorted(sorted, 0.99),
      maxMs: sorted.at(-1) as number,
      onceMaxMs: Math.max(...runs.map(({ took }) => took.reduce((most, ms) => Math.max(most, ms), 0))),
      onceOverSlice: all.filter((ms) => ms > SLICE_MS).length / REPEATS,
      cpuSeconds: Math.min(...runs.map(({ cpuSeconds }) => cpuSeconds)),
      artifactSha256: first.sha256,
    };
  } finally {
    store.close();
    rmSync(directory, { recursive: true });
  }
}

/** One fit: the milliseconds of each of its steps. */
function timed(store: SqliteStore): { took: number[]; cpuSeconds: number; sha256: string } {
  const fit = fitFromStore({
    store,
    schema: HOST_METRICS,
    nowMs: START_MS + ROWS * INTERVAL_MS,
    budget: DEFAULT_BUDGET,
    renotifyMs: 3_600_000,
    intervalMs: INTERVAL_MS,
    toolVersion: 'benchmark',
    seed: 1,
    referenceFromMs: null,
  });
  const took: number[] = [];
  const begun = process.cpuUsage();
  for (;;) {
    // Processor time, garbage collection with it: what else runs on the machine shall lengthen no step.
    const before = process.cpuUsage();
    const step = fit.next();
    const { user, system } = process.cpuUsage(before);
    took.push((user + system) / 1000);
    if (step.done !== true) continue;
    if (step.value === null) throw new Error('no model');
    const whole = process.cpuUsage(begun);
    const sha256 = createHash('sha256').update(encodeModel(step.value)).digest('hex');
    return { took, cpuSeconds: (whole.user + whole.system) / 1e6, sha256 };
  }
}

/** Metrics with a daily wave, noise that carries over, and whole numbers for some. */
function fill(store: SqliteStore): void {
  const random = new Random(1);
  const noise = new Float64Array(HOST_METRICS.length);
  for (let row = 0; row < ROWS; row++) {
    const timeMs = START_MS + row * INTERVAL_MS;
    const ofDay = (timeMs % DAY_MS) / DAY_MS;
    const wave = 4 * ofDay * (1 - ofDay);
    const values = Float64Array.from(HOST_METRICS, ({ scale }, metric) => {
      noise[metric] = 0.9 * (noise[metric] as number) + random.float() - 0.5;
      const x = Math.max(0, (scale || 1e6) * (0.1 + 0.1 * wave + 0.02 * (noise[metric] as number)));
      return metric % 3 === 0 ? Math.round(x) : x;
    });
    store.appendSample({ timeMs, values, score: 1, flags: 0 });
  }
}
