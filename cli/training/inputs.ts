import { readRecording } from '../../models/data/read.ts';
import { type Recording, VALUES_MAX } from '../../models/data/recording.ts';
import { DataError } from '../../models/data/table.ts';
import type { ValidationOptions, ValidationReport } from '../../models/data/validation.ts';
import type { DataFile } from '../../models/record.ts';
import type { Progress } from '../progress.ts';
import { isDatabase, readAgentDatabase } from './agent-database.ts';

export interface Inputs {
  readonly recordings: readonly Recording[];
  readonly files: readonly DataFile[];
  /** Of files that must not be learned from. */
  readonly refused: readonly ValidationReport[];
  /** Columns that were there, and were not asked for. */
  readonly ignored: readonly string[];
}

export interface InputOptions extends ValidationOptions {
  readonly features: readonly string[] | 'schema' | null;
  /** Doubles kept, over all files; by default VALUES_MAX. */
  readonly valuesMax?: number;
}

/**
 * Every file, checked and gathered: CSV, or the database of an agent. All together stay within a bound.
 * @throws DataError for what can't be read at all
 */
export async function readInputs(
  paths: readonly string[],
  options: InputOptions,
  progress: Progress,
): Promise<Inputs> {
  const valuesMax = Math.floor((options.valuesMax ?? VALUES_MAX) / paths.length);
  const recordings: Recording[] = [];
  const files: DataFile[] = [];
  const refused: ValidationReport[] = [];
  const ignored = new Set<string>();
  for (const path of paths) {
    progress.note(`reading ${path}`);
    if (isDatabase(path)) {
      const recording = readAgentDatabase(
        path,
        options.features === 'schema' ? null : options.features,
        valuesMax,
      );
      if (recording.timesMs.length === 0) throw new DataError(`${path} holds no samples yet.`);
      recordings.push(recording);
      files.push({ ...spanOf(recording), file: path, violationRate: 0 });
      continue;
    }
    const {
      recording,
      report,
      ignored: here,
    } = await readRecording(path, {
      ...options,
      valuesMax,
      onProgress: (rows) => progress.note(`reading ${path}: ${rows} rows`),
    });
    for (const name of here) ignored.add(name);
    if (report.verdict === 'fail' || recording === null) {
      refused.push(report);
      continue;
    }
    recordings.push(recording);
    files.push({ ...spanOf(recording), file: report.file, violationRate: report.violationRate });
  }
  return { recordings, files, refused, ignored: [...ignored] };
}

function spanOf({ host, rowsRead, timesMs }: Recording): Pick<DataFile, 'host' | 'rows' | 'from' | 'to'> {
  const iso = (ms: number | undefined): string | null =>
    ms === undefined ? null : new Date(ms).toISOString();
  return { host, rows: rowsRead, from: iso(timesMs[0]), to: iso(timesMs.at(-1)) };
}
