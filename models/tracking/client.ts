import {
  arrayOf,
  documentOf,
  type Json,
  kindOf,
  meaning,
  nextPage,
  objectOf,
  strange,
  textOf,
} from './answer.ts';
import { type HttpLimits, type HttpSaid, TrackingHttp } from './http.ts';
import { isCode, MlflowError, saidLine } from './mlflow-error.ts';
import type { TrackingServer } from './settings.ts';

export interface Pair {
  readonly key: string;
  readonly value: string;
}

/** `value` is finite: JSON has no other. */
export interface Metric {
  readonly key: string;
  readonly value: number;
  /** Milliseconds since the epoch. */
  readonly timestamp: number;
  readonly step: number;
}

export interface RunInfo {
  readonly runId: string;
  readonly startMs: number;
  readonly artifactUri: string;
}

export interface Batch {
  readonly metrics: readonly Metric[];
  readonly params: readonly Pair[];
  readonly tags: readonly Pair[];
}

const API = '/api/2.0/mlflow';
const PROXY = '/api/2.0/mlflow-artifacts/artifacts';
/** Of a tag's search, which has one answer; of a history, which is read page by page. */
const PAGE = 1000;
const MOST_PAGES = 1000;

/**
 * MLflow's REST API, version 2.0: one method a call, one request a method (but for pages), no retries: who calls knows
 * what may be asked twice. docs/TRACKING.md holds the table of fields with their places in MLflow's reference.
 *
 * Every method throws MlflowError.
 */
export class MlflowClient {
  readonly #server: TrackingServer;
  readonly #http: TrackingHttp;

  constructor(server: TrackingServer, limits: HttpLimits = {}) {
    this.#server = server;
    this.#http = new TrackingHttp(server, limits);
  }

  /** Names the server; holds no secret. */
  get url(): string {
    return this.#server.url;
  }

  close(): void {
    this.#http.close();
  }

  /** Finds it, or makes it. Whoever else makes it meanwhile is welcome. */
  async experiment(name: string): Promise<string> {
    const found = await this.#experimentByName(name);
    if (found !== null) return found;
    try {
      return textOf(await this.#post('experiments/create', { name }), 'experiment_id');
    } catch (error) {
      if (!isCode(error, 'RESOURCE_ALREADY_EXISTS')) throw error;
    }
    const other = await this.#experimentByName(name);
    if (other === null) {
      throw new MlflowError('refused', `${this.url}: experiment "${name}" is both there and not there`);
    }
    return other;
  }

  async #experimentByName(name: string): Promise<string | null> {
    let answer: Json;
    try {
      answer = await this.#get('experiments/get-by-name', { experiment_name: name });
    } catch (error) {
      if (isCode(error, 'RESOURCE_DOES_NOT_EXIST')) return null;
      throw error;
    }
    const experiment = objectOf(answer, 'experiment');
    const id = textOf(experiment, 'experiment_id');
    if (experiment['lifecycle_stage'] === 'deleted') {
      throw new MlflowError(
        'refused',
        `${this.url}: experiment "${name}" was deleted there, which keeps its name; restore it ` +
          `(mlflow experiments restore --experiment-id ${saidLine(id)}) or remove it for good (mlflow gc)`,
        { code: 'DELETED' },
      );
    }
    return id;
  }

