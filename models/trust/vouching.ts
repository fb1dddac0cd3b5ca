import {
  type RenewedRollout,
  ROLES,
  type RolloutDocument,
  type RootDocument,
} from '../../core/protocol/trust.ts';
import {
  documentOf,
  envelopeText,
  openEnvelope,
  requireSignatures,
  requireType,
  type Sealed,
  seal,
  signers,
} from './envelope.ts';
import type { TrustState } from './trust.ts';
import { TrustError } from './trust-error.ts';

/** Versions that renewals of one document may use up: a stolen renewal key shall not use up all numbers. */
const MOST_SKIPPED = 1000;

/**
 * A rollout, and who vouches for it: those who may change it, or those who may renew what such a one has signed.
 * @throws TrustError
 */
export function vouchedRollout(
  sealed: Sealed,
  { roles, keys }: RootDocument,
): { readonly document: RolloutDocument; readonly by: 'rollout' | 'renewal' } {
  requireType(sealed, 'rollout');
  const enough = (name: 'rollout' | 'renewal', one = sealed): boolean =>
    roles[name].keys.length > 0 && signers(one, roles[name], keys).size >= roles[name].threshold;
  if (enough('rollout')) return { document: documentOf(sealed, 'rollout'), by: 'rollout' };
  if (!enough('renewal')) requireSignatures(sealed, 'rollout', roles.rollout, keys);
  const document = documentOf(sealed, 'rollout');
  const original = renewedBy(document);
  if (!enough('rollout', original)) {
    throw new TrustError(
      'renewalChanged',
      'a renewal may change nothing but the dates of what a rollout key has signed',
    );
  }
  return { document, by: 'renewal' };
}

/** The document as a rollout key has signed it. @throws TrustError where a renewal names none, or stretches it */
function renewedBy(document: RolloutDocument): Sealed {
  const { renews } = document;
  const refuse = (why: string): TrustError => new TrustError('renewalChanged', why);
  if (renews === null) throw refuse('a renewal that does not say what it renews');
  const { signatures, ...dates } = renews;
  const lifeMs = (of: { issuedAt: string; expiresAt: string }): number =>
    Date.parse(of.expiresAt) - Date.parse(of.issuedAt);
  if (lifeMs(document) > lifeMs(dates)) throw refuse('a renewal that is valid longer than what it renews');
  if (document.version > dates.version + MOST_SKIPPED) {
    throw refuse(`a renewal that skips ${document.version - dates.version} versions`);
  }
  const envelope = seal<'rollout'>({ ...document, ...dates, renews: null });
  return openEnvelope(Buffer.from(envelopeText({ ...envelope, signatures })));
}

/**
 * A renewal may bring no host back to what a rollout key has replaced since.
 * @param before what was accepted last
 * @throws TrustError
 */
export function requireNotReplaced(sealed: Sealed, document: RolloutDocument, before: Sealed | null): void {
  if (before === null) return;
  const old = documentOf(before, 'rollout');
  const [own, last] = [originOf(sealed, document), originOf(before, old)];
  if (own.version > last.version || (own.version === last.version && own.sha256 === last.sha256)) return;
  throw new TrustError(
    'renewalChanged',
    `a renewal of rollout ${own.version}; ${last.version} was seen since`,
  );
}

/** The document that a rollout key has signed: itself, or what it renews. */
function originOf(
  sealed: Sealed,
  document: RolloutDocument,
): { readonly version: number; readonly sha256: string } {
  if (document.renews === null) return { version: document.version, sha256: sealed.sha256 };
  return { version: document.renews.version, sha256: renewedBy(document).sha256 };
}

/** What a renewal of this document has to carry along. */
export function renewalOf({ envelope }: Sealed, document: RolloutDocument): RenewedRollout {
  const { version, issuedAt, expiresAt } = document;
  return document.renews ?? { version, issuedAt, expiresAt, signatures: envelope.signatures };
}

/**
 * What is still believed under another root (TUF 5.3.11, recovery from fast-forward): where keys lost a role, the time
 * that they may have dated ahead is forgotten, and so are rollouts that nobody vouches for any more, with their
 * versions; otherwise nothing is.
 */
export function afterRoot(state: TrustState, before: RootDocument, next: RootDocument): TrustState {
  const lost = ROLES.filter((name) =>
    before.roles[name].keys.some((key) => !next.roles[name].keys.includes(key)),
  );
  if (lost.length === 0) {
    return { ...state, timeFloorMs: Math.max(state.timeFloorMs, Date.parse(next.issuedAt)) };
  }
  const rollouts = Object.entries(state.rollouts).filter(([, { envelope }]) => {
    try {
      vouchedRollout(openEnvelope(Buffer.from(envelope)), next);
      return true;
    } catch (error) {
      if (error instanceof TrustError) return false;
      throw error;
    }
  });
  return { ...state, timeFloorMs: Date.parse(next.issuedAt), rollouts: Object.fromEntries(rollouts) };
}
