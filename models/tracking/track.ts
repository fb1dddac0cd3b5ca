import { join } from 'node:path';
import type { Database } from 'better-sqlite3';
import type { ModelRecord } from '../record.ts';
import { MlflowClient } from './client.ts';
import type { HttpLimits } from './http.ts';
import { MlflowError } from './mlflow-error.ts';
import { artifactsOf, planOf, type TrackingExtra } from './plan.ts';
import { TrackingQueue, type Waiting } from './queue.ts';
import { type SendOptions, type Sent, send } from './send.ts';
import type { TrackingServer } from './settings.ts';

export const QUEUE_FILE = 'tracking.db';
const LOCK_FILE = 'tracking.lock';

export type TrackingOptions = SendOptions & { readonly limits?: HttpLimits };

/** The queue of a registry. @param openDatabase in the executable: that of agent/native.ts */
export function openTrackingQueue(registry: string, openDatabase: (path: string) => Database): TrackingQueue {
  return new TrackingQueue(openDatabase(join(registry, QUEUE_FILE)), () =>
    openDatabase(join(registry, LOCK_FILE)),
  );
}

export interface WaitingTraining {
  readonly name: string;
  readonly version: number;
  readonly keptAt: string;
  readonly reason: string | null;
}

export interface SyncFigures {
  readonly server: string;
  readonly sent: readonly (Sent & {
    readonly name: string;
    readonly version: string;
    readonly ours: number;
  })[];
  /** What still waits, and why. */
  readonly waiting: readonly WaitingTraining[];
  /** Another process is sending. */
  readonly busy: boolean;
  /** Why it stopped before the end of the line: the server is away, or does not know us. */
  readonly stopped: string | null;
}

export const waitingWords = ({ plan, keptAt, reason }: Waiting): WaitingTraining => ({
  name: plan.model.name,
  version: plan.model.version,
  keptAt,
  reason,
});

/**
 * Sends what waits, first come, first sent. One training that the server refuses does not keep the others back; a
 * server that is away, or does not know us, is not asked for each.
 */
export async function sync(
  queue: TrackingQueue,
  server: TrackingServer,
  options: TrackingOptions,
): Promise<SyncFigures> {
  const waiting = (): WaitingTraining[] => queue.waiting().map(waitingWords);
  const release = queue.lock();
  if (release === null)
    return { server: server.url, sent: [], waiting: waiting(), busy: true, stopped: null };
  const client = new MlflowClient(server, options.limits);
  const sent: SyncFigures['sent'][number][] = [];
  let stopped: string | null = null;
  try {
    for (const one of queue.waiting()) {
      const { name, version: ours } = one.plan.model;
      options.onProgress?.(`${name} v${ours}`);
      try {
        sent.push({ ...(await send(client, queue, one, options)), name, ours });
      } catch (error) {
        if (!(error instanceof MlflowError)) throw error;
        if (error.kind === 'refused') continue;
        stopped = error.message;
        break;
      }
    }
  } finally {
    client.close();
    release();
  }
  return { server: server.url, sent, waiting: waiting(), busy: false, stopped };
}

/**
 * Keeps a training, then sends it with whatever waited before it. Never throws for what the server does: the training
 * is kept by then.
 * @returns what became of it, in one sentence for the person, and the figures
 */
export async function trackOrKeep(
  queue: TrackingQueue,
  server: TrackingServer,
  record: ModelRecord,
  bytes: Uint8Array,
  extra: TrackingExtra,
  options: TrackingOptions,
): Promise<{ readonly sentence: string; readonly figures: SyncFigures }> {
  queue.enqueue(planOf(record, extra), artifactsOf(record, bytes, extra), options.nowMs());
  const figures = await sync(queue, server, options);
  return { sentence: sentenceOf(record, figures), figures };
}

function sentenceOf({ name, version }: ModelRecord, figures: SyncFigures): string {
  const sent = figures.sent.find((one) => one.name === name && one.ours === version);
  if (sent !== undefined) {
    const missing = sent.missing === null ? '' : `, but without its files: ${sent.missing}`;
    return ended(
      `MLflow has it: ${figures.server}, run ${sent.runId}, ${name} version ${sent.version}${missing}`,
    );
  }
  if (figures.busy)
    return 'Kept for MLflow: another process is sending now; `edgewood models sync` sends it.';
  const reason = figures.waiting.find((one) => one.name === name && one.version === version)?.reason;
  return `Kept for MLflow, not sent: ${ended(figures.stopped ?? reason ?? 'not tried')} \`edgewood models sync\` sends it later.`;
}

/** A sentence that asks something has its end already. */
const ended = (sentence: string): string => (/[.?!]$/.test(sentence) ? sentence : `${sentence}.`);
