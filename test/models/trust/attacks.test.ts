import { describe, expect, test } from 'vitest';
import { canonicalJson } from '../../../core/protocol/canonical.ts';
import {
  MAX_ENVELOPE_BYTES,
  MAX_PAYLOAD_BYTES,
  payloadType,
  type ReleaseDocument,
} from '../../../core/protocol/trust.ts';
import type { Envelope } from '../../../models/trust/envelope.ts';
import { keyIdOf } from '../../../models/trust/keys.ts';
import { NO_TRUST, Trust } from '../../../models/trust/trust.ts';
import { type Refusal, TrustError } from '../../../models/trust/trust-error.ts';
import {
  bytesOf,
  commandDocumentOf,
  commandOf,
  DAY_MS,
  digestOf,
  firstRoot,
  iso,
  NOW_MS,
  nextRootDocument,
  publicOf,
  referenceTo,
  release,
  releaseDocumentOf,
  renewal,
  rollout,
  rolloutDocumentOf,
  sealedText,
  signed,
  trusting,
} from '../../support/trust.ts';

/** Nothing that was refused changes what is believed. */
function refused(trust: Trust, work: (trust: Trust) => unknown, refusal: Refusal): void {
  const { state, rootSha256 } = trust;
  const before = JSON.stringify(state);
  let found: unknown = null;
  try {
    work(trust);
  } catch (error) {
    found = error;
  }
  expect(found).toBeInstanceOf(TrustError);
  expect((found as TrustError).refusal).toBe(refusal);
  expect(trust.state).toBe(state);
  expect(JSON.stringify(trust.state)).toBe(before);
  expect(trust.rootSha256).toBe(rootSha256);
}

const takeRollout =
  (bytes: Buffer, clockMs = NOW_MS) =>
  (trust: Trust) =>
    trust.acceptRollout(bytes, 'web', clockMs);
const takeRelease =
  (bytes: Buffer, wanted = referenceTo(bytes), clockMs = NOW_MS) =>
  (trust: Trust) =>
    trust.acceptRelease(bytes, 'web', wanted, clockMs);
const HOST = { site: 'lab', hostId: 'host-1', name: 'snooze' };
const takeCommand =
  (bytes: Buffer, to = HOST, clockMs = NOW_MS) =>
  (trust: Trust) =>
    trust.acceptCommand(bytes, to, clockMs);

const withSignatures = (bytes: Buffer, change: (signatures: Envelope['signatures']) => unknown): Buffer => {
  const envelope = JSON.parse(bytes.toString()) as Envelope;
  return Buffer.from(canonicalJson({ ...envelope, signatures: change(envelope.signatures) }));
};

test('what is in order is taken, and taken again changes nothing', () => {
  const trust = trusting();
  const first = rollout();
  expect(trust.acceptRollout(first, 'web', NOW_MS)).toMatchObject({
    isNew: true,
    document: rolloutDocumentOf(),
  });
  const { state } = trust;
  expect(trust.acceptRollout(first, 'web', NOW_MS)).toMatchObject({ isNew: false });
  expect(trust.state).toBe(state);
  const bytes = release();
  expect(trust.acceptRelease(bytes, 'web', referenceTo(bytes), NOW_MS)).toMatchObject({ isNew: true });
  expect(trust.acceptRelease(bytes, 'web', referenceTo(bytes), NOW_MS)).toMatchObject({ isNew: false });
  expect(trust.acceptCommand(commandOf(), HOST, NOW_MS)).toEqual(commandDocumentOf());
  expect(trust.rollout('web')?.document).toEqual(rolloutDocumentOf());
});

