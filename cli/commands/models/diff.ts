import { Exit } from '../../errors.ts';
import { openModel } from '../../model-reference.ts';
import { diffModels, diffSections } from '../../models/diff.ts';
import { toText } from '../../models/document.ts';
import { registryDirectory } from '../../registry.ts';

export interface DiffOptions {
  readonly a: string;
  readonly b: string;
  readonly registry?: string | undefined;
  readonly json: boolean;
}

export async function run(args: DiffOptions): Promise<number> {
  const directory = registryDirectory(args.registry);
  const diff = diffModels(openModel(args.a, directory), openModel(args.b, directory));
  const title = `${diff.a} and ${diff.b}${diff.identical ? ': the same file' : ''}`;
  process.stdout.write(args.json ? `${JSON.stringify(diff)}\n` : toText(title, diffSections(diff)));
  return Exit.done;
}
