import { Exit } from '../../errors.ts';
import { withRegistry } from '../../registry.ts';
import { changed } from './alias.ts';

export interface RollbackOptions {
  readonly name: string;
  readonly alias: string;
  readonly why?: string | undefined;
  readonly registry?: string | undefined;
}

export async function run(args: RollbackOptions): Promise<number> {
  return withRegistry(args.registry, { create: false }, (registry) => {
    process.stdout.write(`${changed(registry.rollback(args.name, args.alias, args.why ?? null))}\n`);
    return Exit.done;
  });
}
