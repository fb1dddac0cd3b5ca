import { writeFileSync } from 'node:fs';
import { exportModel } from '../../../models/exchange/export.ts';
import { Exit, UserError } from '../../errors.ts';
import { openModel } from '../../model-reference.ts';
import { registryDirectory } from '../../registry.ts';

export interface ExportOptions {
  readonly model: string;
  readonly out?: string | undefined;
  readonly registry?: string | undefined;
}

export async function run(args: ExportOptions): Promise<number> {
  const { model } = openModel(args.model, registryDirectory(args.registry));
  const text = `${JSON.stringify(exportModel(model))}\n`;
  if (args.out === undefined) {
    process.stdout.write(text);
    return Exit.done;
  }
  try {
    writeFileSync(args.out, text);
  } catch (error) {
    throw new UserError(`${args.out}: can't be written (${(error as NodeJS.ErrnoException).code})`);
  }
  return Exit.done;
}
