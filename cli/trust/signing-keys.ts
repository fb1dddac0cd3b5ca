import { createPublicKey, type KeyObject } from 'node:crypto';
import { printable } from '../../agent/log.ts';
import type { RoleName, RootDocument } from '../../core/protocol/trust.ts';
import { keyIdOf } from '../../models/trust/keys.ts';
import { UserError } from '../errors.ts';
import { readPassphrase, readPrivateKeyFile } from './key-files.ts';

export interface SigningOptions {
  readonly key?: readonly string[] | undefined;
  readonly 'passphrase-file'?: string | undefined;
}

/**
 * The private keys that are named.
 * @param or another role whose keys will do as well
 * @throws UserError for one that the root does not let sign this
 */
export function signingKeys(
  options: SigningOptions,
  { roles, keys }: RootDocument,
  role: RoleName,
  or: RoleName = role,
): KeyObject[] {
  const passphrase = readPassphrase(options['passphrase-file']);
  const allowed = [...new Set([...roles[role].keys, ...roles[or].keys])];
  return (options.key ?? []).map((file) => {
    const { key } = readPrivateKeyFile(file, passphrase);
    const id = keyIdOf(createPublicKey(key));
    if (allowed.includes(id)) return key;
    const may = allowed.map((one) => `${keys[one]?.name} (${one.slice(0, 8)})`).join(', ');
    throw new UserError(
      `${printable(file)} (${id.slice(0, 8)}) may not sign ${KINDS[role] ?? `${role} commands`}: the root names ${may === '' ? 'nobody' : printable(may)}`,
    );
  });
}

const KINDS: Partial<Record<RoleName, string>> = {
  root: 'roots',
  release: 'releases',
  rollout: 'rollouts',
  renewal: 'renewals',
};
