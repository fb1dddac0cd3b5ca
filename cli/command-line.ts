import { writeFileSync } from 'node:fs';
import type { Argv } from 'yargs';
import { nearest } from '../core/nearest.ts';
import type { Command } from './command.ts';
import { Exit, UserError } from './errors.ts';
import { handedOver } from './hand-over.ts';
import type { SettingOptions } from './settings.ts';
import { type Kinds, strangeValue, usageMessage } from './usage.ts';

/** @returns the exit code. */
export async function runCommandLine(args: readonly string[]): Promise<number> {
  nameProcess();
  // The two that a package manager or an auditor calls: yargs costs 8 MB and 30 ms, and neither needs it.
  if (args[0] === '--version') return (await import('./commands/version.ts')).run({});
  if (args[0] === '--licences' || args[0] === '--licenses') {
    return (await import('./commands/licences.ts')).run();
  }
  const options = handedOver<SettingOptions>();
  if (options !== undefined) return (await import('./commands/agent.ts')).watch(options);
  const { COMMANDS } = await import('./commands.ts');
  const { default: yargs } = await import('yargs');
  const parsed = await parse(yargs(), COMMANDS, args);
  if (parsed.output !== '') process.stdout.write(`${parsed.output}\n`);
  return parsed.run === undefined ? Exit.done : parsed.run();
}

const STANDARD_INPUT = '/dev/stdin';

/** For ps, top and pgrep, which would show the name of Node's main thread. */
function nameProcess(): void {
  try {
    writeFileSync('/proc/self/comm', 'edgewood');
  } catch {
    // Not Linux, or a sandbox without /proc: the name is for people only.
  }
}

interface Parsed {
  /** Help, already laid out. */
  readonly output: string;
  /** undefined where help was asked for. */
  readonly run: (() => Promise<number>) | undefined;
}

async function parse(yargs: Argv, commands: readonly Command[], args: readonly string[]): Promise<Parsed> {
  let run: (() => Promise<number>) | undefined;
  let output = '';
  const failures: string[] = [];
  const parser = commands
    .reduce((chain, one) => one.register(chain, (chosen) => (run = chosen)), yargs)
    .scriptName('edgewood')
    .usage('edgewood watches a host from the host itself.\n\n$0 COMMAND [OPTION…]')
    .locale('en')
    .version(false)
    .option('version', { type: 'boolean', describe: 'Print the version', global: false })
    .option('licences', {
      type: 'boolean',
      describe: 'Print the licences of everything inside',
      global: false,
    })
    .help()
    .alias('help', 'h')
    .strict()
    .recommendCommands()
    .demandCommand(1, 'which command?')
    .check((argv, options) => strangeValue(argv, options as unknown as Kinds, args) ?? true)
    .epilogue(
      'Exit codes: 0 done, 1 the check says no, 2 bad usage or input, 3 unreachable, 4 untrustworthy, 70 a bug.',
    )
    .wrap(Math.min(110, process.stdout.columns ?? 100))
    .exitProcess(false)
    .fail((message, error) => {
      failures.push(message ?? error?.message);
    });
  const reads = commands.some(
    (one) => one.readsStandardInput === true && one.command.split(' ')[0] === args[0],
  );
  // yargs (18.2) loses a lone dash among several arguments.
  const words = reads ? args.map((arg) => (arg === '-' ? STANDARD_INPUT : arg)) : [...args];
  await parser.parseAsync(words, {}, (_error: Error | undefined, _argv: unknown, text: string) => {
    output = text;
  });
  // yargs goes on after the first complaint; the one that names what was typed is the useful one.
  const failure = failures.find((one) => /^(Unknown|Did you mean)/.test(one)) ?? failures[0];
  if (failure !== undefined) {
    const meant = await meantOption(failure, args, commands);
    throw new UserError(usageMessage(failure + meant, args, commands));
  }
  return { output, run };
}

/** yargs recommends commands alone; which options there are is asked of the help. */
async function meantOption(
  failure: string,
  words: readonly string[],
  commands: readonly Command[],
): Promise<string> {
  const [, typed] = /^Unknown arguments?: ([\w-]{3,60})/.exec(failure) ?? [];
  if (typed === undefined || !words.some((word) => word.startsWith(`--${typed}`))) return '';
  const { default: yargs } = await import('yargs');
  const { output } = await parse(yargs(), commands, [...wordsOfCommand(words), '--help']);
  const options = [...output.matchAll(/--([a-z][a-z-]+)/g)].map(([, name]) => name as string);
  const meant = nearest(typed, options, Math.max(1, Math.min(2, Math.floor(typed.length / 3))));
  return meant === undefined ? '' : `; did you mean --${meant}?`;
}

/** Those before the first option. */
function wordsOfCommand(args: readonly string[]): readonly string[] {
  const options = args.findIndex((arg) => arg.startsWith('-'));
  return options < 0 ? args : args.slice(0, options);
}