describe('signatures', () => {
  test('unsigned', () => {
    refused(trusting(), takeRollout(withSignatures(rollout(), () => [])), 'tooFewSignatures');
    refused(trusting(), takeCommand(withSignatures(commandOf(), () => [])), 'tooFewSignatures');
  });

  test('forged: the right key ids over other bytes', () => {
    const genuine = JSON.parse(rollout().toString()) as Envelope;
    const other = JSON.parse(rollout({ state: 'aborted', version: 6 }).toString()) as Envelope;
    const forged = { ...other, signatures: genuine.signatures };
    refused(trusting(), takeRollout(bytesOf(forged)), 'tooFewSignatures');
  });

  test('of a key that nobody knows', () => {
    refused(trusting(), takeRollout(rollout({}, 'mallory', 'eve')), 'tooFewSignatures');
  });

  test('of known keys in another role: a release key on a rollout, a rollout key on a release', () => {
    refused(trusting(), takeRollout(rollout({}, 'release-a', 'release-b')), 'tooFewSignatures');
    refused(trusting(), takeRelease(release({}, 'rollout-a', 'rollout-b')), 'tooFewSignatures');
    refused(trusting(), takeRelease(release({}, 'root-a', 'root-b')), 'tooFewSignatures');
    refused(trusting(), takeCommand(commandOf({}, 'rollout-a', 'rollout-b')), 'tooFewSignatures');
  });

  test('one of two', () => {
    refused(trusting(), takeRollout(rollout({}, 'rollout-a')), 'tooFewSignatures');
    refused(trusting(), takeRollout(rollout({}, 'rollout-a', 'mallory')), 'tooFewSignatures');
  });

  test('one key twice, under its id', () => {
    const twice = withSignatures(rollout({}, 'rollout-a'), (signatures) => [...signatures, ...signatures]);
    refused(trusting(), takeRollout(twice), 'tooFewSignatures');
  });

  test('one key twice, the second time under the id of another', () => {
    const keyid = keyIdOf(publicOf('rollout-b'));
    const twice = withSignatures(rollout({}, 'rollout-a'), ([one]) => [one, { ...one, keyid }]);
    refused(trusting(), takeRollout(twice), 'tooFewSignatures');
  });

  test('a genuine signature counts behind any number of broken ones of its key', () => {
    const trust = trusting();
    const mixed = withSignatures(rollout(), ([a, b]) => [
      { keyid: a?.keyid, sig: `${'A'.repeat(86)}==` },
      a,
      { keyid: b?.keyid, sig: a?.sig },
      b,
    ]);
    expect(trust.acceptRollout(mixed, 'web', NOW_MS).isNew).toBe(true);
  });

  test('more than 16', () => {
    const many = withSignatures(rollout(), ([one]) => Array.from({ length: 17 }, () => one));
    refused(trusting(), takeRollout(many), 'notAnEnvelope');
  });

  test('of an expired root', () => {
    const late = NOW_MS + 356 * DAY_MS;
    const fresh = { issuedAt: iso(355), expiresAt: iso(362) };
    refused(trusting(), takeRollout(rollout(fresh), late), 'rootExpired');
    refused(trusting(), takeRelease(release(fresh), undefined, late), 'rootExpired');
    refused(trusting(), takeCommand(commandOf(fresh), HOST, late), 'rootExpired');
  });

  test('for a role that the root gives to nobody', () => {
    const trust = trusting(firstRoot({ thresholds: { root: 2 }, grants: firstGrants('root') }));
    refused(trust, takeRollout(rollout()), 'tooFewSignatures');
    refused(trust, takeRelease(release()), 'tooFewSignatures');
    refused(trust, takeCommand(commandOf()), 'tooFewSignatures');
    // Renewals by nobody: no signature is not enough for none.
    refused(trust, takeRollout(withSignatures(rollout(), () => [])), 'tooFewSignatures');
  });
});

const firstGrants = (role: 'root') =>
  ['root-a', 'root-b', 'root-c'].map((name) => ({ name, key: publicOf(name), roles: [role] as const }));

