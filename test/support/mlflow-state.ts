import type { Fields } from './mlflow-reference.ts';

/** What MLflow says no to, as it says it. */
export class Refusal extends Error {
  readonly status: number;
  readonly code: string | null;

  constructor(status: number, code: string | null, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

interface Pair {
  readonly key: string;
  readonly value: string;
}
interface Metric {
  readonly key: string;
  readonly value: number;
  readonly timestamp: number;
  readonly step: number;
}

export interface FakeRun {
  readonly runId: string;
  readonly experimentId: string;
  readonly name: string;
  readonly startMs: number;
  readonly artifactUri: string;
  stage: 'active' | 'deleted';
  status: string;
  endMs: number | null;
  readonly tags: Map<string, string>;
  readonly params: Map<string, string>;
  readonly metrics: Metric[];
}

export interface FakeVersion {
  readonly name: string;
  readonly version: string;
  readonly runId: string;
  readonly source: string;
  readonly tags: Map<string, string>;
}

const missing = (what: string): Refusal => new Refusal(404, 'RESOURCE_DOES_NOT_EXIST', `no ${what}`);
const invalid = (what: string): Refusal => new Refusal(400, 'INVALID_PARAMETER_VALUE', what);
const taken = (what: string): Refusal =>
  new Refusal(400, 'RESOURCE_ALREADY_EXISTS', `${what} already exists`);

/** What a tracking server knows, and the rules by which it changes. */
export class MlflowState {
  readonly experiments = new Map<string, { readonly id: string; stage: 'active' | 'deleted' }>();
  readonly runs = new Map<string, FakeRun>();
  readonly models = new Map<
    string,
    { readonly versions: FakeVersion[]; readonly aliases: Map<string, string> }
  >();
  /** By path within the root of the proxy. */
  readonly artifacts = new Map<string, Uint8Array>();
  /** Of a metric's history. */
  pageSize = 2;

  act(call: string, fields: Fields, artifactRoot: string): unknown {
    const text = (name: string): string => fields[name] as string;
    switch (call) {
      case 'experiments/get-by-name': {
        const experiment = this.experiments.get(text('experiment_name'));
        if (experiment === undefined) throw missing(`experiment ${text('experiment_name')}`);
        const { id, stage } = experiment;
        return { experiment: { experiment_id: id, name: text('experiment_name'), lifecycle_stage: stage } };
      }
      case 'experiments/create': {
        const name = text('name');
        if (this.experiments.has(name)) throw taken(`experiment ${name}`);
        const id = String(this.experiments.size + 1);
        this.experiments.set(name, { id, stage: 'active' });
        return { experiment_id: id };
      }
      case 'runs/search':
        return this.#search(fields);
      case 'runs/create':
        return this.#create(fields, artifactRoot);
      case 'runs/log-batch':
        return this.#log(fields);
      case 'runs/update': {
        const run = this.#run(text('run_id'));
        run.status = (fields['status'] as string | undefined) ?? run.status;
        run.endMs = (fields['end_time'] as number | undefined) ?? run.endMs;
        return { run_info: { run_id: run.runId, status: run.status } };
      }
      case 'metrics/get-history':
        return this.#history(fields);
      case 'registered-models/create':
        if (this.models.has(text('name'))) throw taken(`model ${text('name')}`);
        this.models.set(text('name'), { versions: [], aliases: new Map() });
        return { registered_model: { name: text('name') } };
      case 'model-versions/search': {
        const runId = /'(.+)'/.exec(text('filter'))?.[1];
        const found = [...this.models.values()].flatMap(({ versions }) => versions);
        return { model_versions: found.filter((one) => one.runId === runId) };
      }
      case 'model-versions/create': {
        const model = this.models.get(text('name'));
        if (model === undefined) throw missing(`model ${text('name')}`);
        const run = this.#run(text('run_id'));
        if (!text('source').startsWith(run.artifactUri)) throw invalid('source outside of the run');
        const version = {
          name: text('name'),
          version: String(model.versions.length + 1),
          runId: run.runId,
          source: text('source'),
          tags: mapOf(fields['tags']),
        };
        model.versions.push(version);
        return { model_version: { name: version.name, version: version.version } };
      }
      case 'registered-models/alias': {
        const model = this.models.get(text('name'));
        if (model?.versions.some(({ version }) => version === fields['version']) !== true) {
          throw missing(`version ${text('version')} of ${text('name')}`);
        }
        model.aliases.set(text('alias'), text('version'));
        return {};
      }
      default:
        throw new Error(`${call}: not known to the fake`);
    }
  }

  #run(id: string): FakeRun {
    const run = this.runs.get(id);
    if (run === undefined) throw missing(`run ${id}`);
    if (run.stage !== 'active') throw invalid(`The run ${id} must be in the 'active' state.`);
    return run;
  }

  #create(fields: Fields, artifactRoot: string): unknown {
    const experimentId = fields['experiment_id'] as string;
    const experiment = [...this.experiments.values()].find(({ id }) => id === experimentId);
    if (experiment === undefined) throw missing(`experiment ${experimentId}`);
    if (experiment.stage !== 'active')
      throw invalid(`The experiment ${experimentId} must be in the 'active' state.`);
    const runId = (this.runs.size + 1).toString(16).padStart(32, '0');
    const run: FakeRun = {
      runId,
      experimentId,
      name: fields['run_name'] as string,
      startMs: fields['start_time'] as number,
      artifactUri: `${artifactRoot}/${experimentId}/${runId}/artifacts`,
      stage: 'active',
      status: 'RUNNING',
      endMs: null,
      tags: mapOf(fields['tags']),
      params: new Map(),
      metrics: [],
    };
    this.runs.set(runId, run);
    return { run: shown(run) };
  }

