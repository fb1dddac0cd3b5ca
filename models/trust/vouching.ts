import { canonicalJson } from '../../core/protocol/canonical.ts';
import { ROLES, type RolloutDocument, type RootDocument } from '../../core/protocol/trust.ts';
import { openEnvelope, type Sealed, signers } from './envelope.ts';
import type { TrustState } from './trust.ts';
import { TrustError } from './trust-error.ts';

/** Versions that one renewal may skip: a stolen renewal key shall not use up all numbers. */
const MOST_SKIPPED = 1000;

/** Who vouches for a rollout: those who may change it, or only those who may renew it; null: too few of either. */
export function vouchedBy(sealed: Sealed, { roles, keys }: RootDocument): 'rollout' | 'renewal' | null {
  const enough = (name: 'rollout' | 'renewal'): boolean =>
    signers(sealed, roles[name], keys).size >= roles[name].threshold;
  if (enough('rollout')) return 'rollout';
  return enough('renewal') ? 'renewal' : null;
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
    const by = vouchedBy(openEnvelope(Buffer.from(envelope)), next);
    // A renewal vouches for what a rollout key said: one that has gone may have said it.
    return by === 'rollout' || (by === 'renewal' && !lost.includes('rollout'));
  });
  return { ...state, timeFloorMs: Date.parse(next.issuedAt), rollouts: Object.fromEntries(rollouts) };
}

/**
 * The same content under later dates, and valid no longer at a time than what it renews.
 * @param before what was accepted last; null: nothing was
 * @throws TrustError
 */
export function requireRenewal(document: RolloutDocument, before: RolloutDocument | null): void {
  const content = ({ version: _, issuedAt: __, expiresAt: ___, ...rest }: RolloutDocument): string =>
    canonicalJson(rest);
  const lifeMs = (of: RolloutDocument): number => Date.parse(of.expiresAt) - Date.parse(of.issuedAt);
  const refuse = (why: string): TrustError => new TrustError('renewalChanged', why);
  if (before === null) throw refuse('a renewal of a rollout that was never seen');
  if (content(before) !== content(document)) {
    throw refuse('a renewal may change nothing but the dates of the rollout before');
  }
  if (lifeMs(document) > lifeMs(before)) throw refuse('a renewal that is valid longer than what it renews');
  if (document.version > before.version + MOST_SKIPPED) {
    throw refuse(`a renewal that skips ${document.version - before.version} versions`);
  }
}
