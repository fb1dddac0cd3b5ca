/**
 * What MLflow's REST API 2.0 takes, as far as it is used here: every field by name, type and limit. A field that is
 * not in the table is an error, as is one of another type.
 *
 * Sources, all of https://mlflow.org/docs/latest/api_reference/rest-api.html and, in github.com/mlflow/mlflow:
 * - [S] mlflow/protos/service.proto, message of the request
 * - [R] mlflow/protos/model_registry.proto, message of the request
 * - [A] mlflow/protos/mlflow_artifacts.proto
 * - [V] mlflow/utils/validation.py, the limits
 *
 * | endpoint                    | field                                                       | where                    |
 * | --------------------------- | ----------------------------------------------------------- | ------------------------ |
 * | experiments/get-by-name     | experiment_name string, required                            | [S] GetExperimentByName  |
 * | experiments/create          | name string, required, 1 to 500 characters                  | [S] CreateExperiment [V] |
 * | runs/search                 | experiment_ids strings; filter string; run_view_type enum   | [S] SearchRuns           |
 * |                             | ViewType; max_results int32; order_by strings               |                          |
 * | runs/create                 | experiment_id, run_name string; start_time int64; tags      | [S] CreateRun            |
 * | runs/log-batch              | run_id string; metrics <= 1000, params <= 100, tags <= 100, | [S] LogBatch, logBatch:  |
 * |                             | all <= 1000; 1 MB                                           | Request Limits; [V]      |
 * | runs/update                 | run_id string; status enum RunStatus; end_time int64        | [S] UpdateRun            |
 * | metrics/get-history         | run_id, metric_key string; max_results int32; page_token    | [S] GetMetricHistory     |
 * | registered-models/create    | name string, required; description string                   | [R] CreateRegisteredModel|
 * | model-versions/search       | filter string; max_results int64; page_token string         | [R] SearchModelVersions  |
 * | model-versions/create       | name, source string, required; run_id, description; tags    | [R] CreateModelVersion   |
 * | registered-models/alias     | name, alias, version string, required                       | [R] SetRegisteredModel-  |
 * |                             |                                                             | Alias; [V] alias names   |
 * | PUT mlflow-artifacts/…      | body: the bytes                                             | [A] uploadArtifact       |
 *
 * Metric: key string <= 250, value double, timestamp int64 >= 0, step int64. Param, RunTag: key <= 250; value <= 250
 * where it is logged (logBatch: Request Limits), <= 5000 bytes in a tag (SetTag). Keys: letters, digits, _ - . / and
 * blanks, and no path that leads elsewhere (_validate_param_name in [V]).
 */
export type Fields = Readonly<Record<string, unknown>>;

export interface Reference {
  readonly method: 'GET' | 'POST';
  /** @throws Error naming what is against the reference */
  check(fields: Fields): void;
}

type Check = (value: unknown, field: string) => void;

const fault = (field: string, what: string): Error => new Error(`${field}: ${what}`);
const text =
  (most = Number.POSITIVE_INFINITY, pattern = /./s): Check =>
  (value, field) => {
    if (typeof value !== 'string') throw fault(field, `expected a string, found ${JSON.stringify(value)}`);
    if ([...value].length > most) throw fault(field, `${[...value].length} characters, at most ${most}`);
    if (!pattern.test(value)) throw fault(field, `found ${JSON.stringify(value)}`);
  };
const integer =
  (least = 0, most = Number.MAX_SAFE_INTEGER): Check =>
  (value, field) => {
    if (!Number.isSafeInteger(value) || (value as number) < least || (value as number) > most) {
      throw fault(field, `expected an integer, found ${JSON.stringify(value)}`);
    }
  };
/** In a query everything is text. */
const digits: Check = text(10, /^\d+$/);
const number: Check = (value, field) => {
  if (typeof value !== 'number' || !Number.isFinite(value))
    throw fault(field, `expected a double, found ${value}`);
};
const oneOf =
  (...values: readonly string[]): Check =>
  (value, field) => {
    if (!values.includes(value as string)) throw fault(field, `expected one of ${values}, found ${value}`);
  };