  #search(fields: Fields): unknown {
    const [, key = '', value] = /^tags\."([^"]+)" = '([^']+)'$/.exec(fields['filter'] as string) ?? [];
    const found = [...this.runs.values()].filter(
      (run) =>
        run.stage === 'active' &&
        (fields['experiment_ids'] as string[]).includes(run.experimentId) &&
        run.tags.get(key) === value,
    );
    // An empty list is left out, as protocol buffers do.
    return found.length === 0 ? {} : { runs: found.slice(0, fields['max_results'] as number).map(shown) };
  }

  /** What was taken before a fault stays, as in MLflow. */
  #log(fields: Fields): unknown {
    const run = this.#run(fields['run_id'] as string);
    const params = (fields['params'] ?? []) as Pair[];
    if (new Set(params.map(({ key }) => key)).size < params.length) throw invalid('duplicate param keys');
    for (const { key, value } of params) {
      const before = run.params.get(key);
      if (before !== undefined && before !== value) {
        throw invalid(`Changing param values is not allowed. Param with key='${key}' was already logged`);
      }
      run.params.set(key, value);
    }
    for (const { key, value } of (fields['tags'] ?? []) as Pair[]) run.tags.set(key, value);
    run.metrics.push(...((fields['metrics'] ?? []) as Metric[]));
    return {};
  }

  #history(fields: Fields): unknown {
    const run = this.#run(fields['run_id'] as string);
    const all = run.metrics.filter(({ key }) => key === fields['metric_key']);
    const from = Number(fields['page_token'] ?? 0);
    const next = from + Math.min(this.pageSize, Number(fields['max_results'] ?? 1e9));
    return {
      // 64-bit integers are texts in protocol buffers' JSON.
      metrics: all
        .slice(from, next)
        .map((one) => ({ ...one, timestamp: String(one.timestamp), step: String(one.step) })),
      ...(next < all.length && { next_page_token: String(next) }),
    };
  }
}

const shown = (run: FakeRun): unknown => ({
  info: {
    run_id: run.runId,
    experiment_id: run.experimentId,
    run_name: run.name,
    status: run.status,
    start_time: run.startMs,
    artifact_uri: run.artifactUri,
    lifecycle_stage: run.stage,
  },
  data: { tags: [...run.tags].map(([key, value]) => ({ key, value })) },
});

const mapOf = (pairs: unknown): Map<string, string> =>
  new Map(((pairs ?? []) as Pair[]).map(({ key, value }) => [key, value]));
