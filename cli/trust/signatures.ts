import type { Role, RootDocument } from '../../core/protocol/trust.ts';
import { type Sealed, signers } from '../../models/trust/envelope.ts';

interface Signer {
  readonly id: string;
  readonly name: string;
}

/** Whose signatures a document has, of those who may give one. */
export interface SignatureCount {
  readonly threshold: number;
  readonly signed: readonly Signer[];
  /** Who may still sign. */
  readonly missing: readonly Signer[];
  readonly complete: boolean;
}

export function countSignatures(sealed: Sealed, role: Role, keys: RootDocument['keys']): SignatureCount {
  const found = signers(sealed, role, keys);
  const all = role.keys.map((id) => ({ id, name: keys[id]?.name ?? '' }));
  return {
    threshold: role.threshold,
    signed: all.filter(({ id }) => found.has(id)),
    missing: all.filter(({ id }) => !found.has(id)),
    complete: found.size >= role.threshold,
  };
}

/** `laptop (1a2b3c4d), safe (5e6f7a8b)`. */
export const signerNames = (some: readonly Signer[]): string =>
  some.map(({ id, name }) => `${name} (${id.slice(0, 8)})`).join(', ');

/** `1 of 2: laptop (1a2b3c4d); 1 more of: safe (5e6f7a8b)`. */
export function signatureWords({ threshold, signed, missing, complete }: SignatureCount): string {
  const there = `${signed.length} of ${threshold}${signed.length === 0 ? '' : `: ${signerNames(signed)}`}`;
  if (complete) return there;
  if (missing.length + signed.length < threshold) return `${there}; nobody may give them`;
  return `${there}; ${threshold - signed.length} more of: ${signerNames(missing)}`;
}