describe('versions', () => {
  const at5 = (): Trust => {
    const trust = trusting();
    trust.acceptRollout(rollout(), 'web', NOW_MS);
    return trust;
  };

  test('an older rollout', () => {
    refused(at5(), takeRollout(rollout({ version: 4 })), 'older');
  });

  test('the same version with another digest', () => {
    refused(
      at5(),
      takeRollout(rollout({ cohort: { seed: 'web-5', fraction: 1 } })),
      'sameVersionOtherDigest',
    );
  });

  test('an older rollout after a restart', () => {
    const bytes = bytesOf(signed(firstRoot(), 'root-a', 'root-b'));
    const again = new Trust(bytes, digestOf(bytes), JSON.parse(JSON.stringify(at5().state)));
    refused(again, takeRollout(rollout({ version: 4 })), 'older');
  });

  test('a release that is another than the rollout names', () => {
    const [wanted, other] = [release(), release({ minimumAgent: '0.0.1' })];
    refused(trusting(), takeRelease(other, referenceTo(wanted)), 'otherRelease');
    refused(
      trusting(),
      takeRelease(wanted, { ...referenceTo(wanted), artifactSha256: '00'.repeat(32) }),
      'otherRelease',
    );
  });

  test('a second release of a version, even where a rollout names it', () => {
    const trust = trusting();
    takeRelease(release())(trust);
    refused(trust, takeRelease(release({ minimumAgent: '0.0.1' })), 'sameVersionOtherDigest');
  });

  test('another version of the release, or of another model', () => {
    const bytes = release();
    refused(trusting(), takeRelease(bytes, { ...referenceTo(bytes), version: 2 }), 'otherModel');
    refused(
      trusting(),
      (trust) => trust.acceptRelease(bytes, 'db', referenceTo(bytes), NOW_MS),
      'otherModel',
    );
    refused(trusting(), (trust) => trust.acceptRollout(rollout(), 'db', NOW_MS), 'otherModel');
  });

  test('chunks that do not make up the artifact', () => {
    const { artifact } = releaseDocumentOf();
    for (const chunks of [artifact.chunks.slice(1), [...artifact.chunks, ...artifact.chunks]]) {
      refused(trusting(), takeRelease(release({ artifact: { ...artifact, chunks } })), 'notADocument');
    }
  });

  test('revoked, and quarantined', () => {
    const trust = trusting(firstRoot({ revoke: ['ab'.repeat(32)] }));
    refused(trust, takeRelease(release()), 'revoked');
    const host = trusting();
    host.quarantine('ab'.repeat(32));
    refused(host, takeRelease(release()), 'quarantined');
  });
});

describe('time', () => {
  test('expired', () => {
    refused(trusting(), takeRollout(rollout(), NOW_MS + 6.5 * DAY_MS), 'expired');
    refused(trusting(), takeRelease(release(), undefined, NOW_MS + 179 * DAY_MS), 'expired');
    refused(trusting(), takeCommand(commandOf(), HOST, NOW_MS + 3_600_000), 'expired');
  });

  test('a clock set back revives nothing', () => {
    const trust = trusting();
    trust.acceptRollout(
      rollout({ version: 8, issuedAt: iso(19), expiresAt: iso(26) }),
      'web',
      NOW_MS + 20 * DAY_MS,
    );
    refused(trust, takeRollout(rollout({ version: 9 }), NOW_MS), 'expired');
    refused(trust, takeCommand(commandOf(), HOST, NOW_MS), 'expired');
  });

  test('a host without a clock learns the time from what was signed', () => {
    const trust = trusting();
    trust.acceptRollout(rollout({ version: 8, issuedAt: iso(19), expiresAt: iso(26) }), 'web', 0);
    refused(trust, takeRollout(rollout({ version: 9 }), 0), 'expired');
  });

  test('neither a renewal nor a command dated ahead makes everything else expire', () => {
    const trust = trusting();
    trust.acceptRollout(rollout(), 'web', NOW_MS);
    const ahead = { issuedAt: iso(30_000), expiresAt: iso(30_006) };
    trust.acceptRollout(renewal({ version: 6, ...ahead }), 'web', NOW_MS);
    trust.acceptCommand(commandOf({ issuedAt: iso(1 / 25), expiresAt: iso(1 / 24) }), HOST, NOW_MS);
    expect(trust.now(NOW_MS)).toBe(NOW_MS);
    expect(trust.acceptRollout(rollout({ version: 7 }), 'web', NOW_MS).isNew).toBe(true);
  });

  test('a clock set back before a root that takes no key away lowers no floor', () => {
    const trust = trusting();
    trust.acceptRollout(
      rollout({ version: 8, issuedAt: iso(19), expiresAt: iso(26) }),
      'web',
      NOW_MS + 20 * DAY_MS,
    );
    trust.acceptRoot(bytesOf(signed(nextRootDocument(trust.root, { issuedMs: NOW_MS }), 'root-a', 'root-b')));
    refused(trust, takeRollout(rollout({ version: 9 }), NOW_MS), 'expired');
  });
});

