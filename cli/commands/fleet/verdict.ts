import type { Verdict } from '../../../core/protocol/verdict.ts';
import { type CommandOptions, commandHosts, onlyResult } from '../../fleet/command-hosts.ts';
import { CommandFault } from '../../hub/ask.ts';

export interface FleetVerdictOptions extends CommandOptions {
  readonly incident: string;
  readonly verdict: Verdict;
  readonly note: string;
}

/** An operator's word on an incident of a host, by signed command. */
export async function run({ incident, verdict, note, ...args }: FleetVerdictOptions): Promise<number> {
  return commandHosts(args, 'verdict', async (ask) => {
    const record = onlyResult(await ask({ id: incident, verdict, note }));
    const { incidentId } = record;
    if (typeof incidentId !== 'string' || !incidentId.startsWith(incident))
      throw new CommandFault('failed', 'answered of another incident');
    return { text: `${incidentId}: ${verdict}`, json: { record } };
  });
}
