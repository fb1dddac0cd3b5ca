import { createPublicKey } from 'node:crypto';
import { printable } from '../../../agent/log.ts';
import { openEnvelope } from '../../../models/trust/envelope.ts';
import { fingerprint, keyIdOf } from '../../../models/trust/keys.ts';
import { writtenRoot } from '../../../models/trust/root.ts';
import { Exit } from '../../errors.ts';
import { readDocumentFile, reading } from '../../trust/envelope-file.ts';
import { readPassphrase, readPrivateKeyFile, readPublicKeyFile } from '../../trust/key-files.ts';

export interface FingerprintOptions {
  readonly files: readonly string[];
  readonly 'passphrase-file'?: string | undefined;
  readonly json: boolean;
}

interface Fingerprint {
  readonly id: string;
  readonly file: string;
  readonly kind: 'private key' | 'public key' | 'root' | 'key in a root';
  readonly name: string | null;
}

export async function run(args: FingerprintOptions): Promise<number> {
  const found = args.files.flatMap((file) => fingerprints(file, args['passphrase-file']));
  process.stdout.write(
    args.json
      ? `${JSON.stringify({ fingerprints: found })}\n`
      : found.map((one) => `${fingerprint(one.id)}  ${words(one)}\n`).join(''),
  );
  return Exit.done;
}

const words = ({ file, kind, name }: Fingerprint): string =>
  [printable(file), kind, ...(name === null ? [] : [printable(name)])].join('  ');

function fingerprints(file: string, passphraseFile: string | undefined): Fingerprint[] {
  const text = readDocumentFile(file).toString('utf8');
  if (text.includes('PRIVATE KEY')) {
    const { key } = readPrivateKeyFile(file, readPassphrase(passphraseFile));
    return [{ id: keyIdOf(createPublicKey(key)), file, kind: 'private key', name: null }];
  }
  if (!text.startsWith('{')) {
    return [{ id: keyIdOf(readPublicKeyFile(file).key), file, kind: 'public key', name: null }];
  }
  return reading(file, () => {
    const sealed = openEnvelope(Buffer.from(text));
    const root = writtenRoot(sealed);
    return [
      { id: sealed.sha256, file, kind: 'root', name: `${root.fleet} ${root.version}` },
      ...Object.entries(root.keys).map(
        ([id, { name }]) => ({ id, file, kind: 'key in a root', name }) as const,
      ),
    ];
  });
}