describe('what a document is for', () => {
  test('one kind read as another: the type is part of what is signed', () => {
    const document = canonicalJson(releaseDocumentOf());
    const names = ['rollout-a', 'rollout-b', 'release-a', 'release-b'];
    refused(trusting(), takeRollout(sealedText(document, payloadType('release'), ...names)), 'wrongType');
    refused(trusting(), takeRollout(sealedText(document, payloadType('rollout'), ...names)), 'notADocument');
    refused(trusting(), takeCommand(rollout()), 'wrongType');
    refused(trusting(), (trust) => trust.acceptRoot(release()), 'wrongType');
    const relabelled = {
      ...(JSON.parse(release().toString()) as Envelope),
      payloadType: payloadType('rollout'),
    };
    refused(trusting(), takeRollout(bytesOf(relabelled)), 'tooFewSignatures');
    refused(trusting(), takeRollout(sealedText(document, 'application/json', ...names)), 'wrongType');
  });

  test("another fleet's, signed by the same keys", () => {
    refused(trusting(), takeRollout(rollout({ fleet: 'other' })), 'otherFleet');
    refused(trusting(), takeRelease(release({ fleet: 'other' })), 'otherFleet');
    refused(trusting(), takeCommand(commandOf({ fleet: 'other' })), 'otherFleet');
  });

  test('names that only look alike are others', () => {
    // Cyrillic а in acme; a name that is written in another normal form would not even pass the schema.
    const confusable = canonicalJson({ ...rolloutDocumentOf(), fleet: '\u0430cme' });
    refused(
      trusting(),
      takeRollout(sealedText(confusable, payloadType('rollout'), 'rollout-a', 'rollout-b')),
      'notADocument',
    );
    const label = rollout({ select: { sites: ['zürich'.normalize('NFD')], labels: {}, ids: null } });
    const { document } = trusting().acceptRollout(label, 'web', NOW_MS);
    expect(document.select.sites).toEqual(['zu\u0308rich']);
  });
});

describe('renewal', () => {
  const renewed = (changes: Parameters<typeof rollout>[0] = {}): Buffer =>
    renewal({ version: 6, issuedAt: iso(3), expiresAt: iso(9), ...changes });
  const seen = (): Trust => {
    const trust = trusting();
    trust.acceptRollout(rollout(), 'web', NOW_MS);
    return trust;
  };

  test('later dates are taken', () => {
    expect(seen().acceptRollout(renewed(), 'web', NOW_MS).isNew).toBe(true);
    expect(seen().acceptRollout(renewed({ version: 900 }), 'web', NOW_MS).isNew).toBe(true);
  });

  test.each<[string, Parameters<typeof rollout>[0]]>([
    ['state', { state: 'aborted' }],
    ['fraction', { cohort: { seed: 'web-5', fraction: 1 } }],
    ['release', { release: { version: 4, sha256: 'aa'.repeat(32), artifactSha256: 'bb'.repeat(32) } }],
    ['gate', { gate: { shadowRows: 0, probationMs: 0, watchdogMs: 0, timeoutMs: 0 } }],
    ['selector', { select: { sites: null, labels: {}, ids: null } }],
    ['a longer life', { expiresAt: iso(300) }],
    ['a number far ahead', { version: 999_999_999 }],
  ])('with another %s is refused', (_, changes) => {
    refused(seen(), takeRollout(renewed(changes)), 'renewalChanged');
  });

  test('of what this host never saw is as good: it carries what a rollout key has signed', () => {
    expect(trusting().acceptRollout(renewed(), 'web', NOW_MS).isNew).toBe(true);
  });

  test('that carries nothing, or what no rollout key has signed, is refused', () => {
    refused(seen(), takeRollout(renewed({ renews: null })), 'renewalChanged');
    const { version, issuedAt, expiresAt } = rolloutDocumentOf();
    const forged = { version, issuedAt, expiresAt, signatures: [] };
    refused(seen(), takeRollout(renewed({ renews: forged })), 'renewalChanged');
  });

  test('of what a rollout key has replaced since is refused', () => {
    const trust = seen();
    trust.acceptRollout(rollout({ version: 6, state: 'aborted' }), 'web', NOW_MS);
    refused(trust, takeRollout(renewed({ version: 20 })), 'renewalChanged');
  });

  test('of another document of the same version is refused', () => {
    const trust = trusting();
    trust.acceptRollout(rollout({ state: 'paused' }), 'web', NOW_MS);
    refused(trust, takeRollout(renewed()), 'renewalChanged');
  });

  test('of a rollout whose signer has lost the role is refused', () => {
    const trust = seen();
    const next = nextRootDocument(trust.root);
    const roles = { ...next.roles, rollout: { threshold: 1, keys: next.roles.release.keys } };
    trust.acceptRoot(bytesOf(signed({ ...next, roles }, 'root-a', 'root-b')));
    refused(trust, takeRollout(renewed()), 'renewalChanged');
  });
});

