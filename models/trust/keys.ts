import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
} from 'node:crypto';

/** Ed25519 keys (RFC 8032): private ones as PKCS #8 (PEM, encrypted where a passphrase is given), public ones as SPKI. */

/** Hex SHA-256 of the key as SubjectPublicKeyInfo (DER): its id, and its fingerprint. */
export function keyIdOf(publicKey: KeyObject): string {
  return createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex');
}

/** Base64 of the 32 bytes, as a root document holds it. */
export function rawPublicKey(publicKey: KeyObject): string {
  const der = publicKey.export({ type: 'spki', format: 'der' });
  return der.subarray(der.length - 32).toString('base64');
}

/** For people to compare, in groups of eight. */
export const fingerprint = (keyId: string): string => (keyId.match(/.{8}/g) ?? [keyId]).join(' ');

export interface KeyFiles {
  readonly privatePem: string;
  readonly publicPem: string;
  readonly keyId: string;
}

export function generateKey(passphrase: string | null): KeyFiles {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const privatePem = privateKey.export({
    type: 'pkcs8',
    format: 'pem',
    ...(passphrase !== null && { cipher: 'aes-256-cbc', passphrase }),
  }) as string;
  return {
    privatePem,
    publicPem: publicKey.export({ type: 'spki', format: 'pem' }) as string,
    keyId: keyIdOf(publicKey),
  };
}

/** @throws Error in plain words: no key, another kind of key, or no passphrase for it */
export function readPrivateKey(pem: string, passphrase: string | null): KeyObject {
  const encrypted = pem.includes('ENCRYPTED PRIVATE KEY');
  if (encrypted && passphrase === null) throw new Error('the key is encrypted, and no passphrase is given');
  let key: KeyObject;
  try {
    key = createPrivateKey({ key: pem, format: 'pem', ...(passphrase !== null && { passphrase }) });
  } catch {
    throw new Error(
      encrypted ? 'the passphrase is wrong, or the file damaged' : 'expected a private key (PKCS #8, PEM)',
    );
  }
  return checkKind(key);
}

/** @throws Error in plain words */
export function readPublicKey(pem: string): KeyObject {
  if (pem.includes('PRIVATE KEY')) throw new Error('this is a private key; expected a public one (.pub)');
  try {
    return checkKind(createPublicKey({ key: pem, format: 'pem' }));
  } catch (error) {
    if (error instanceof Error && error.message.startsWith('expected')) throw error;
    throw new Error('expected a public key (SPKI, PEM)');
  }
}

function checkKind(key: KeyObject): KeyObject {
  if (key.asymmetricKeyType === 'ed25519') return key;
  throw new Error(`expected an Ed25519 key, this one is ${String(key.asymmetricKeyType)}`);
}
