import type { MlflowClient } from './client.ts';
import { batchesOf, pairs } from './limits.ts';
import { isEmpty, missingOf } from './log-once.ts';
import { isGone, MlflowError } from './mlflow-error.ts';
import { RECORD_TAG } from './plan.ts';
import type { Progress, TrackingQueue, Waiting } from './queue.ts';

export interface SendOptions {
  readonly nowMs: () => number;
  readonly sleep: (ms: number) => Promise<void>;
  readonly random: () => number;
  /** Tries of one step before the rest waits for another day. */
  readonly tries?: number;
  readonly onProgress?: (what: string) => void;
}

export interface Sent {
  readonly runId: string;
  /** MLflow's number. */
  readonly version: string;
  /** Why the artifacts are not there; null where they are. */
  readonly missing: string | null;
  /** Aliases that a newer version has meanwhile. */
  readonly aliasesKept: readonly string[];
}

const TRIES = 3;
const BACKOFF_BASE_MS = 500;
/** A server that asks for more than this gets the rest at another time. */
const LONGEST_WAIT_MS = 15_000;

/**
 * Sends one training, from where it stopped. Each step either may be asked twice, or looks first whether it was done:
 * whenever the server, the network or this process stops, the next call goes on, and in the end there is one run.
 * @throws MlflowError
 */
export async function send(
  client: MlflowClient,
  queue: TrackingQueue,
  { plan, progress: before, position }: Waiting,
  options: SendOptions,
): Promise<Sent> {
  const { recordId, model } = plan;
  let progress: Progress = before.server === client.url ? before : { server: client.url };
  const save = (more: Progress): void => {
    progress = { ...progress, ...more };
    queue.progress(recordId, progress);
  };
  const step = async <T>(what: string, work: () => Promise<T>): Promise<T> => {
    options.onProgress?.(what);
    return await patiently(work, options);
  };
  const ownRun = async (): Promise<{ runId: string; artifactUri: string }> => {
    const { runId, artifactUri } = progress;
    if (runId !== undefined && artifactUri !== undefined) return { runId, artifactUri };
    const experimentId = await step('experiment', () => client.experiment(plan.experiment));
    return await step('run', async () => {
      const found = await client.runByTag(experimentId, RECORD_TAG, recordId);
      const { runName: name, startMs, tags } = plan;
      const run = found ?? (await client.createRun({ experimentId, name, startMs, tags }));
      save({ runId: run.runId, artifactUri: run.artifactUri, found: found !== null });
      return run;
    });
  };
  try {
    const { runId, artifactUri } = await ownRun();

    const batches = batchesOf({ metrics: plan.metrics, params: plan.params, tags: [] });
    for (let i = progress.batches ?? 0; i < batches.length; i++) {
      await step(`metrics and parameters, ${i + 1} of ${batches.length}`, async () => {
        const whole = batches[i] as (typeof batches)[number];
        const doubtful = progress.found === true || progress.attempted === i;
        const batch = doubtful ? await missingOf(client, runId, whole) : whole;
        save({ attempted: i });
        if (!isEmpty(batch)) await client.logBatch(runId, batch);
        save({ batches: i + 1 });
      });
    }

    for (const path of queue.paths(recordId)) {
      if (progress.missing !== undefined || progress.files?.includes(path) === true) continue;
      await step(path, async () => {
        const missing = await client.putArtifact(artifactUri, path, queue.file(recordId, path));
        save(missing === null ? { files: [...(progress.files ?? []), path] } : { missing });
      });
    }

    if (progress.version === undefined) await step('model', () => client.registerModel(model.name, null));
    const version = await step('model version', async () => {
      if (progress.version !== undefined) return progress.version;
      const made =
        (await client.versionOfRun(model.name, runId)) ??
        (await client.createVersion({
          name: model.name,
          runId,
          source: `${artifactUri}/model`,
          description: model.description,
          tags: model.tags,
        }));
      save({ version: made });
      return made;
    });
    const aliasesKept: string[] = [];
    for (const alias of model.aliases) {
      if (queue.aliasPosition(client.url, model.name, alias) > position) {
        aliasesKept.push(alias);
        continue;
      }
      await step(`alias ${alias}`, () => client.setAlias(model.name, alias, version));
      queue.aliased(client.url, model.name, alias, position);
    }

    await step('end', async () => {
      const tags = pairs({
        'edgewood.registeredModel': model.name,
        'edgewood.registeredVersion': version,
        'edgewood.artifactsMissing': progress.missing,
      });
      await client.logBatch(runId, { metrics: [], params: [], tags });
      await client.endRun(runId, 'FINISHED', plan.endMs);
    });
    queue.sent(recordId, options.nowMs());
    return { runId, version, missing: progress.missing ?? null, aliasesKept };
  } catch (error) {
    if (isGone(error) && progress.runId !== undefined) {
      // Somebody removed the run there: the next call begins another.
      queue.progress(recordId, { server: client.url });
    }
    queue.failed(recordId, error instanceof Error ? error.message : String(error));
    throw error;
  }
}

/** Again while there is hope, with a pause that grows; as long as the server asks for, where that is short. */
async function patiently<T>(work: () => Promise<T>, options: SendOptions): Promise<T> {
  const tries = options.tries ?? TRIES;
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof MlflowError) || !error.passing || attempt >= tries) throw error;
      const waitMs = error.afterMs ?? BACKOFF_BASE_MS * 2 ** (attempt - 1) * (0.5 + options.random());
      if (waitMs > LONGEST_WAIT_MS) throw error;
      await options.sleep(waitMs);
    }
  }
}
