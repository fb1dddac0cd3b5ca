import type { Settings } from './config.ts';
import { KEYS } from './keys.ts';

export interface Reload {
  /** The new ones, but for what can't change while the agent runs: that stays as it was. */
  readonly settings: Settings;
  /** Paths of the settings that are taken over. */
  readonly changed: readonly string[];
  /** Those that wait for a restart: they are tied to the store, the source or the identity. */
  readonly needRestart: readonly string[];
}

/** What becomes of a configuration that is read again. */
export function reload(before: Settings, after: Settings): Reload {
  const values = new Map<string, unknown>();
  const changed: string[] = [];
  const needRestart: string[] = [];
  for (const { path, reload: live } of [...KEYS, { path: 'maintenance', reload: true }]) {
    const [old, now] = [before.values.get(path), after.values.get(path)];
    const differs = JSON.stringify(old) !== JSON.stringify(now);
    if (differs) (live ? changed : needRestart).push(path);
    const kept = live ? now : old;
    if (kept !== undefined) values.set(path, kept);
  }
  if (JSON.stringify(before.sinks) !== JSON.stringify(after.sinks)) changed.push('sinks');
  return { settings: { ...after, values }, changed, needRestart };
}
