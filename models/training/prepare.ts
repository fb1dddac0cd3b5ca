import type { MetricSchema } from '../../core/sample.ts';
import { schemaOf } from '../data/read.ts';
import type { Recording } from '../data/recording.ts';
import { DataError } from '../data/table.ts';

const LEAST_ROWS = 200;
/** Windows count samples: intervals that differ by more can't share a model. */
const INTERVAL_SLACK = 0.1;

/**
 * Recordings of one interval and the same metrics in the same order; metrics that were hardly ever there are left out.
 * @throws DataError naming the recording and what is wrong with it
 */
export function prepare(all: readonly Recording[]): {
  readonly recordings: readonly Recording[];
  readonly schema: MetricSchema;
  readonly notes: string[];
} {
  const first = all[0];
  if (first === undefined) throw new DataError('there is nothing to learn from.');
  const seen = new Set<string>();
  for (const recording of all) {
    if (seen.has(recording.host)) {
      throw new DataError(
        `two files are of the host ${recording.host}: its name is the file's. Join or rename them.`,
      );
    }
    seen.add(recording.host);
    check(recording, first);
  }
  const usable = first.names.filter((name) => isUsable(name, all));
  if (usable.length === 0) throw new DataError('no column has a number in at least half of its rows.');
  const notes = first.names
    .filter((name) => !usable.includes(name))
    .map((name) => `${name} is missing in more than half of the rows and was left out`);
  const recordings = all.map((recording) => ({
    ...recording,
    names: usable,
    columns: usable.map((name) => recording.columns[recording.names.indexOf(name)] as Float64Array),
  }));
  const described = schemaOf(recordings);
  return { recordings, schema: described.schema, notes: [...notes, ...described.notes] };
}

function check({ host, names, intervalMs, timesMs }: Recording, first: Recording): void {
  if (timesMs.length < LEAST_ROWS) {
    throw new DataError(
      `${host}: ${timesMs.length} rows, at least ${LEAST_ROWS} are needed to train, compare and test.`,
    );
  }
  const missing = first.names.find((name) => !names.includes(name));
  const extra = names.find((name) => !first.names.includes(name));
  if (missing !== undefined || extra !== undefined) {
    throw new DataError(
      `${host} has other columns than ${first.host} (${missing ?? extra}). Give all files the same, or name those to use with --features.`,
    );
  }
  if (Math.abs(intervalMs - first.intervalMs) > INTERVAL_SLACK * first.intervalMs) {
    throw new DataError(
      `${host} was recorded every ${intervalMs} ms, ${first.host} every ${first.intervalMs} ms: windows count samples, so one model needs one interval.`,
    );
  }
}

/** Seen in at least half of the rows of all recordings together. */
function isUsable(name: string, recordings: readonly Recording[]): boolean {
  let rows = 0;
  let finite = 0;
  for (const { names, columns } of recordings) {
    const column = columns[names.indexOf(name)] as Float64Array;
    rows += column.length;
    for (const x of column) if (Number.isFinite(x)) finite++;
  }
  return finite * 2 >= rows;
}
