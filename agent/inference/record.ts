import type { Clock } from '../../collector/source.ts';
import type { Metric, MlflowClient, Pair } from '../../models/tracking/client.ts';
import { metrics } from '../../models/tracking/limits.ts';
import { isEmpty, missingOf } from '../../models/tracking/log-once.ts';
import { isGone, MlflowError } from '../../models/tracking/mlflow-error.ts';
import { RECORD_TAG } from '../../models/tracking/plan.ts';
import { messageOf } from '../delivery.ts';
import type { Log } from '../log.ts';
import type { Store } from '../store/store.ts';
import { HOUR_MS, type HourFigures, hourFigures, hourOf, nextHour } from './hours.ts';

/** Hours a request: up to 25 figures each, of the 1000 that it may have. */
const BATCH_HOURS = 36;
/** A fleet does not come all at once when the hour is over. */
const SPREAD_MS = 5 * 60_000;
const BACKOFF_BASE_MS = 30_000;
const BACKOFF_CAP_MS = 3_600_000;
/** Who is refused needs a person. */
const REFUSED_RETRY_MS = 10 * 60_000;
/** Latencies of hours that wait: more than samples are kept by default (336), in some 160 KB. */
const MOST_LATENCIES = 400;
const STATE = 'mlflow';
const LATENCIES = 'mlflow.latencies';

export interface InferenceSubject {
  readonly experiment: string;
  /** Of this host alone, and the same after a reinstallation. */
  readonly recordId: string;
  readonly runName: string;
  readonly tags: readonly Pair[];
}

export interface InferenceDependencies {
  readonly client: MlflowClient;
  readonly store: Store;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  readonly setTimer: (callback: () => void, ms: number) => () => void;
  /** Lets the loop have its turn. */
  readonly breathe: () => Promise<void>;
  /** Of the hour that ends, and from now on of the next. */
  readonly takeLatencies: () => HourFigures;
  /** How well was watched until then: what operators said by now, and new models. */
  readonly performance: (hourMs: number) => HourFigures;
}

interface RecordState {
  readonly server: string;
  readonly runId: string | null;
  /** The hour of step 0. */
  readonly startMs: number;
  /** The first hour that is not logged. */
  readonly cursorMs: number;
}

/**
 * What an MLflow server learns of the inference on this host: one run, a step an hour. Nothing is queued: a cursor
 * over the stored samples says how far it has come, and hours are summed up from them when they are sent, so that a
 * server that is away loses none within their retention. Only latencies, which no sample holds, are kept by the hour.
 */
export class InferenceRecord {
  readonly #subject: InferenceSubject;
  readonly #deps: InferenceDependencies;
  #state: RecordState | null;
  /** The hour of the newest sample. */
  #hourMs: number;
  readonly #latencies: Map<number, HourFigures>;
  /** Latencies of hours that ended since the last run. */
  #unsaved = false;
  /** What was asked for last may have been done. */
  #doubtful = true;
  #running: Promise<void> | null = null;
  #cancelTimer: (() => void) | null = null;
  #attempt = 0;
  #failing: string | null = null;
  #closed = false;

  constructor(subject: InferenceSubject, deps: InferenceDependencies) {
    this.#subject = subject;
    this.#deps = deps;
    const known = parse<RecordState>(deps.store.getState(STATE));
    this.#state = known?.server === deps.client.url ? known : null;
    this.#latencies = new Map(parse<[number, HourFigures][]>(deps.store.getState(LATENCIES)) ?? []);
    const newestMs = deps.store.lastSamples(1)[0]?.timeMs;
    this.#hourMs = newestMs === undefined ? Number.NaN : hourOf(newestMs);
    if (newestMs !== undefined) this.#begun();
    // What an outage has left over.
    if (known !== null) this.#after(deps.random() * SPREAD_MS);
  }

