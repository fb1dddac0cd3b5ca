import { INCIDENT_DEFAULTS } from '../../core/incident.ts';
import { quantileSorted } from '../../core/math.ts';
import type { Model } from '../../core/model.ts';
import { Watcher } from '../../core/watcher.ts';
import type { Recording } from '../data/recording.ts';
import { schemaFor } from '../training/assess.ts';

/** Until the compiler has seen the loop; not counted. */
const WARM_UP_ROWS = 1000;
const SCORED_ROWS = 10_000;
/** TreeSHAP of a standard forest takes milliseconds. */
const EXPLAINED_ROWS = { 'metric-forests': 2000, 'isolation-forest': 500 } as const;

export interface LatencyFigures {
  readonly rows: number;
  readonly p50Us: number;
  readonly p95Us: number;
  readonly p99Us: number;
}

export interface Latency {
  /** Features, score, triggers and rules of one sample: what an agent does each interval. */
  readonly score: LatencyFigures;
  /** The same, and the contributions of all metrics. */
  readonly explained: LatencyFigures;
}

/** @param nowUs wall time in microseconds; rows are used again where there are too few */
export function measureLatency(model: Model, recording: Recording, nowUs: () => number): Latency {
  return {
    score: run(model, recording, SCORED_ROWS, false, nowUs),
    explained: run(model, recording, EXPLAINED_ROWS[model.detector], true, nowUs),
  };
}

function run(
  model: Model,
  { timesMs, columns, names, intervalMs }: Recording,
  rows: number,
  explain: boolean,
  nowUs: () => number,
): LatencyFigures {
  const watcher = new Watcher(model, schemaFor(model, names), INCIDENT_DEFAULTS);
  const values = new Float64Array(columns.length);
  const contributions = new Float64Array(model.schema.length);
  const took = new Float64Array(rows);
  const start = timesMs[0] ?? 0;
  const warmUp = explain ? rows / 10 : WARM_UP_ROWS;
  for (let i = 0; i < warmUp + rows; i++) {
    for (let m = 0; m < columns.length; m++) {
      values[m] = (columns[m] as Float64Array)[i % timesMs.length] as number;
    }
    const sample = { timeMs: start + i * intervalMs, values };
    const before = nowUs();
    watcher.warm(sample);
    if (explain) watcher.detector.contributions(contributions);
    const after = nowUs();
    if (i >= warmUp) took[i - warmUp] = after - before;
  }
  took.sort();
  const at = (q: number): number => quantileSorted(took, q);
  return { rows, p50Us: at(0.5), p95Us: at(0.95), p99Us: at(0.99) };
}
