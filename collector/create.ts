import type { Sleep } from './clock.ts';
import { ProcfsSource } from './procfs/source.ts';
import { ReplaySource } from './replay.ts';
import { type Clock, type Source, SourceError } from './source.ts';
import { SystemInformationSource } from './systeminformation.ts';

export interface SourceOptions {
  readonly intervalMs: number;
  readonly clock?: Clock;
  readonly view?: 'auto' | 'host' | 'cgroup';
  readonly networkInclude?: readonly string[] | undefined;
  readonly networkExclude?: readonly string[] | undefined;
  /** Replay only. */
  readonly pace?: 'max' | 'realtime';
  readonly speed?: number;
  readonly maxRows?: number;
  readonly sleep?: Sleep;
}

/** A source by the user's word: `procfs`, `systeminformation`, `replay:FILE,FILE`, or `auto` (by the platform). */
export function createSource(spec: string, options: SourceOptions): Source {
  const { pace, speed, maxRows, sleep, ...live } = options;
  if (spec.startsWith('replay:')) {
    const files = spec
      .slice('replay:'.length)
      .split(',')
      .filter((file) => file !== '');
    return new ReplaySource({
      files,
      ...(pace && { pace }),
      ...(speed !== undefined && { speed }),
      ...(maxRows !== undefined && { maxRows }),
      ...(options.clock && { clock: options.clock }),
      ...(sleep && { sleep }),
    });
  }
  const kind = spec === 'auto' ? (process.platform === 'linux' ? 'procfs' : 'systeminformation') : spec;
  if (kind === 'procfs') return new ProcfsSource(live);
  if (kind === 'systeminformation') return new SystemInformationSource(live);
  throw new SourceError(
    `unknown source ${JSON.stringify(spec)}. Expected procfs, systeminformation or replay:FILE[,FILE].`,
  );
}
