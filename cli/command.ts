import type { Argv } from 'yargs';

/**
 * A row of the command table. It holds what `--help` prints; the work is behind `load`, so that only the module of
 * the chosen command, and what it imports, is ever evaluated.
 */
export interface Command {
  readonly command: string;
  readonly describe: string | false;
  /** `-` among its arguments is standard input. */
  readonly readsStandardInput?: true;
  /** Those that it gathers. */
  readonly commands?: readonly Command[];
  register(yargs: Argv, choose: (run: () => Promise<number>) => void): Argv;
}

/**
 * A command with options. Its module exports `run`, which gets them under the names that `builder` declares
 * (`args['state-dir']`, typed), returns the exit code, and throws `UserError` for what the person can mend.
 */
export function command<Options>(row: {
  readonly command: string;
  /** false: not listed. */
  readonly describe: string | false;
  readonly readsStandardInput?: true;
  readonly builder: (yargs: Argv) => Argv<Options>;
  readonly load: () => Promise<{ run(args: NoInfer<Options>): Promise<number> }>;
}): Command {
  return {
    command: row.command,
    describe: row.describe,
    ...(row.readsStandardInput === true && { readsStandardInput: true as const }),
    register: (yargs, choose) =>
      yargs.command<Options>(row.command, row.describe as string, row.builder, (args) =>
        choose(async () => (await row.load()).run(args as Options)),
      ),
  };
}

/**
 * A command that only gathers others: `edgewood models list`.
 * @param parent the group that it is in
 */
export function group(
  name: string,
  describe: string,
  example: string,
  commands: readonly Command[],
  parent = '',
): Command {
  const path = `${parent} ${name}`.trim();
  return {
    command: name,
    describe,
    commands,
    register: (yargs, choose) =>
      yargs.command(name, describe, (inner) =>
        commands
          .reduce((chain, one) => one.register(chain, choose), inner)
          .example(`$0 ${path} ${example}`, '')
          .demandCommand(
            1,
            `${path}: which one? ${commands.map((one) => one.command.split(' ')[0]).join(', ')}`,
          ),
      ),
  };
}

/** Of every command that asks the agent on this host. */
export const local = <T>(yargs: Argv<T>) =>
  yargs
    .option('socket', { type: 'string', describe: "The agent's socket" })
    .option('state-dir', { type: 'string', describe: "The agent's state directory, where its socket lies" })
    .option('json', { type: 'boolean', default: false, describe: 'Print JSON' });
