import { type CommandOptions, commandHosts, onlyResult } from '../../fleet/command-hosts.ts';

/** How hosts are, asked of themselves by signed command. */
export async function run(args: CommandOptions): Promise<number> {
  return commandHosts(args, 'self-test', async (ask) => {
    const result = onlyResult(await ask({}));
    const { state, counters } = result;
    const counts = Object.entries(typeof counters === 'object' && counters !== null ? counters : {})
      .filter(([, count]) => typeof count === 'number')
      .map(([name, count]) => `${name} ${count}`);
    return {
      text: [typeof state === 'string' ? state : 'in a state without a name', ...counts].join(', '),
      json: { result },
    };
  });
}