describe('commands', () => {
  test('to another host, site, or under another name', () => {
    refused(trusting(), takeCommand(commandOf({ hostId: 'host-2' })), 'otherHost');
    refused(trusting(), takeCommand(commandOf({ site: 'other' })), 'otherHost');
    refused(trusting(), takeCommand(commandOf({ name: 'self-test' })), 'unknownCommand');
    refused(trusting(), takeCommand(commandOf(), { ...HOST, name: 'reboot' }), 'unknownCommand');
    refused(trusting(), takeCommand(commandOf(), { ...HOST, name: '__proto__' }), 'unknownCommand');
    refused(trusting(), takeCommand(commandOf(), { ...HOST, name: 'rollout' }), 'tooFewSignatures');
  });

  test('replayed, also after a restart, and with the clock set back', () => {
    const trust = trusting();
    takeCommand(commandOf())(trust);
    refused(trust, takeCommand(commandOf()), 'replayed');
    const bytes = bytesOf(signed(firstRoot(), 'root-a', 'root-b'));
    const again = new Trust(bytes, digestOf(bytes), JSON.parse(JSON.stringify(trust.state)));
    refused(again, takeCommand(commandOf()), 'replayed');
    // Two hours on, another is taken and the first forgotten; back again, it has expired.
    const later = NOW_MS + 7_200_000;
    takeCommand(
      commandOf({ commandId: 'c-2', issuedAt: iso(1 / 12), expiresAt: iso(1 / 10) }),
      HOST,
      later,
    )(again);
    refused(again, takeCommand(commandOf()), 'expired');
  });

  test('valid for more than an hour, or from the future', () => {
    refused(trusting(), takeCommand(commandOf({ expiresAt: iso(1) })), 'expired');
    refused(trusting(), takeCommand(commandOf({ issuedAt: iso(2), expiresAt: iso(2.01) })), 'expired');
  });

  test('more within an hour than a host remembers', () => {
    const trust = trusting();
    for (let i = 0; i < 512; i++) takeCommand(commandOf({ commandId: `c-${i}` }))(trust);
    refused(trust, takeCommand(commandOf({ commandId: 'one-more' })), 'replayed');
  });
});

