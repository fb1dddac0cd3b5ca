import { createWriteStream } from 'node:fs';
import type { Writable } from 'node:stream';
import { ReplaySource } from '../../collector/replay.ts';
import { SourceError } from '../../collector/source.ts';
import { INCIDENT_DEFAULTS } from '../../core/incident.ts';
import type { Model } from '../../core/model.ts';
import { Watcher } from '../../core/watcher.ts';
import { Exit, UserError } from '../errors.ts';
import { openModel } from '../model-reference.ts';
import { registryDirectory } from '../registry.ts';

export interface ScoreOptions {
  readonly model: string;
  readonly file: string;
  readonly explain: boolean;
  readonly out?: string | undefined;
  readonly registry?: string | undefined;
}

/** Lines are written in pieces of about this. */
const PIECE_CHARACTERS = 1 << 16;

/** `timestamp,score,anomaly`, row by row as they come: a file of any size in bounded memory. */
export async function run(args: ScoreOptions): Promise<number> {
  const { model } = openModel(args.model, registryDirectory(args.registry));
  const source = new ReplaySource({ files: [args.file], pace: 'max' });
  try {
    await source.open();
    const missing = model.schema.filter(({ name }) => !source.schema.some((metric) => metric.name === name));
    if (missing.length === model.schema.length) {
      throw new UserError(
        `${args.file} has none of the metrics of ${args.model} (${model.schema.map(({ name }) => name).join(', ')})`,
      );
    }
    if (missing.length > 0) {
      process.stderr.write(
        `edgewood: ${args.file} lacks ${missing.map(({ name }) => name).join(', ')}: scored as missing\n`,
      );
    }
    const output = args.out === undefined ? process.stdout : await create(args.out);
    await scoreAll(model, source, args.explain, output);
    return Exit.done;
  } catch (error) {
    throw error instanceof SourceError ? new UserError(error.message) : error;
  } finally {
    await source.close();
  }
}

async function create(path: string): Promise<Writable> {
  const stream = createWriteStream(path);
  await new Promise<void>((resolve, reject) => {
    stream.once('open', () => resolve());
    stream.once('error', (error: NodeJS.ErrnoException) =>
      reject(new UserError(`${path}: can't be written (${error.code})`)),
    );
  });
  return stream;
}

/**
 * An anomaly is a sample at which a trigger is over its `info` threshold, before incidents are made of them. With
 * `explain`, score = base_value + the contributions, exactly (Shapley values of the detector).
 */
async function scoreAll(
  model: Model,
  source: ReplaySource,
  explain: boolean,
  output: Writable,
): Promise<void> {
  const watcher = new Watcher(model, source.schema, INCIDENT_DEFAULTS);
  const contributions = new Float64Array(model.schema.length);
  const names = explain ? ['base_value', ...model.schema.map(({ name }) => `contribution_${name}`)] : [];
  let piece = `${['timestamp', 'score', 'anomaly', ...names].join(',')}\n`;
  const write = async (): Promise<void> => {
    const room = output.write(piece);
    piece = '';
    if (!room) await new Promise<void>((resolve) => output.once('drain', () => resolve()));
  };
  for (let sample = await source.read(); sample !== null; sample = await source.read()) {
    const score = watcher.warm(sample);
    const anomaly = watcher.alarm.readings.some(({ value, thresholds }) => value > thresholds.info);
    const cells: (string | number)[] = [new Date(sample.timeMs).toISOString(), text(score), anomaly ? 1 : 0];
    if (explain) {
      watcher.detector.contributions(contributions);
      cells.push(watcher.detector.baseValue, ...Array.from(contributions, text));
    }
    piece += `${cells.join(',')}\n`;
    if (piece.length > PIECE_CHARACTERS) await write();
  }
  await write();
  if (output !== process.stdout) await new Promise<void>((resolve) => output.end(() => resolve()));
}

/** Missing is an empty cell. */
const text = (x: number): string => (Number.isFinite(x) ? String(x) : '');
