import { describe, expect, test } from 'vitest';
import { canonicalJson } from '../../../core/protocol/canonical.ts';
import { payloadType, type RootDocument } from '../../../core/protocol/trust.ts';
import { keyIdOf, rawPublicKey } from '../../../models/trust/keys.ts';
import { pinnedRoot, rootFault, selfSignedRoot } from '../../../models/trust/root.ts';
import { Trust } from '../../../models/trust/trust.ts';
import { type Refusal, TrustError } from '../../../models/trust/trust-error.ts';
import {
  bytesOf,
  DAY_MS,
  digestOf,
  firstRoot,
  grant,
  iso,
  NOW_MS,
  nextRootDocument,
  publicOf,
  referenceTo,
  release,
  renewal,
  rollout,
  sealedText,
  signed,
  trusting,
} from '../../support/trust.ts';

const idOf = (name: string): string => keyIdOf(publicOf(name));
const FIRST = firstRoot();
const rooted = (document: RootDocument, ...names: string[]): Buffer => bytesOf(signed(document, ...names));

function refusal(work: () => unknown): Refusal | null {
  try {
    work();
    return null;
  } catch (error) {
    if (error instanceof TrustError) return error.refusal;
    throw error;
  }
}

function refused(trust: Trust, bytes: Buffer, expected: Refusal): void {
  const { state, rootSha256 } = trust;
  expect(refusal(() => trust.acceptRoot(bytes))).toBe(expected);
  expect(trust.state).toBe(state);
  expect(trust.rootSha256).toBe(rootSha256);
}

/** Root 2: root-c makes room for root-d, and its like. */
const rotated = (): RootDocument =>
  nextRootDocument(FIRST, {
    grants: [grant('root-d', 'root'), grant('root-e', 'root')],
    remove: [idOf('root-b'), idOf('root-c')],
  });

describe('the first root', () => {
  test('is trusted by its digest, never because it was there first', () => {
    const bytes = rooted(FIRST, 'root-a', 'root-c');
    expect(pinnedRoot(bytes, digestOf(bytes)).document).toEqual(FIRST);
    expect(refusal(() => pinnedRoot(bytes, '00'.repeat(32)))).toBe('otherRelease');
    const mine = rooted({ ...FIRST, revoked: ['00'.repeat(32)] }, 'root-a', 'root-c');
    expect(refusal(() => new Trust(mine, digestOf(bytes)))).toBe('otherRelease');
  });

  test('needs the signatures that it asks for, even where it is pinned', () => {
    for (const names of [[], ['root-a'], ['root-a', 'release-a'], ['mallory', 'eve']]) {
      const bytes = rooted(FIRST, ...names);
      expect(refusal(() => pinnedRoot(bytes, digestOf(bytes)))).toBe('tooFewSignatures');
      expect(refusal(() => selfSignedRoot(bytes))).toBe('tooFewSignatures');
    }
  });

  const key = (name: string) => ({ name, ed25519: rawPublicKey(publicOf(name)) });
  const { roles, keys } = FIRST;
  test.each<[string, Partial<RootDocument>]>([
    ['a key under another id', { keys: { ...keys, [idOf('root-a')]: key('mallory') } }],
    [
      'a key twice in a role',
      { roles: { ...roles, root: { threshold: 2, keys: [idOf('root-a'), idOf('root-a')] } } },
    ],
    ['a key that is not there', { roles: { ...roles, root: { threshold: 1, keys: ['00'.repeat(32)] } } }],
    ['more signatures than keys', { roles: { ...roles, release: { ...roles.release, threshold: 4 } } }],
    ['nobody who may sign the next one', { roles: { ...roles, root: { threshold: 1, keys: [] } } }],
  ])('%s: it is none, whoever signed', (_, changes) => {
    const document = { ...FIRST, ...changes };
    expect(rootFault(document)).not.toBeNull();
    expect(refusal(() => selfSignedRoot(rooted(document, 'root-a', 'root-b', 'root-c')))).toBe(
      'notADocument',
    );
  });

  test('a key under two ids: the second is none', () => {
    const two = { ...keys, ['ff'.repeat(32)]: key('root-a') };
    const root = { threshold: 2, keys: [idOf('root-a'), 'ff'.repeat(32)] };
    const document = { ...FIRST, keys: two, roles: { ...roles, root } };
    expect(refusal(() => selfSignedRoot(rooted(document, 'root-a')))).toBe('notADocument');
  });

  test.each([0, -1, 9, 65, 1e9, 2 ** 53, 1.5])('a threshold of %s is none', (threshold) => {
    const document = { ...FIRST, roles: { ...roles, release: { ...roles.release, threshold } } };
    const bytes = sealedText(canonicalJson(document), payloadType('root'), 'root-a', 'root-b');
    expect(refusal(() => selfSignedRoot(bytes))).toBe('notADocument');
  });

  test('8 old and 8 new keys fit into one envelope', () => {
    const names = Array.from({ length: 8 }, (_, i) => `old-${i}`);
    const others = Array.from({ length: 8 }, (_, i) => `new-${i}`);
    const eight = firstRoot({ grants: names.map((name) => grant(name, 'root')), thresholds: { root: 8 } });
    const bytes = rooted(eight, ...names);
    const trust = new Trust(bytes, digestOf(bytes));
    const next = nextRootDocument(eight, {
      grants: others.map((name) => grant(name, 'root')),
      remove: names.map(idOf),
    });
    expect(trust.acceptRoot(rooted(next, ...names, ...others))).toBe(true);
  });
});

