import type { Settings } from '../../agent/config/config.ts';
import type { RunningAgent } from '../../agent/drive.ts';
import { Exit, UserError } from '../errors.ts';
import { handOver } from '../hand-over.ts';
import { useSmallHeap } from '../runtime.ts';
import { readSettings, type SettingOptions } from '../settings.ts';
import { BUILD } from '../version.ts';

/** A failing disk must not fill up with databases set aside. */
const MOST_DAMAGED = 3;
const DAMAGED_WITHIN_MS = 3_600_000;

export async function run(args: SettingOptions): Promise<number> {
  handOver(args);
  return watch(args);
}

/** The agent itself, its command line read. */
export async function watch(args: SettingOptions): Promise<number> {
  useSmallHeap();
  const { mergeSettings, resolveConfig } = await import('../../agent/config/config.ts');
  const { startAgent } = await import('../../agent/run.ts');
  const readMerged = async (): Promise<Settings> => mergeSettings(await readSettings(args));
  let settings: Settings;
  try {
    settings = await readMerged();
    resolveConfig([settings]);
  } catch (error) {
    throw asUserError(error);
  }
  let stopping = false;
  const damagedAtMs: number[] = [];
  let running: RunningAgent | null = null;
  const stop = (): void => {
    stopping = true;
    running?.requestStop();
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  process.on('SIGHUP', () => void running?.reload(settings, readMerged).then((taken) => (settings = taken)));
  for (;;) {
    const agent: RunningAgent = await startAgent(resolveConfig([settings]), { version: BUILD.version }).catch(
      (error: unknown) => {
        throw asUserError(error);
      },
    );
    running = agent;
    if (stopping) agent.requestStop();
    await agent.ended;
    await agent.stop();
    // A damaged database is set aside by the next start, and a new one begun.
    if (agent.failure === 'store' && !stopping) {
      damagedAtMs.push(performance.now());
      const [before] = damagedAtMs.slice(-MOST_DAMAGED);
      if (damagedAtMs.length < MOST_DAMAGED || performance.now() - (before ?? 0) > DAMAGED_WITHIN_MS)
        continue;
      throw new UserError(
        `the database was damaged ${MOST_DAMAGED} times within an hour: is the disk of ${resolveConfig([settings]).stateDir} failing?`,
        Exit.unreachable,
      );
    }
    if (agent.failure === null || agent.failure === 'store') return Exit.done;
    return agent.failure === 'input' ? Exit.badInput : Exit.bug;
  }
}

/** What a person can mend: a setting, a directory, a file to replay. */
const MENDABLE = new Set(['ConfigError', 'SinkConfigurationError', 'StoreUnusableError', 'SourceError']);

function asUserError(error: unknown): unknown {
  return error instanceof Error && MENDABLE.has(error.name) ? new UserError(error.message) : error;
}