  /** The active run that carries this tag, the oldest where there are several. @param value without quotes */
  async runByTag(experimentId: string, key: string, value: string): Promise<RunInfo | null> {
    const answer = await this.#post('runs/search', {
      experiment_ids: [experimentId],
      filter: `tags."${key}" = '${value}'`,
      run_view_type: 'ACTIVE_ONLY',
      max_results: 1,
      order_by: ['attributes.start_time ASC'],
    });
    const [run] = arrayOf(answer, 'runs');
    return run === undefined ? null : runOf(run);
  }

  /** Not to be asked twice: see `runByTag`. */
  async createRun(run: {
    readonly experimentId: string;
    readonly name: string;
    readonly startMs: number;
    readonly tags: readonly Pair[];
  }): Promise<RunInfo> {
    const answer = await this.#post('runs/create', {
      experiment_id: run.experimentId,
      run_name: run.name,
      start_time: run.startMs,
      tags: run.tags,
    });
    return runOf(objectOf(answer, 'run'));
  }

  /** Params and tags may be logged twice, metrics may not: `metricsThere` says which are there. */
  async logBatch(runId: string, { metrics, params, tags }: Batch): Promise<void> {
    await this.#post('runs/log-batch', { run_id: runId, metrics, params, tags });
  }

  /** Those of one key that a run has, as `step timestamp`. */
  async metricsThere(runId: string, key: string): Promise<ReadonlySet<string>> {
    const there = new Set<string>();
    let token: string | null = null;
    for (let page = 0; page < MOST_PAGES; page++) {
      const answer: Json = await this.#get('metrics/get-history', {
        run_id: runId,
        metric_key: key,
        max_results: String(PAGE),
        ...(token !== null && { page_token: token }),
      });
      for (const { step, timestamp } of arrayOf(answer, 'metrics')) {
        // 64-bit integers may come as texts (protocol buffers' JSON mapping).
        there.add(`${Number(step ?? 0)} ${Number(timestamp)}`);
      }
      token = nextPage(answer);
      if (token === null) break;
    }
    return there;
  }

  async endRun(runId: string, status: 'FINISHED' | 'FAILED', endMs: number): Promise<void> {
    await this.#post('runs/update', { run_id: runId, status, end_time: endMs });
  }

  /**
   * Through the artifact proxy; what is there is replaced.
   * @param path within the run's artifacts
   * @returns why it can't be kept there, where the server has no proxy; null where it is
   */
  async putArtifact(artifactUri: string, path: string, body: Uint8Array): Promise<string | null> {
    const root = this.#proxied(artifactUri);
    if (root === null) {
      return `artifacts are kept at ${saidLine(artifactUri)}, which does not go through the server; start it with --serve-artifacts`;
    }
    const encoded = `${root}/${path}`.split('/').map(encodeURIComponent).join('/');
    try {
      await this.#json(
        await this.#http.ask({
          method: 'PUT',
          path: `${PROXY}/${encoded}`,
          contentType: 'application/octet-stream',
          body,
        }),
      );
    } catch (error) {
      // What `mlflow server --no-serve-artifacts` says: no busy server, but one that will never take it.
      if (error instanceof MlflowError && error.status === 503 && /serve-artifacts/.test(error.message)) {
        return 'the server runs without --serve-artifacts';
      }
      throw error;
    }
    return null;
  }

  /** `mlflow-artifacts:/1/…` or `mlflow-artifacts://HOST[:PORT]/1/…`; null for what this server does not hand on. */
  #proxied(artifactUri: string): string | null {
    const [, host, port, path] =
      /^mlflow-artifacts:(?:\/\/([^/:]*)(?::(\d+))?)?\/+(.+?)\/*$/.exec(artifactUri) ?? [];
    if (path === undefined || path.split('/').includes('..')) return null;
    const elsewhere =
      host !== undefined &&
      host !== '' &&
      (host !== this.#server.host || (port !== undefined && Number(port) !== this.#server.port));
    return elsewhere ? null : path;
  }

  /** One that is there already is fine. */
  async registerModel(name: string, description: string | null): Promise<void> {
    try {
      await this.#post('registered-models/create', { name, ...(description !== null && { description }) });
    } catch (error) {
      if (!isCode(error, 'RESOURCE_ALREADY_EXISTS')) throw error;
    }
  }

  /** The version of a model that came from a run; null where there is none yet. */
  async versionOfRun(name: string, runId: string): Promise<string | null> {
    let token: string | null = null;
    for (let page = 0; page < MOST_PAGES; page++) {
      const answer: Json = await this.#get('model-versions/search', {
        filter: `run_id='${runId}'`,
        max_results: '100',
        ...(token !== null && { page_token: token }),
      });
      const found = arrayOf(answer, 'model_versions').find((one) => one['name'] === name);
      if (found !== undefined) return textOf(found, 'version');
      token = nextPage(answer);
      if (token === null) break;
    }
    return null;
  }

  /** Not to be asked twice: see `versionOfRun`. @returns its number, MLflow's own */
  async createVersion(version: {
    readonly name: string;
    readonly runId: string;
    readonly source: string;
    readonly description: string | null;
    readonly tags: readonly Pair[];
  }): Promise<string> {
    const answer = await this.#post('model-versions/create', {
      name: version.name,
      source: version.source,
      run_id: version.runId,
      tags: version.tags,
      ...(version.description !== null && { description: version.description }),
    });
    return textOf(objectOf(answer, 'model_version'), 'version');
  }

  async setAlias(name: string, alias: string, version: string): Promise<void> {
    await this.#post('registered-models/alias', { name, alias, version });
  }

  async #get(path: string, query: Readonly<Record<string, string>>): Promise<Json> {
    const search = new URLSearchParams(query).toString();
    return await this.#json(await this.#http.ask({ method: 'GET', path: `${API}/${path}?${search}` }));
  }

  async #post(path: string, body: Json): Promise<Json> {
    return await this.#json(
      await this.#http.ask({
        method: 'POST',
        path: `${API}/${path}`,
        contentType: 'application/json',
        body: JSON.stringify(body),
      }),
    );
  }

  #json(answer: HttpSaid): Json {
    const document = documentOf(answer.body);
    if (answer.status >= 200 && answer.status < 300) {
      if (document !== null) return document;
      throw new MlflowError(
        'refused',
        `${this.url}: what answers there is no MLflow server (${answer.status}, ${saidLine(answer.contentType) || 'no content type'}); check the URL`,
        { status: answer.status },
      );
    }
    const { error_code: code, message } = document ?? {};
    const said = saidLine(this.#redacted(typeof message === 'string' ? message : answer.body));
    const quoted = said === '' || /^</.test(said) ? '' : ` ("${said}")`;
    throw new MlflowError(
      kindOf(answer.status),
      `${this.url}: ${answer.status}: ${meaning(answer.status, typeof code === 'string')}${quoted}`,
      { status: answer.status, code: typeof code === 'string' ? code : null, afterMs: answer.afterMs },
    );
  }

  /** Some servers repeat what they were sent when they complain. */
  #redacted(text: string): string {
    const credential = this.#server.authorization()?.replace(/^\S+ /, '') ?? '';
    const [user = '', ...rest] = Buffer.from(credential, 'base64').toString('utf8').split(':');
    return [credential, rest.join(':'), `${user}:${rest.join(':')}`]
      .filter(({ length }) => length >= 4)
      .reduce((left, secret) => left.replaceAll(secret, '***'), text);
  }
}

function runOf(run: Json): RunInfo {
  const info = objectOf(run, 'info');
  const runId = textOf(info, 'run_id');
  // It goes into a filter later on.
  if (!/^[\w-]{1,256}$/.test(runId)) throw strange('run_id of letters and digits');
  return { runId, startMs: Number(info['start_time']), artifactUri: textOf(info, 'artifact_uri') };
}