describe('the next root', () => {
  test('needs old and new keys', () => {
    const trust = trusting();
    expect(trust.acceptRoot(rooted(rotated(), 'root-a', 'root-b', 'root-d'))).toBe(true);
    expect(trust.root.version).toBe(2);
    expect(trust.acceptRoot(rooted(rotated(), 'root-a', 'root-b', 'root-d'))).toBe(false);
  });

  test('signed by the old ones only, or by the new ones only', () => {
    refused(trusting(), rooted(rotated(), 'root-b', 'root-c'), 'tooFewSignatures');
    refused(trusting(), rooted(rotated(), 'root-a', 'root-b'), 'tooFewSignatures');
    refused(trusting(), rooted(rotated(), 'root-d', 'root-e'), 'tooFewSignatures');
    refused(trusting(), rooted(rotated(), 'root-a', 'root-d', 'root-e'), 'tooFewSignatures');
  });

  test('that lowers the threshold by itself: the old one counts', () => {
    const alone = nextRootDocument(FIRST, { thresholds: { root: 1 } });
    refused(trusting(), rooted(alone, 'root-a'), 'tooFewSignatures');
    expect(trusting().acceptRoot(rooted(alone, 'root-a', 'root-b'))).toBe(true);
  });

  test('that raises the threshold: the new one counts, too', () => {
    const three = nextRootDocument(FIRST, { thresholds: { root: 3 } });
    refused(trusting(), rooted(three, 'root-a', 'root-b'), 'tooFewSignatures');
  });

  test('that skips a version, is the same in number, older, or of another fleet', () => {
    const two = nextRootDocument(FIRST);
    const names = ['root-a', 'root-b'] as const;
    refused(trusting(), rooted({ ...two, version: 3 }, ...names), 'notNext');
    refused(trusting(), rooted({ ...two, version: 1 }, ...names), 'sameVersionOtherDigest');
    refused(trusting(), rooted({ ...two, fleet: 'other' }, ...names), 'otherFleet');
    const trust = trusting();
    trust.acceptRoot(rooted(two, ...names));
    refused(trust, rooted(FIRST, ...names), 'older');
  });

  test('one that has expired may be passed through; under it nothing new is taken', () => {
    const expired = nextRootDocument(FIRST, { issuedMs: NOW_MS - 9 * DAY_MS, lifeMs: DAY_MS });
    const trust = trusting();
    expect(trust.acceptRoot(rooted(expired, 'root-a', 'root-b'))).toBe(true);
    expect(refusal(() => trust.acceptRollout(rollout(), 'web', NOW_MS))).toBe('rootExpired');
    expect(trust.acceptRoot(rooted(nextRootDocument(expired), 'root-b', 'root-c'))).toBe(true);
    expect(trust.acceptRollout(rollout(), 'web', NOW_MS).isNew).toBe(true);
  });

  test('a revoked artifact stays refused', () => {
    const trust = trusting();
    const bytes = release();
    trust.acceptRelease(bytes, 'web', referenceTo(bytes), NOW_MS);
    trust.acceptRoot(rooted(nextRootDocument(FIRST, { revoke: ['ab'.repeat(32)] }), 'root-a', 'root-b'));
    expect(refusal(() => trust.acceptRelease(bytes, 'web', referenceTo(bytes), NOW_MS))).toBe('revoked');
    expect(refusal(() => trust.requireAllowed('ab'.repeat(32)))).toBe('revoked');
  });
});

