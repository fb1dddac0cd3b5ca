import type { ActiveMaintenance } from '../../agent/maintenance.ts';
import { MAX_SNOOZE_MS } from '../../agent/maintenance.ts';
import { parseDurationMs } from '../../agent/units.ts';
import { Exit, UserError } from '../errors.ts';
import { askAgent, socketPath } from '../local.ts';
import { type AgentStatus, maintenanceText } from './status.ts';

export interface SnoozeOptions {
  readonly duration?: string | undefined;
  readonly reason?: string | undefined;
  readonly learn: boolean;
  readonly socket?: string | undefined;
  readonly 'state-dir'?: string | undefined;
  readonly json: boolean;
}

export async function run(args: SnoozeOptions): Promise<number> {
  const path = await socketPath(args);
  const active =
    args.duration === undefined
      ? (await askAgent<AgentStatus>(path, { method: 'status' })).maintenance
      : await askAgent<ActiveMaintenance[]>(path, {
          method: 'snooze',
          ms: durationOf(args.duration),
          reason: args.reason ?? '',
          training: args.learn ? 'include' : 'exclude',
        });
  if (args.json) process.stdout.write(`${JSON.stringify(active)}\n`);
  else if (active.length === 0)
    process.stdout.write('Alerts are raised: no snooze, no maintenance window.\n');
  else for (const one of active) process.stdout.write(`No alerts: ${maintenanceText(one, Date.now())}.\n`);
  return Exit.done;
}

function durationOf(text: string): number {
  if (text === 'off') return 0;
  const ms = parseDurationMs(text);
  if (ms === null || ms <= 0 || ms > MAX_SNOOZE_MS)
    throw new UserError(`snooze "${text}": expected a duration of up to 24h, e.g. 2h, or off`);
  return ms;
}
