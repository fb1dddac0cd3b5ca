import { basename } from 'node:path';
import { HOST_METRICS, type Metric, type MetricSchema } from '../../core/sample.ts';
import { type Recording, RecordingBuilder } from './recording.ts';
import { DataError, quoted } from './table.ts';
import {
  type CheckedRow,
  SPECIAL,
  type ValidationOptions,
  type ValidationReport,
  validateFile,
} from './validation.ts';

export interface ReadOptions extends ValidationOptions {
  /** Columns to take; null: all that are no timestamp, label or probation; 'schema': of those, what the schema names. */
  readonly features: readonly string[] | 'schema' | null;
  /** Doubles kept. */
  readonly valuesMax: number;
  /** Told now and then how many rows were read. */
  readonly onProgress?: (rows: number) => void;
}

const PROGRESS_ROWS = 1 << 16;

/**
 * A CSV file, checked and gathered in one pass.
 * @throws DataError where it can't be read, or lacks a feature that was asked for
 */
export async function readRecording(
  path: string,
  options: ReadOptions,
): Promise<{
  readonly recording: Recording | null;
  readonly report: ValidationReport;
  /** Columns that were not asked for. */
  readonly ignored: readonly string[];
}> {
  let builder: RecordingBuilder | null = null;
  let positions: readonly number[] = [];
  let values = new Float64Array(0);
  let rows = 0;
  let ignored: readonly string[] = [];
  const report = await validateFile(path, options, (row: CheckedRow, names) => {
    if (builder === null) {
      const wanted = featuresOf(path, names, options);
      ignored = names.filter((name) => !SPECIAL.has(name) && !wanted.includes(name));
      positions = wanted.map((name) => names.indexOf(name));
      values = new Float64Array(wanted.length);
      builder = new RecordingBuilder(hostOf(path), wanted, options.valuesMax);
    }
    for (let i = 0; i < positions.length; i++) values[i] = row.values[positions[i] as number] as number;
    builder.add(row.timeMs, row.label, values);
    if (++rows % PROGRESS_ROWS === 0) options.onProgress?.(rows);
  });
  return { recording: (builder as RecordingBuilder | null)?.finish() ?? null, report, ignored };
}

function featuresOf(
  path: string,
  names: readonly string[],
  { features: wanted, schema }: ReadOptions,
): readonly string[] {
  const there = names.filter((name) => !SPECIAL.has(name));
  if (wanted === null) return there;
  if (wanted === 'schema') return there.filter((name) => schema.has(name));
  const missing = wanted.find((name) => !there.includes(name));
  if (missing !== undefined) {
    if (SPECIAL.has(missing))
      throw new DataError(`${path}: ${missing} is no metric: a model can't learn from it.`);
    throw new DataError(`${path}, line 1: no column ${quoted(missing)}; there are ${there.join(', ')}.`);
  }
  return wanted;
}

/** `web-1.csv.gz` was recorded on `web-1`. */
export const hostOf = (path: string): string =>
  path === '-' || path === '/dev/stdin' ? 'stdin' : basename(path).replace(/(\.(csv|db))?(\.gz)?$/i, '');

/**
 * What the columns mean. A metric of the host keeps its scale and its noise floor where the numbers are of its unit: a
 * percentage that never exceeds 1 is a share, a rate that never reaches its noise floor is of another unit.
 */
export function schemaOf(recordings: readonly Recording[]): { schema: MetricSchema; notes: string[] } {
  const notes: string[] = [];
  const names = recordings[0]?.names ?? [];
  const schema = names.map((name): Metric => {
    const known = HOST_METRICS.find((metric) => metric.name === name);
    if (known === undefined) return { name, unit: 'value', scale: 0, noiseFloor: 0, label: name };
    let largest = 0;
    for (const { columns, names: own } of recordings) {
      for (const x of columns[own.indexOf(name)] as Float64Array) if (x > largest) largest = x;
    }
    const floor = known.unit === 'percent' ? 1 : known.noiseFloor;
    // Nothing but zeros is zero in any unit: a host without swap is no reason to doubt it.
    if (largest > floor || largest === 0 || known.unit === 'ratio') return known;
    notes.push(
      `${name} never exceeds ${Number(largest.toPrecision(3))}: taken as it is, not as ${known.unit}; its noise floor is left out`,
    );
    return { ...known, unit: 'value', scale: 0, noiseFloor: 0 };
  });
  return { schema, notes };
}
