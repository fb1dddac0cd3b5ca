import { getRawAsset, isSea } from 'node:sea';
import { brotliDecompressSync } from 'node:zlib';
import { Exit, UserError } from '../errors.ts';

/** Collected by build/licences.ts from what the bundle really contains. */
export async function run(): Promise<number> {
  if (!isSea()) {
    throw new UserError('the licences are collected when the executable is built: npm run build:executable');
  }
  process.stdout.write(brotliDecompressSync(Buffer.from(getRawAsset('licences.txt.br'))));
  return Exit.done;
}
