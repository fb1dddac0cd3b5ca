import { Random } from '../../core/random.ts';
import { type Recording, RecordingBuilder, UNLABELLED } from '../../models/data/recording.ts';
import { candidatesOf, defaultGrid } from '../../models/training/candidates.ts';
import { DEFAULT_SPLIT } from '../../models/training/parts.ts';
import { type TrainingRequest, train } from '../../models/training/training.ts';
import { smallSeries } from './series.ts';

export const MINUTE_MS = 60_000;
export const FROM_MS = 1_700_000_000_000;

export interface RecordOptions {
  readonly host?: string;
  readonly rows?: number;
  readonly seed?: number;
  readonly intervalMs?: number;
  readonly names?: readonly string[];
  /** Added to each value. */
  readonly offset?: number;
  /** Runs of rows that are anomalous, by 60 points, and labelled so; without them there are no labels. */
  readonly labelled?: readonly (readonly [number, number])[];
}

/** A small host, recorded. */
export function recordingOf(options: RecordOptions = {}): Recording {
  const { host = 'web-1', rows = 2000, seed = 3, intervalMs = MINUTE_MS, offset = 0, labelled } = options;
  const names = options.names ?? ['cpu', 'memory', 'network'];
  const columns = smallSeries(rows, seed);
  const builder = new RecordingBuilder(host, names, 1 << 22);
  for (let row = 0; row < rows; row++) {
    const anomalous = labelled?.some(([first, last]) => row >= first && row <= last) ?? false;
    const values = names.map(
      (_, i) => (columns[i]?.[row] as number) + offset + (anomalous && i === 0 ? 60 : 0),
    );
    builder.add(FROM_MS + row * intervalMs, labelled === undefined ? UNLABELLED : Number(anomalous), values);
  }
  return builder.finish();
}

/** A day and a third at a minute each, with little of everything, so that a test waits a second. */
export const trainQuickly = (recordings: readonly Recording[], request: Partial<TrainingRequest> = {}) =>
  train(
    {
      name: 'web',
      recordings,
      candidates: candidatesOf({
        ...defaultGrid(['metric-forests'], 1, null),
        trees: [2],
        rowsPerTree: [32],
        windows: [{ short: 5, long: 20 }],
      }),
      split: DEFAULT_SPLIT,
      seed: 1,
      toolVersion: 'test',
      ...request,
    },
    () => 0,
  );

/** Uniform noise in place of a host: nothing in common with any other. */
export function noiseRecording(host: string, low: number, high: number, rows = 2000): Recording {
  const random = new Random(5);
  const builder = new RecordingBuilder(host, ['cpu', 'memory', 'network'], 1 << 22);
  for (let row = 0; row < rows; row++) {
    const values = [0, 1, 2].map(() => low + (high - low) * random.float());
    builder.add(FROM_MS + row * MINUTE_MS, UNLABELLED, values);
  }
  return builder.finish();
}
