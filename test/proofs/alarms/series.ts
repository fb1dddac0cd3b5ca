import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

/** Labelled series of real hosts: SMD, ASD and NAB (AWS), cut into a part to learn from and a part to be judged by. */

/** In the developers' copy of the data; `EDGEWOOD_DATA` names another. */
export const DATA_FOLDER =
  process.env['EDGEWOOD_DATA'] ?? join(import.meta.dirname, '..', '..', '..', '..', 'shared', 'data');

export interface Series {
  readonly set: string;
  readonly name: string;
  readonly intervalMs: number;
  readonly columns: readonly string[];
  /** Milliseconds since the epoch, of both parts. */
  readonly timesMs: readonly number[];
  /** `values[column][row]`. */
  readonly values: readonly Float64Array[];
  /** 1 in a labelled anomaly; 0 in the training part. */
  readonly labels: Uint8Array;
  /** First row of the test part. */
  readonly testFrom: number;
}

/** Published figures of the recipe on this series: surprise and guard, one alert a day. */
export interface Reference {
  readonly recall: number;
  readonly falsePerDay: number;
  readonly precision: number;
  readonly f1: number;
}

interface Known {
  readonly set: string;
  readonly files: readonly string[];
  readonly reference: Reference;
}

const reference = (recall: number, falsePerDay: number, precision: number, f1: number): Reference => ({
  recall,
  falsePerDay,
  precision,
  f1,
});
const smd = (machine: string, columns: 3 | 38, figures: Reference): Known => ({
  set: `SMD ${columns}`,
  files: ['train', 'test'].map((part) => `smd/machine-${machine}.${part}.${columns}.csv.gz`),
  reference: figures,
});
const asd = (name: string, figures: Reference): Known => ({
  set: 'ASD',
  files: ['train', 'test'].map((part) => `asd/${name}.${part}.csv.gz`),
  reference: figures,
});
const nab = (name: string, figures: Reference): Known => ({
  set: 'NAB',
  files: [`nab/realAWSCloudwatch__${name}.csv.gz`],
  reference: figures,
});

export const KNOWN: readonly Known[] = [
  smd('1-2', 3, reference(0.4, 0.49, 0.385, 0.392)),
  smd('1-5', 3, reference(0.714, 0.49, 0.385, 0.5)),
  smd('2-1', 3, reference(0.385, 0.61, 0.333, 0.357)),
  smd('2-7', 3, reference(0.1, 0.06, 0.8, 0.178)),
  smd('3-10', 3, reference(0.231, 0.06, 0.929, 0.37)),
  smd('3-2', 3, reference(0, 0.55, 0, 0)),
  smd('1-2', 38, reference(0.9, 0.18, 0.769, 0.829)),
  smd('2-1', 38, reference(0.615, 0.18, 0.769, 0.684)),
  asd('omi-1', reference(0.714, 0.07, 0.857, 0.779)),
  asd('omi-2', reference(0.75, 0.13, 0.714, 0.732)),
  asd('omi-3', reference(0.333, 0.2, 0.571, 0.421)),
  nab('ec2_cpu_utilization_24ae8d', reference(1, 1.34, 0.238, 0.385)),
  nab('ec2_cpu_utilization_5f5533', reference(1, 0.08, 0.75, 0.857)),
  nab('ec2_cpu_utilization_825cc2', reference(1, 0.17, 0.714, 0.833)),
  nab('ec2_network_in_257a54', reference(1, 0.08, 0.75, 0.857)),
  nab('rds_cpu_utilization_cc0c53', reference(1, 0.59, 0.417, 0.588)),
];

export const haveData = (): boolean => existsSync(join(DATA_FOLDER, 'MANIFEST.json'));

interface ManifestEntry {
  readonly file: string;
  readonly sha256: string;
  readonly interval_s: number;
}

/** @throws Error where a file is not the one of the manifest */
export function loadSeries(known: Known, folder = DATA_FOLDER): Series {
  const manifest = JSON.parse(readFileSync(join(folder, 'MANIFEST.json'), 'utf8')) as ManifestEntry[];
  const entries = known.files.map((file) => {
    const entry = manifest.find((candidate) => candidate.file === file);
    if (entry === undefined) throw new Error(`${file} is not in the manifest`);
    return entry;
  });
  const tables = entries.map(({ file, sha256 }) => {
    const bytes = readFileSync(join(folder, file));
    if (createHash('sha256').update(bytes).digest('hex') !== sha256)
      throw new Error(`${file} differs from the manifest`);
    return parseTable(gunzipSync(bytes).toString('utf8'));
  });
  const name = known.files[0]?.replace(/^.*(?:machine-|__)|^asd\/|(\.train.*)?\.csv\.gz$/g, '') ?? '';
  return toSeries(known.set, name, (entries[0]?.interval_s ?? 60) * 1000, tables);
}

export interface Table {
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

export function parseTable(text: string): Table {
  const [head = '', ...rows] = text.trim().split('\n');
  return { header: head.split(','), rows: rows.map((row) => row.split(',')) };
}

/** One table with a `probation` column, or the training and the test table. */
export function toSeries(set: string, name: string, intervalMs: number, tables: readonly Table[]): Series {
  const header = tables.at(-1)?.header ?? [];
  const columns = header.filter((column) => !['timestamp', 'label', 'probation'].includes(column));
  const rows = tables.flatMap((table) =>
    table.rows.map((row) => (column: string) => row[table.header.indexOf(column)]),
  );
  const testFrom =
    tables.length === 2 ? (tables[0]?.rows.length ?? 0) : rows.findIndex((cell) => cell('probation') === '0');
  return {
    set,
    name,
    intervalMs,
    columns,
    timesMs: rows.map((cell) => toMs(cell('timestamp') ?? '')),
    values: columns.map((column) =>
      Float64Array.from(rows, (cell) => {
        const text = cell(column);
        return text === undefined || text === '' ? Number.NaN : Number(text);
      }),
    ),
    labels: Uint8Array.from(rows, (cell, row) => (row >= testFrom && cell('label') === '1' ? 1 : 0)),
    testFrom,
  };
}

/** Seconds since some start, or UTC without saying so. */
const toMs = (text: string): number =>
  /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(`${text.replace(' ', 'T')}Z`);

/** As the agent reads it; labels are left out, so that nothing can look at them. */
export function toCsv(series: Series): string {
  const lines = [`timestamp,${series.columns.join(',')}`];
  series.timesMs.forEach((timeMs, row) => {
    const values = series.values.map((column) => column[row] as number);
    lines.push(
      `${new Date(timeMs).toISOString()},${values.map((x) => (Number.isNaN(x) ? '' : x)).join(',')}`,
    );
  });
  return `${lines.join('\n')}\n`;
}
