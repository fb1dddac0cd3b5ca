import { Exit } from '../errors.ts';
import { BUILD, versionText } from '../version.ts';

export async function run(args: { json?: boolean }): Promise<number> {
  const text = args.json ? JSON.stringify({ ...BUILD, node: process.versions.node }) : await versionText();
  process.stdout.write(`${text}\n`);
  return Exit.done;
}
