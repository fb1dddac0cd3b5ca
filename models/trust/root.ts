import { ROLES, type RootDocument } from '../../core/protocol/trust.ts';
import {
  documentOf,
  openEnvelope,
  publicKeyOf,
  requireSignatures,
  requireType,
  type Sealed,
} from './envelope.ts';
import { keyIdOf } from './keys.ts';
import { TrustError } from './trust-error.ts';

/** What can't be in a root, however many have signed it: a key that is none, a role that nobody could fill; or null. */
export function rootFault(root: RootDocument): string | null {
  for (const [keyId, { name, ed25519 }] of Object.entries(root.keys)) {
    let id: string;
    try {
      id = keyIdOf(publicKeyOf(ed25519));
    } catch {
      return `the key of ${name} is none`;
    }
    if (id !== keyId) return `the key of ${name} has another id than it says`;
  }
  for (const name of ROLES) {
    const { threshold, keys } = root.roles[name];
    if (new Set(keys).size !== keys.length) return `the role ${name} names a key twice`;
    const unknown = keys.find((key) => !Object.hasOwn(root.keys, key));
    if (unknown !== undefined) return `the role ${name} names a key that isn't there: ${unknown}`;
    // Roles that nobody holds are empty: their documents are never accepted.
    if (keys.length > 0 && threshold > keys.length) {
      return `the role ${name} asks for ${threshold} of ${keys.length} keys`;
    }
  }
  return root.roles.root.keys.length === 0 ? 'nobody may sign the next root' : null;
}

/** A root as it is written, whoever signed it. @throws TrustError */
export function writtenRoot(sealed: Sealed): RootDocument {
  requireType(sealed, 'root');
  const root = documentOf(sealed, 'root');
  const fault = rootFault(root);
  if (fault !== null) throw new TrustError('notADocument', `no root document: ${fault}`);
  return root;
}

/** Its own keys vouch for it, so it has to be read first. @throws TrustError */
function checkedRoot(sealed: Sealed): RootDocument {
  const root = writtenRoot(sealed);
  requireSignatures(sealed, 'root', root.roles.root, root.keys);
  return root;
}

export interface TrustedRoot {
  readonly document: RootDocument;
  readonly sha256: string;
}

/**
 * The root that came with the installation.
 * @param pin hex SHA-256 of its payload: a root is never trusted because it was the first
 * @throws TrustError
 */
export function pinnedRoot(bytes: Uint8Array, pin: string): TrustedRoot {
  const sealed = openEnvelope(bytes);
  if (sealed.sha256 !== pin) {
    throw new TrustError(
      'otherRelease',
      `the root's digest is ${sealed.sha256}, the installation says ${pin}`,
    );
  }
  return { document: checkedRoot(sealed), sha256: sealed.sha256 };
}

/** A root as it is: its own signatures count, nothing else vouches for it. @throws TrustError */
export function selfSignedRoot(bytes: Uint8Array): TrustedRoot {
  const sealed = openEnvelope(bytes);
  return { document: checkedRoot(sealed), sha256: sealed.sha256 };
}

/**
 * The root after `before`: next in number, signed by as many of the old keys and of its own as each asks for
 * (TUF 5.3). One that has expired may be passed through; only the last one has to be valid.
 * @returns null for `before` itself
 * @throws TrustError
 */
export function nextRoot(before: TrustedRoot, bytes: Uint8Array): TrustedRoot | null {
  const sealed = openEnvelope(bytes);
  requireType(sealed, 'root');
  const { document: old } = before;
  requireSignatures(sealed, 'root', old.roles.root, old.keys);
  const document = checkedRoot(sealed);
  if (document.fleet !== old.fleet) {
    throw new TrustError('otherFleet', `the root of fleet ${document.fleet}, this is ${old.fleet}`);
  }
  if (document.version === old.version) {
    if (sealed.sha256 === before.sha256) return null;
    throw new TrustError('sameVersionOtherDigest', `another root of version ${document.version} is trusted`);
  }
  if (document.version < old.version) {
    throw new TrustError('older', `root ${document.version}; version ${old.version} is trusted`);
  }
  if (document.version !== old.version + 1) {
    throw new TrustError(
      'notNext',
      `root ${document.version}; after ${old.version} comes ${old.version + 1}`,
    );
  }
  return { document, sha256: sealed.sha256 };
}