  /** A sample was stored. Costs a comparison, but when an hour is over: then the rest is done between samples. */
  stored(timeMs: number): void {
    const hourMs = hourOf(timeMs);
    if (hourMs === this.#hourMs) return;
    const endedMs = this.#hourMs;
    this.#hourMs = hourMs;
    if (Number.isNaN(endedMs)) {
      this.#begun();
      return;
    }
    const latencies = this.#deps.takeLatencies();
    // A clock that was set back ends no hour; what was logged of that time stays.
    if (hourMs < endedMs) return;
    this.#latencies.set(endedMs, latencies);
    for (const key of this.#latencies.keys()) {
      if (this.#latencies.size <= MOST_LATENCIES) break;
      this.#latencies.delete(key);
    }
    this.#unsaved = true;
    if (this.#running === null && this.#cancelTimer === null) this.#after(this.#deps.random() * SPREAD_MS);
  }

  #wake(): void {
    if (this.#closed || this.#running !== null) return;
    this.#running = this.#run().finally(() => {
      this.#running = null;
    });
  }

  async #run(): Promise<void> {
    const { log } = this.#deps;
    try {
      this.#saveLatencies();
      // From here on a restart knows where to begin.
      if (!Number.isNaN(this.#hourMs)) this.#save(this.#begun());
      while (!this.#closed && (await this.#batch()));
      if (this.#failing !== null) log('info', 'mlflow.recovered', { server: this.#deps.client.url });
      this.#failing = null;
      this.#attempt = 0;
    } catch (error) {
      this.#doubtful = true;
      if (this.#closed) return;
      const reason = messageOf(error);
      if (reason !== this.#failing) {
        const known = error instanceof MlflowError;
        log('warning', known ? 'mlflow.retry' : 'mlflow.failed', { server: this.#deps.client.url, reason });
      }
      this.#failing = reason;
      if (isGone(error)) this.#save({ ...this.#begun(), runId: null });
      this.#backOff(error);
    }
  }

  /** @returns whether there may be more */
  async #batch(): Promise<boolean> {
    const { client, store } = this.#deps;
    if (nextHour(store, this.#begun().cursorMs, this.#hourMs) === null) return false;
    const runId = this.#begun().runId ?? (await this.#ownRun());
    const state = this.#begun();
    const hours: number[] = [];
    const figures: Metric[] = [];
    for (let fromMs = state.cursorMs; hours.length < BATCH_HOURS; ) {
      const hourMs = nextHour(store, fromMs, this.#hourMs);
      if (hourMs === null) break;
      hours.push(hourMs);
      fromMs = hourMs + HOUR_MS;
      const summed = await hourFigures(store, hourMs, this.#deps.breathe);
      const step = Math.round((hourMs - state.startMs) / HOUR_MS);
      const told = { ...summed, ...this.#latencies.get(hourMs), ...this.#deps.performance(hourMs) };
      figures.push(...metrics(told, hourMs, step));
    }
    const lastMs = hours.at(-1);
    if (lastMs === undefined) return false;
    const whole = { metrics: figures, params: [], tags: [] };
    const batch = this.#doubtful ? await missingOf(client, runId, whole) : whole;
    this.#doubtful = true;
    if (!isEmpty(batch)) await client.logBatch(runId, batch);
    this.#doubtful = false;
    for (const hourMs of hours) this.#latencies.delete(hourMs);
    this.#unsaved = true;
    this.#saveLatencies();
    this.#save({ ...this.#begun(), cursorMs: lastMs + HOUR_MS });
    return hours.length === BATCH_HOURS;
  }

  /** A record that is new begins with the first hour that it sees: nobody has asked for the past. */
  #begun(): RecordState {
    this.#state ??= {
      server: this.#deps.client.url,
      runId: null,
      startMs: this.#hourMs,
      cursorMs: this.#hourMs,
    };
    return this.#state;
  }

  /** The run of this host: found again by its tag, or begun. Steps go on from where it began. */
  async #ownRun(): Promise<string> {
    const { client, log } = this.#deps;
    const { experiment, recordId, runName, tags } = this.#subject;
    const experimentId = await client.experiment(experiment);
    const run =
      (await client.runByTag(experimentId, RECORD_TAG, recordId)) ??
      (await client.createRun({
        experimentId,
        name: runName,
        startMs: this.#begun().startMs,
        tags: [{ key: RECORD_TAG, value: recordId }, ...tags],
      }));
    this.#save({ ...this.#begun(), runId: run.runId, startMs: hourOf(run.startMs) });
    log('info', 'mlflow.run', { server: client.url, experiment, run: run.runId });
    return run.runId;
  }

  #save(state: RecordState): void {
    this.#state = state;
    this.#deps.store.putState(STATE, JSON.stringify(state));
  }

  #saveLatencies(): void {
    if (!this.#unsaved) return;
    this.#deps.store.putState(LATENCIES, JSON.stringify([...this.#latencies]));
    this.#unsaved = false;
  }

  #backOff(error: unknown): void {
    const most = Math.min(BACKOFF_CAP_MS, BACKOFF_BASE_MS * 2 ** Math.min(this.#attempt, 10));
    this.#attempt++;
    const refused = error instanceof MlflowError && !error.passing && !isGone(error);
    const least = error instanceof MlflowError ? (error.afterMs ?? 0) : 0;
    this.#after(Math.max(least, refused ? REFUSED_RETRY_MS : 0) + (0.5 + this.#deps.random() / 2) * most);
  }

  #after(ms: number): void {
    if (this.#closed) return;
    this.#cancelTimer?.();
    this.#cancelTimer = this.#deps.setTimer(() => {
      this.#cancelTimer = null;
      this.#wake();
    }, ms);
  }

  /** Before the store closes: sends what is over, once. */
  async finish(): Promise<void> {
    await this.#running;
    this.#cancelTimer?.();
    this.#cancelTimer = null;
    if (this.#failing === null) {
      this.#wake();
      await this.#running;
    }
    this.close();
  }

  close(): void {
    this.#closed = true;
    this.#cancelTimer?.();
    this.#cancelTimer = null;
    this.#deps.client.close();
  }
}

function parse<T>(json: string | null): T | null {
  try {
    return json === null ? null : (JSON.parse(json) as T);
  } catch {
    return null;
  }
}