describe('texts', () => {
  const names = ['rollout-a', 'rollout-b'];
  const text = canonicalJson(rolloutDocumentOf());
  const written = (change: (text: string) => string): Buffer => {
    const other = change(text);
    expect(other).not.toBe(text);
    return sealedText(other, payloadType('rollout'), ...names);
  };

  test.each<[string, (text: string) => string]>([
    ['a duplicate key', (t) => t.replace('"version":5', '"version":5,"version":6')],
    ['a duplicate key, one escaped', (t) => t.replace('"version":5', '"\\u0076ersion":6,"version":5')],
    ['a key that nobody knows', (t) => t.replace('"version":5}', '"version":5,"yes":true}')],
    ['__proto__', (t) => t.replace('{"baseline"', '{"__proto__":{"mode":"apply"},"baseline"')],
    ['a key that is missing', (t) => t.replace('"mode":"apply",', '')],
    ['1e400', (t) => t.replace('"jitterMs":60000', '"jitterMs":1e400')],
    ['-0', (t) => t.replace('"fraction":0.1', '"fraction":-0')],
    ['1.0', (t) => t.replace('"fraction":0.1', '"fraction":1.0')],
    ['a version that is no whole number', (t) => t.replace('"version":5}', '"version":5.5}')],
    ['a huge version', (t) => t.replace('"version":5}', '"version":9007199254740993}')],
    ['an escape', (t) => t.replace('"apply"', '"\\u0061pply"')],
    ['white space', (t) => t.replace(',"mode"', ', "mode"')],
    ['a date of another spelling', (t) => t.replace(iso(6.5), '2026-01-16T12:00:00Z')],
    ['a text where null may be', (t) => t.replace('"baseline":null', '"baseline":""')],
    [
      'deep nesting',
      (t) => t.replace('"baseline":null', `"baseline":${'['.repeat(60_000)}${']'.repeat(60_000)}`),
    ],
    ['a model of another spelling', (t) => t.replace('"model":"web"', '"model":"we\\u0062"')],
  ])('%s is refused, though it is signed', (_, change) => {
    refused(trusting(), takeRollout(written(change)), 'notADocument');
  });

  test('bytes that are no UTF-8, a byte order mark, compressed', () => {
    for (const payload of [
      Buffer.from([0xff, 0xfe]),
      Buffer.from(text.replace('"role":"web"', '"role":"w\u00ffb"'), 'latin1'),
      Buffer.from(`\ufeff${text}`),
      Buffer.from('1f8b0800', 'hex'),
    ]) {
      refused(trusting(), takeRollout(sealedText(payload, payloadType('rollout'), ...names)), 'notADocument');
    }
    refused(trusting(), takeRollout(Buffer.from([0xff])), 'notAnEnvelope');
    refused(trusting(), takeRollout(Buffer.from(`\ufeff${rollout().toString()}`)), 'notAnEnvelope');
  });

  test('an envelope of another spelling', () => {
    const envelope = rollout().toString();
    for (const other of [
      envelope.replace('{"payload"', '{"payload":"","payload"'),
      envelope.replace('"payload":"', '"payload":" '),
      envelope.replace('"signatures"', ' "signatures"'),
      envelope
        .replace(/"payload":"([^"]*)"/, (_, payload: string) => `"payload":"${payload.slice(0, -4)}"`)
        .slice(0, -1),
      envelope.replace('"payloadType"', '"extra":1,"payloadType"'),
      `${envelope}\n\n`,
      '',
      'null',
      '[]',
    ]) {
      refused(trusting(), takeRollout(Buffer.from(other)), 'notAnEnvelope');
    }
  });

  test('base64 with bits left over, which decodes to the same bytes', () => {
    const envelope = JSON.parse(sealedText('x', payloadType('rollout')).toString()) as Envelope;
    expect(envelope.payload).toBe('eA==');
    refused(trusting(), takeRollout(bytesOf({ ...envelope, payload: 'eB==' })), 'notAnEnvelope');
  });

  test('sizes beyond their caps', () => {
    refused(trusting(), takeRollout(Buffer.alloc(MAX_ENVELOPE_BYTES + 1, 0x20)), 'tooLarge');
    const large = sealedText(Buffer.alloc(MAX_PAYLOAD_BYTES + 1, 0x61), payloadType('rollout'), ...names);
    expect(large.length).toBeLessThan(MAX_ENVELOPE_BYTES);
    refused(trusting(), takeRollout(large), 'tooLarge');
  });

  test('lists beyond their caps', () => {
    const many = Array.from({ length: 1001 }, (_, i) => `h${i}`);
    const select = { sites: null, labels: {}, ids: many };
    const payload = canonicalJson({ ...rolloutDocumentOf(), select });
    refused(trusting(), takeRollout(sealedText(payload, payloadType('rollout'), ...names)), 'notADocument');
    const golden = Array.from({ length: 129 }, () => ({ values: [1, 2], score: 1 }));
    const fat: ReleaseDocument = { ...releaseDocumentOf(), golden };
    const bytes = sealedText(canonicalJson(fat), payloadType('release'), 'release-a', 'release-b');
    refused(trusting(), takeRelease(bytes), 'notADocument');
  });
});

describe('what is kept', () => {
  test("another fleet's state is none of ours", () => {
    const trust = trusting();
    trust.acceptRollout(rollout(), 'web', NOW_MS);
    trust.acceptRoot(bytesOf(signed(nextRootDocument(trust.root), 'root-a', 'root-b')));
    const other = bytesOf(signed({ ...firstRoot(), fleet: 'other' }, 'root-a', 'root-b'));
    const moved = new Trust(other, digestOf(other), trust.state);
    expect(moved.state).toEqual(NO_TRUST);
    expect(moved.rollout('web')).toBeNull();
  });
});
