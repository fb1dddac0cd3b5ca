import { printable } from '../../../agent/log.ts';
import { Exit, UserError } from '../../errors.ts';
import { referenceOf } from '../../model-reference.ts';
import { withRegistry } from '../../registry.ts';
import { changed } from './alias.ts';

export interface RollbackOptions {
  readonly name: string;
  readonly alias: string;
  readonly why?: string | undefined;
  readonly registry?: string | undefined;
}

export async function run(args: RollbackOptions): Promise<number> {
  const reference = referenceOf(args.name);
  if (reference !== null) {
    const { name, versionOrAlias } = reference;
    throw new UserError(
      `${JSON.stringify(args.name)}: give the name without @${printable(versionOrAlias)}: edgewood models rollback ${name}; --alias says which alias goes back to the version before`,
    );
  }
  return withRegistry(args.registry, { create: false }, (registry) => {
    process.stdout.write(`${changed(registry.rollback(args.name, args.alias, args.why ?? null))}\n`);
    return Exit.done;
  });
}