describe('a key that was stolen, and taken away', () => {
  const stolen = { version: 999_999_999, issuedAt: iso(30_000), expiresAt: iso(30_006) };
  const without = (...names: string[]): Buffer =>
    rooted(
      nextRootDocument(FIRST, {
        grants: [grant('rollout-c', 'rollout'), grant('rollout-d', 'rollout'), grant('renewal-b', 'renewal')],
        remove: names.map(idOf),
      }),
      'root-a',
      'root-b',
    );

  test('takes the time and the versions with it that it dated ahead', () => {
    const trust = trusting();
    trust.acceptRollout(rollout(stolen), 'web', NOW_MS);
    expect(refusal(() => trust.acceptRollout(rollout({ version: 6 }), 'web', NOW_MS))).toBe('rootExpired');
    trust.acceptRoot(without('rollout-a', 'rollout-b'));
    expect(trust.rollout('web')).toBeNull();
    expect(trust.acceptRollout(rollout({ version: 6 }, 'rollout-c', 'rollout-d'), 'web', NOW_MS).isNew).toBe(
      true,
    );
  });

  test('also where an honest renewal key has renewed what it said', () => {
    const trust = trusting();
    trust.acceptRollout(rollout(), 'web', NOW_MS);
    trust.acceptRollout(renewal({ version: 6 }), 'web', NOW_MS);
    trust.acceptRoot(without('rollout-a'));
    expect(trust.rollout('web')).toBeNull();
  });

  test('a renewal key takes its renewals with it', () => {
    const trust = trusting();
    trust.acceptRollout(rollout(), 'web', NOW_MS);
    trust.acceptRollout(renewal({ version: 1005 }), 'web', NOW_MS);
    trust.acceptRoot(without('renewal-a'));
    expect(trust.rollout('web')).toBeNull();
  });

  test('rollouts that others vouch for stay', () => {
    const trust = trusting();
    trust.acceptRollout(rollout(), 'web', NOW_MS);
    trust.acceptRoot(without('renewal-a', 'command-a'));
    expect(trust.rollout('web')?.document.version).toBe(5);
    expect(refusal(() => trust.acceptRollout(rollout({ version: 4 }), 'web', NOW_MS))).toBe('older');
  });
});

describe('an installation with a newer root', () => {
  const two = rooted(rotated(), 'root-a', 'root-b', 'root-d');
  const one = rooted(FIRST, 'root-a', 'root-b');

  test('wins over what was kept, and what was kept wins over an older one', () => {
    const kept = trusting();
    kept.acceptRoot(two);
    expect(new Trust(one, digestOf(one), kept.state).root.version).toBe(2);
    const three = rooted(nextRootDocument(rotated()), 'root-a', 'root-d');
    const upgraded = new Trust(three, digestOf(three), kept.state);
    expect(upgraded.root.version).toBe(3);
    expect(upgraded.state.root).toBeNull();
  });

  test('a kept root that is damaged is an error, not a way to another root', () => {
    const kept = trusting();
    kept.acceptRoot(two);
    const state = { ...kept.state, root: rooted(rotated(), 'mallory').toString() };
    expect(refusal(() => new Trust(one, digestOf(one), state))).toBe('tooFewSignatures');
  });
});
