/**
 * `npm run bench:score`: one sample of the default features through the detector, with explanation, as the agent runs it
 * (its V8 flags) and as `score` would (with the optimising compilers), medians over repeats. The plain isolation forest
 * of 100 trees on the same rows is the peer.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { alertData } from '../../core/alert.ts';
import { runToEnd } from '../../core/features.ts';
import { INCIDENT_DEFAULTS } from '../../core/incident.ts';
import { fitIsolationForest, isolationScore } from '../../core/isolation-forest.ts';
import { Random } from '../../core/random.ts';
import { HOST_METRICS } from '../../core/sample.ts';
import { trainModel } from '../../core/train.ts';
import { Watcher } from '../../core/watcher.ts';
import { encodeModel } from '../../models/artifact.ts';
import { circumstances, writeResult } from '../proofs/proof.ts';

/** As the executable has them baked in (build/executable.ts) and `useSmallHeap` (cli/runtime.ts) sets them. */
const AGENT_FLAGS = ['--no-opt', '--no-maglev', '--max-semi-space-size=1', '--v8-pool-size=1'];
const ROWS = 17_280;
const INTERVAL_MS = 5000;
const REPEATS = 7;
const STEPS = 2000;

interface Figures {
  readonly metrics: number;
  readonly stepUs: number;
  readonly alertUs: number;
  /** The plain isolation forest, 100 trees of 256 rows, on the raw values: score alone. */
  readonly plainForestUs: number;
  readonly fitMs: number;
  readonly modelBytes: number;
}

if (process.argv.includes('--child')) console.log(JSON.stringify(measure()));
else main();

function main(): void {
  const run = (flags: readonly string[]): Figures => {
    const child = spawnSync(process.execPath, [...flags, fileURLToPath(import.meta.url), '--child'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    if (child.status !== 0) throw new Error(`the measurement ended with ${child.status}`);
    return JSON.parse(child.stdout) as Figures;
  };
  const agent = run(AGENT_FLAGS);
  const compiled = run([]);
  const total = agent.stepUs + agent.alertUs;
  const file = writeResult('benchmarks', 'score', {
    ...circumstances(),
    command: 'npm run bench:score',
    rows: ROWS,
    repeats: REPEATS,
    agentFlags: AGENT_FLAGS,
    agent,
    compiled,
  });
  const line = (name: string, f: Figures): void =>
    console.log(
      `${name.padEnd(22)} ${f.stepUs.toFixed(0).padStart(6)} us a sample, ${f.alertUs.toFixed(0).padStart(4)} us an alert, plain isolation forest ${f.plainForestUs.toFixed(0)} us; fit of ${ROWS} rows x ${f.metrics} metrics ${(f.fitMs / 1000).toFixed(1)} s`,
    );
  line("the agent's flags", agent);
  line('optimising compilers', compiled);
  console.log(
    `score plus explanation under the agent's flags: ${total.toFixed(0)} us (at most 500). ${file}`,
  );
}

function measure(): Figures {
  const schema = HOST_METRICS;
  const random = new Random(1);
  const columns = schema.map(() => new Float64Array(ROWS));
  for (let t = 0; t < ROWS; t++) {
    const wave = Math.abs((t % 2880) - 1440) / 1440;
    columns.forEach((column, i) => {
      column[t] = i % 5 === 4 ? 0 : 20 + 30 * wave + 10 * random.float();
    });
  }
  const provenance = {
    name: 'bench',
    version: '1',
    seed: 1,
    trainedFromMs: 0,
    trainedToMs: ROWS * INTERVAL_MS,
    rows: ROWS,
    intervalMs: INTERVAL_MS,
    dataSha256: '00',
    toolVersion: 'bench',
  };
  const before = performance.now();
  const model = runToEnd(trainModel(schema, columns, provenance));
  const fitMs = performance.now() - before;
  const watcher = new Watcher(model, schema, INCIDENT_DEFAULTS);
  let row = 0;
  const next = () => {
    const at = row++ % ROWS;
    return {
      timeMs: row * INTERVAL_MS,
      values: Float64Array.from(columns, (column) => column[at] as number),
    };
  };
  const step = (): unknown => watcher.step(next(), 'open', () => 'id');
  const context = {
    host: { id: 'host', name: 'host', labels: {} },
    agentVersion: '1',
    modelSha256: '',
    modelAlias: null,
    replayed: false,
    warmingUp: false,
    maintenance: false,
    driftSeverity: null,
    processes: null,
  };
  const incident = {
    id: 'id',
    openedAtMs: 0,
    trigger: 'surprise' as const,
    severity: 'info' as const,
    peak: 1,
    sampleCount: 1,
    suppressedCount: 0,
    lastFlagMs: 0,
    notifiedAtMs: 0,
    quietSamples: 0,
  };
  const transition = { state: 'opened' as const, incident, reading: null, atMs: 0 };
  const alert = (): unknown => JSON.stringify(alertData(transition, watcher, context, { epoch: 'e', n: 1 }));
  const rows = Float64Array.from({ length: ROWS * schema.length }, (_, i) =>
    Number(columns[i % schema.length]?.[Math.floor(i / schema.length)]),
  );
  const plain = fitIsolationForest(rows, schema.length, new Random(1));
  for (let i = 0; i < 500; i++) step();
  return {
    metrics: schema.length,
    stepUs: timed(step),
    alertUs: timed(alert),
    plainForestUs: timed(() => isolationScore(plain, next().values)),
    fitMs,
    modelBytes: encodeModel(model).length,
  };
}

/** Median over the repeats of the mean of STEPS calls, in microseconds. */
function timed(work: () => unknown): number {
  const means = Array.from({ length: REPEATS }, () => {
    const start = performance.now();
    for (let i = 0; i < STEPS; i++) work();
    return ((performance.now() - start) * 1000) / STEPS;
  });
  return means.sort((a, b) => a - b)[REPEATS >> 1] as number;
}
