import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { openDatabase } from '../agent/native.ts';
import type { TrackingQueue } from '../models/tracking/queue.ts';
import type { SendOptions } from '../models/tracking/send.ts';
import { openTrackingQueue, QUEUE_FILE } from '../models/tracking/track.ts';
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
