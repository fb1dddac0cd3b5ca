import type { Command } from './command.ts';

/** Names of the options that yargs knows by their kind. */
export interface Kinds {
  readonly string: readonly string[];
  readonly number: readonly string[];
  readonly array: readonly string[];
}

/**
 * What yargs lets through: NaN for a text where a number belongs, the default for no text at all, a list for an option that is there twice.
 * @param words as typed, to quote from
 * @returns null where nothing is wrong
 */
export function strangeValue(
  argv: Readonly<Record<string, unknown>>,
  { string, number, array }: Kinds,
  words: readonly string[],
): string | null {
  for (const name of new Set([...string, ...number])) {
    const value = argv[name];
    if (Array.isArray(value) && !array.includes(name)) {
      const times = value.length === 2 ? 'twice' : `${value.length} times`;
      return `--${name} is there ${times}; give it once`;
    }
    const empty = number.includes(name) && words.includes(`--${name}`) && typed(name, words) === NOTHING;
    if (empty || Number.isNaN(value)) return `--${name}: expected a number, found ${typed(name, words)}`;
  }
  return null;
}

const MOST_QUOTED = 60;
const NOTHING = 'nothing';

function typed(name: string, words: readonly string[]): string {
  const at = words.findIndex((word) => word === `--${name}` || word.startsWith(`--${name}=`));
  const word = words[at] ?? '';
  const text = word.includes('=') ? word.slice(word.indexOf('=') + 1) : (words[at + 1] ?? '');
  return text === '' || text.startsWith('--') ? NOTHING : text.slice(0, MOST_QUOTED);
}

/** What was wrong, what may have been meant, and where to look. */
export function usageMessage(failure: string, args: readonly string[], commands: readonly Command[]): string {
  const [word = ''] = args;
  const { path, command } = chosen(args, commands);
  const what =
    command !== undefined || word.startsWith('-') || word === '' ? '' : `unknown command '${word}': `;
  const said = missingArgument(failure, path, command) ?? failure.charAt(0).toLowerCase() + failure.slice(1);
  return `${what}${said}\nSee ${['edgewood', ...path].join(' ')} --help.`;
}

/** The command that the words name, and those of them that are its own. */
function chosen(
  args: readonly string[],
  commands: readonly Command[],
): { readonly path: readonly string[]; readonly command: Command | undefined } {
  const [word = '', ...rest] = args;
  const command = commands.find((one) => nameOf(one) === word);
  if (command === undefined) return { path: [], command };
  const inner = chosen(rest, command.commands ?? []);
  return { path: [word, ...inner.path], command: inner.command ?? command };
}

const nameOf = ({ command }: Command): string => command.split(' ')[0] as string;

/** `files is missing: edgewood evaluate <model> <files..>`; null where the failure is another. */
function missingArgument(
  failure: string,
  path: readonly string[],
  command: Command | undefined,
): string | null {
  const [, given] = /^Not enough non-option arguments: got (\d+)/.exec(failure) ?? [];
  if (given === undefined || command === undefined) return null;
  const [, ...places] = command.command.split(' ');
  const missing = places
    .filter((place) => place.startsWith('<'))
    .slice(Number(given))
    .map((place) => place.replace(/[<>.]/g, ''));
  if (missing.length === 0) return null;
  const verb = missing.length === 1 ? 'is' : 'are';
  return `${missing.join(' and ')} ${verb} missing: ${['edgewood', ...path, ...places].join(' ')}`;
}
