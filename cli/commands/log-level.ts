import { MAX_LEVEL_MS } from '../../agent/controls.ts';
import { parseDurationMs } from '../../agent/units.ts';
import { formatDuration } from '../../core/words.ts';
import { Exit, UserError } from '../errors.ts';
import { askAgent, socketPath } from '../local.ts';

export interface LogLevelOptions {
  readonly level: string;
  readonly for: string;
  readonly socket?: string | undefined;
  readonly 'state-dir'?: string | undefined;
  readonly json: boolean;
}

export async function run(args: LogLevelOptions): Promise<number> {
  const ms = parseDurationMs(args.for);
  if (ms === null || ms <= 0 || ms > MAX_LEVEL_MS) {
    throw new UserError(`--for "${args.for}": expected a duration of up to 24h, e.g. 10m`);
  }
  const answer = await askAgent<{ level: string; configured: string }>(await socketPath(args), {
    method: 'logLevel',
    level: args.level,
    ms,
  });
  process.stdout.write(
    args.json
      ? `${JSON.stringify(answer)}\n`
      : `The agent logs ${answer.level} for ${formatDuration(ms)}, then ${answer.configured} again.\n`,
  );
  return Exit.done;
}
