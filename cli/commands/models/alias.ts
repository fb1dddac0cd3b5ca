import { isName, versionNumber } from '../../../models/registry/names.ts';
import type { AliasChange } from '../../../models/registry/registry.ts';
import { Exit, UserError } from '../../errors.ts';
import { referenceOf } from '../../model-reference.ts';
import { withRegistry } from '../../registry.ts';

export interface AliasOptions {
  readonly model: string;
  readonly alias: string;
  readonly expect?: string | undefined;
  readonly why?: string | undefined;
  readonly remove: boolean;
  readonly registry?: string | undefined;
}

export async function run(args: AliasOptions): Promise<number> {
  const reference = referenceOf(args.model);
  const name = reference?.name ?? args.model;
  const why = args.why ?? null;
  const expected = args.expect === undefined ? {} : { expected: expectedOf(args.expect) };
  if (args.remove ? !isName(name) : reference === null) {
    throw new UserError(
      `${JSON.stringify(args.model)}: expected ${args.remove ? 'NAME' : 'NAME@VERSION, e.g. web@3'}`,
    );
  }
  return withRegistry(args.registry, { create: false }, (registry) => {
    if (args.remove) {
      // web@3 production --remove: only if it is that one.
      const own = reference === null ? null : registry.get(name, reference.versionOrAlias).record.version;
      const change = registry.removeAlias(name, args.alias, {
        ...(own === null ? {} : { expected: own }),
        ...expected,
        why,
      });
      process.stdout.write(`${changed(change)}\n`);
      return Exit.done;
    }
    const { record } = registry.get(name, reference?.versionOrAlias ?? '');
    const change = registry.setAlias(name, args.alias, record.version, { ...expected, why });
    process.stdout.write(`${changed(change)}\n`);
    return Exit.done;
  });
}

function expectedOf(text: string): number | null {
  if (text === 'none') return null;
  const version = versionNumber(text);
  if (version !== null) return version;
  throw new UserError(`--expect: expected a version or none, found ${JSON.stringify(text)}`);
}

/** `web@production: version 3 -> 4`. */
export function changed({ name, alias, from, to }: AliasChange): string {
  const words = (version: number | null): string => (version === null ? 'nowhere' : `version ${version}`);
  const what = from === to ? `${words(to)}, as before` : `${words(from)} -> ${words(to)}`;
  return `${name}@${alias}: ${what}`;
}
