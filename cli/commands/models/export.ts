import { exportModel } from '../../../models/exchange/export.ts';
import { Exit } from '../../errors.ts';
import { checkOutput, OUTPUT, writeOutput } from '../../files.ts';
import { openModel } from '../../model-reference.ts';
import { registryDirectory } from '../../registry.ts';

export interface ExportOptions {
  readonly model: string;
  readonly out?: string | undefined;
  readonly registry?: string | undefined;
}

export async function run(args: ExportOptions): Promise<number> {
  checkOutput(args.out, OUTPUT.json, [args.model]);
  const { model } = openModel(args.model, registryDirectory(args.registry));
  const text = `${JSON.stringify(exportModel(model))}\n`;
  if (args.out === undefined) {
    process.stdout.write(text);
    return Exit.done;
  }
  writeOutput(args.out, text);
  return Exit.done;
}