const list =
  (most: number, check: Check): Check =>
  (value, field) => {
    if (!Array.isArray(value)) throw fault(field, 'expected a list');
    if (value.length > most) throw fault(field, `${value.length} entries, at most ${most}`);
    for (const [i, one] of value.entries()) check(one, `${field}[${i}]`);
  };

/** Fields that must be there, and those that may be. */
const message =
  (required: Readonly<Record<string, Check>>, optional: Readonly<Record<string, Check>> = {}) =>
  (fields: unknown, at = ''): void => {
    if (typeof fields !== 'object' || fields === null) throw fault(at, 'expected an object');
    for (const name of Object.keys(required)) {
      if (!(name in fields)) throw fault(`${at}.${name}`, 'is missing');
    }
    for (const [name, value] of Object.entries(fields)) {
      const check = required[name] ?? optional[name];
      if (check === undefined) throw fault(`${at}.${name}`, 'no such field');
      else check(value, `${at}.${name}`);
    }
  };

const key: Check = (value, field) => {
  text(250, /^[\w.\-/ ]+$/)(value, field);
  if ((value as string).split('/').some((part) => /^\.*$/.test(part)))
    throw fault(field, `leads elsewhere: ${value}`);
};
const tagValue: Check = (value, field) => {
  text()(value, field);
  if (Buffer.byteLength(value as string) > 5000) throw fault(field, 'more than 5000 bytes');
};
const runId = text(256, /^[a-zA-Z0-9][\w-]*$/);
const tags = (most: number, value: Check): Check => list(most, message({ key, value }));

const batch = message(
  { run_id: runId },
  {
    metrics: list(
      1000,
      message({ key, value: number, timestamp: integer(), step: integer(Number.MIN_SAFE_INTEGER) }),
    ),
    params: tags(100, text(250)),
    tags: tags(100, text(250)),
  },
);

export const REFERENCE: Readonly<Record<string, Reference>> = {
  'experiments/get-by-name': { method: 'GET', check: message({ experiment_name: text(500) }) },
  'experiments/create': { method: 'POST', check: message({ name: text(500) }) },
  'runs/search': {
    method: 'POST',
    check: message(
      { experiment_ids: list(1000, text(64)) },
      {
        filter: text(10_000, /^tags\."[^"]+" = '[^']+'$/),
        run_view_type: oneOf('ACTIVE_ONLY', 'DELETED_ONLY', 'ALL'),
        max_results: integer(1, 50_000),
        order_by: list(100, text()),
      },
    ),
  },
  'runs/create': {
    method: 'POST',
    check: message(
      { experiment_id: text(64), start_time: integer() },
      { run_name: text(250), tags: tags(100, tagValue) },
    ),
  },
  'runs/log-batch': {
    method: 'POST',
    check: (fields) => {
      batch(fields);
      const all = ['metrics', 'params', 'tags'].map((name) => fields[name] ?? []) as unknown[][];
      const count = all.reduce((sum, { length }) => sum + length, 0);
      if (count > 1000) throw fault('log-batch', `${count} in all, at most 1000`);
    },
  },
  'runs/update': {
    method: 'POST',
    check: message(
      { run_id: runId },
      {
        status: oneOf('RUNNING', 'SCHEDULED', 'FINISHED', 'FAILED', 'KILLED'),
        end_time: integer(),
        run_name: text(250),
      },
    ),
  },
  'metrics/get-history': {
    method: 'GET',
    check: message({ run_id: runId, metric_key: key }, { max_results: digits, page_token: text() }),
  },
  'registered-models/create': {
    method: 'POST',
    check: message({ name: text(256, /^[^/:]+$/) }, { description: text(5000), tags: tags(100, tagValue) }),
  },
  'model-versions/search': {
    method: 'GET',
    check: message(
      {},
      { filter: text(10_000, /^run_id='[\w-]+'$/), max_results: digits, page_token: text() },
    ),
  },
  'model-versions/create': {
    method: 'POST',
    check: message(
      { name: text(256), source: text(500) },
      { run_id: runId, description: text(5000), tags: tags(100, tagValue) },
    ),
  },
  'registered-models/alias': {
    method: 'POST',
    check: message({
      name: text(256),
      alias: text(255, /^(?!latest$)(?!v\d+$)[\w-]+$/i),
      version: text(10, /^\d+$/),
    }),
  },
};
