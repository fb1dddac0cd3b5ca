import { MAX_SNOOZE_MS } from '../../../agent/maintenance.ts';
import { parseDurationMs } from '../../../agent/units.ts';
import { UserError } from '../../errors.ts';
import { type CommandOptions, commandHosts, onlyResult } from '../../fleet/command-hosts.ts';

export interface FleetSnoozeOptions extends CommandOptions {
  readonly for?: string | undefined;
  readonly end: boolean;
  readonly reason: string;
}

/** No alerts of hosts for a while, by signed command. */
export async function run(args: FleetSnoozeOptions): Promise<number> {
  const ms = durationOf(args);
  return commandHosts(args, 'snooze', async (ask) => {
    const { active } = onlyResult(await ask({ ms, reason: args.reason }));
    return {
      text: ms === 0 ? 'alerts are raised again' : `no alerts for ${args.for}`,
      json: { active },
    };
  });
}

/** 0: it ends. */
function durationOf({ for: text, end }: FleetSnoozeOptions): number {
  if (end === (text !== undefined)) throw new UserError('for how long? --for 2h, or --end to end it');
  if (text === undefined) return 0;
  const ms = parseDurationMs(text);
  if (ms === null || ms <= 0 || ms > MAX_SNOOZE_MS)
    throw new UserError(`--for "${text}": expected a duration of up to 24h, e.g. 2h`);
  return ms;
}
