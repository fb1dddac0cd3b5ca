import { HOST_METRICS } from '../../core/sample.ts';
import { DataError } from './table.ts';

/** What a column has to be. */
export interface ColumnRule {
  readonly required: boolean;
  readonly min: number | null;
  readonly max: number | null;
}

export type DataSchema = ReadonlyMap<string, ColumnRule>;

const REQUIRED = ['cpu', 'memory', 'network'];

/** The metrics of a host: three of them required, percentages within 0 to 100, rates not below 0. */
export const HOST_DATA_SCHEMA: DataSchema = new Map(
  HOST_METRICS.map(({ name, unit }) => [
    name,
    { required: REQUIRED.includes(name), min: 0, max: unit === 'percent' ? 100 : null },
  ]),
);

/** Columns that no schema names: numbers of any size. */
export const ANY_NUMBER: ColumnRule = { required: false, min: null, max: null };

/** These columns and no others, with the ranges that a host's metrics of such a name have. */
export const requiring = (names: readonly string[]): DataSchema =>
  new Map(names.map((name) => [name, { ...(HOST_DATA_SCHEMA.get(name) ?? ANY_NUMBER), required: true }]));

const KEYS = ['required', 'min', 'max'];

/**
 * `columns: { name: { required: true, min: 0, max: 100 } }`, parsed YAML.
 * @throws DataError naming the column and what was expected
 */
export function dataSchemaOf(document: unknown, path: string): DataSchema {
  const expected = 'expected `columns:` with a map of names to {required, min, max}';
  const isMap = (value: unknown): value is Record<string, unknown> =>
    typeof value === 'object' && value !== null && !Array.isArray(value);
  if (!isMap(document) || !isMap(document['columns'])) throw new DataError(`${path}: ${expected}.`);
  const schema = new Map<string, ColumnRule>();
  for (const [name, rule] of Object.entries(document['columns'])) {
    const at = `${path}: columns.${name}`;
    if (rule !== null && !isMap(rule)) throw new DataError(`${at}: ${expected}.`);
    const stray = Object.keys(rule ?? {}).find((key) => !KEYS.includes(key));
    if (stray !== undefined) throw new DataError(`${at}: unknown "${stray}", expected ${KEYS.join(', ')}.`);
    const { required = true, min = null, max = null } = rule ?? {};
    const isBound = (value: unknown): value is number | null =>
      value === null || (typeof value === 'number' && Number.isFinite(value));
    if (typeof required !== 'boolean') throw new DataError(`${at}.required: expected true or false.`);
    if (!isBound(min) || !isBound(max)) throw new DataError(`${at}: min and max are numbers.`);
    if (min !== null && max !== null && min > max) throw new DataError(`${at}: min is above max.`);
    schema.set(name, { required, min, max });
  }
  if (schema.size === 0) throw new DataError(`${path}: no column is named; ${expected}.`);
  return schema;
}
