import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { isName } from '../../../models/registry/names.ts';
import { fingerprint, generateKey } from '../../../models/trust/keys.ts';
import { Exit, UserError } from '../../errors.ts';
import { createFile, readPassphrase } from '../../trust/key-files.ts';

export interface CreateOptions {
  readonly name: string;
  readonly out: string;
  readonly 'passphrase-file'?: string | undefined;
  readonly json: boolean;
}

export async function run(args: CreateOptions): Promise<number> {
  const { name, out, json } = args;
  if (!isName(name)) {
    throw new UserError(
      `${JSON.stringify(name)} is no name for a key: expected 1 to 64 letters, digits, ".", "_" and "-", the first a letter or digit`,
    );
  }
  const privateFile = join(out, `${name}.key`);
  const publicFile = join(out, `${name}.pub`);
  const passphrase = readPassphrase(args['passphrase-file']);
  // Before anything is written: half a pair is of no use.
  for (const path of [privateFile, publicFile]) {
    if (existsSync(path)) {
      throw new UserError(`${path} is there already, and is not written over: choose another name, or --out`);
    }
  }
  const { privatePem, publicPem, keyId } = generateKey(passphrase);
  createFile(privateFile, privatePem, 0o600);
  createFile(publicFile, publicPem, 0o644);
  const encrypted = passphrase !== null;
  process.stdout.write(
    json
      ? `${JSON.stringify({ id: keyId, private: privateFile, public: publicFile, encrypted })}\n`
      : [
          `${privateFile}  private key, mode 0600, ${encrypted ? 'encrypted' : 'not encrypted: whoever can read it can sign'}`,
          `${publicFile}  public key, for everybody`,
          `fingerprint  ${fingerprint(keyId)}`,
          '',
        ].join('\n'),
  );
  return Exit.done;
}
