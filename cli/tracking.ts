import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { openDatabase } from '../agent/native.ts';
import type { ModelRecord } from '../models/record.ts';
import { saidLine } from '../models/tracking/mlflow-error.ts';
import type { TrackingExtra } from '../models/tracking/plan.ts';
import type { TrackingQueue } from '../models/tracking/queue.ts';
import type { SendOptions } from '../models/tracking/send.ts';
import type { TrackingServer } from '../models/tracking/settings.ts';
import { openTrackingQueue, QUEUE_FILE, trackOrKeep } from '../models/tracking/track.ts';
import { UserError } from './errors.ts';

/** What `train` and `models sync` hand to experiment tracking. */
export const SEND_OPTIONS: SendOptions = {
  nowMs: Date.now,
  sleep: async (ms) => {
    await sleep(ms);
  },
  random: Math.random,
};

/**
 * What waits beside a registry. To be closed.
 * @param create false: null where nothing was ever kept there
 * @throws UserError
 */
export function openQueue(directory: string, create: true): TrackingQueue;
export function openQueue(directory: string, create: boolean): TrackingQueue | null;
export function openQueue(directory: string, create: boolean): TrackingQueue | null {
  if (!create && !existsSync(join(directory, QUEUE_FILE))) return null;
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    return openTrackingQueue(directory, (path) => openDatabase(path));
  } catch (error) {
    const { code, message } = error as { code?: unknown; message: string };
    if (typeof code !== 'string') throw error;
    throw new UserError(
      `${join(directory, QUEUE_FILE)}: can't be used (${code}: ${message.split('\n')[0]}); it holds what waits for MLflow. Mend or move it, or name another registry with --registry`,
    );
  }
}

/**
 * What `train` calls once the registry has the version: kept durably, then sent. `server` is from
 * `trackingServerFrom`, asked for before the training, so that a bad setting is told before there is anything to lose.
 * @returns what became of it, in one sentence; never throws, since the version is registered by then
 */
export async function trackTraining(
  record: ModelRecord,
  bytes: Uint8Array,
  extra: TrackingExtra,
  to: {
    readonly server: TrackingServer;
    readonly registry: string;
    readonly onProgress?: (what: string) => void;
  },
): Promise<string> {
  const { server, registry, onProgress } = to;
  try {
    const queue = openQueue(registry, true);
    try {
      const options = { ...SEND_OPTIONS, ...(onProgress && { onProgress }) };
      return (await trackOrKeep(queue, server, record, bytes, extra, options)).sentence;
    } finally {
      queue.close();
    }
  } catch (error) {
    return `Not sent to MLflow, and not kept for it: ${saidLine(error instanceof Error ? error.message : String(error))}. The version is in the registry all the same.`;
  }
}
