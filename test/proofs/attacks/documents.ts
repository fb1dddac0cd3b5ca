import { canonicalJson } from '../../../core/protocol/canonical.ts';
import { payloadType, type RolloutDocument } from '../../../core/protocol/trust.ts';
import { signed, TestFleet, type TestRelease, testKey } from '../../support/signed.ts';
import type { Attack } from './attack.ts';
import { flipped, resigned, signedText, swapped } from './forgery.ts';
import type { Message, Scene } from './scene.ts';

const DAY_MS = 86_400_000;

/**
 * Rollouts and roots of an enemy, at a host that runs a central model. The release that they ask for lies ready at the
 * broker: whatever is believed would be installed.
 * @param next the rollout that the fleet would publish next
 * @param past one that the host has left behind, as it was signed
 */
export function documentAttacks(
  scene: Scene,
  next: RolloutDocument,
  past: Buffer,
  current: Buffer,
): Attack[] {
  const { fleet, topics } = scene;
  const pair = [fleet.operatorKey, fleet.second];
  const at = (payload: Buffer | string): Message[] => [
    { topic: topics.rollout('host'), payload, retain: true },
  ];
  const one = (name: string, payload: Buffer | string, word: string): Attack => ({
    name,
    messages: at(payload),
    counted: { [word]: 1 },
  });
  const document = (change: object): RolloutDocument => ({ ...next, ...change }) as RolloutDocument;
  const sign = (change: object): Buffer => signed(document(change), ...pair);
  const stranger = testKey('stranger');
  const other = new TestFleet(fleet.nowMs);
  const iso = (ms: number): string => new Date(ms).toISOString();
  const text = canonicalJson(next);
  const few = 'tooFewSignatures';
  const command = fleet.command('snooze', 'mixed-up', { hostId: 'host', site: scene.way.site });
  return [
    one('unsigned', signed(next), few),
    one('forged: one bit of each signature', resigned(next, pair, flipped), few),
    one(
      'forged: another payload under the signatures',
      resigned(next, pair, swapped(document({ version: 99 }))),
      few,
    ),
    one('a stranger’s keys', signed(next, stranger, testKey('another')), few),
    one(
      'strangers’ signatures under the names of our keys',
      resigned(next, [stranger, testKey('another')], (envelope) => ({
        ...envelope,
        signatures: envelope.signatures
          .map(({ sig }, i) => ({ keyid: pair[i]?.id ?? '', sig }))
          .sort((a, b) => (a.keyid < b.keyid ? -1 : 1)),
      })),
      few,
    ),
    one('keys of another role', signed(next, fleet.releaseKey, fleet.rootKey), few),
    one('one of the two', signed(next, fleet.operatorKey), few),
    one(
      'one key twice',
      resigned(next, [fleet.operatorKey], (envelope) => ({
        ...envelope,
        signatures: [...envelope.signatures, ...envelope.signatures],
      })),
      few,
    ),
    one(
      'one key under the other’s name',
      resigned(next, [fleet.operatorKey], (envelope) => ({
        ...envelope,
        signatures: [
          ...envelope.signatures,
          { keyid: fleet.second.id, sig: envelope.signatures[0]?.sig ?? '' },
        ],
      })),
      few,
    ),
    one('older, as it was signed then', past, 'older'),
    one(
      'the same version with another digest',
      sign({ version: JSON.parse(payloadOf(current)).version }),
      'sameVersionOtherDigest',
    ),
    one(
      'expired',
      sign({ issuedAt: iso(fleet.nowMs - 8 * DAY_MS), expiresAt: iso(fleet.nowMs - DAY_MS) }),
      'expired',
    ),
    one('another fleet’s, by its own keys', signed({ ...next, fleet: 'another' }, other.operatorKey), few),
    one('another fleet’s, by our keys', sign({ fleet: 'another' }), 'otherFleet'),
    one('another model’s', sign({ model: 'other' }), 'otherModel'),
    one('mixed up: a root', fleet.root, 'wrongType'),
    one('mixed up: a command', signed(command, fleet.operatorKey), 'wrongType'),
    one(
      'mixed up: called a release',
      resigned(next, pair, (envelope) => ({ ...envelope, payloadType: payloadType('release') })),
      'wrongType',
    ),
    one(
      'mixed up: a command, called a rollout afterwards',
      resigned(command, pair, (envelope) => ({ ...envelope, payloadType: payloadType('rollout') })),
      few,
    ),
    one(
      'mixed up: a command’s payload, called a rollout',
      signedText('rollout', canonicalJson(command), ...pair),
      'notADocument',
    ),
    one('a renewal that changes the release', signed(next, fleet.renewalKey), 'renewalChanged'),
    one('noise', Buffer.from(Array.from({ length: 999 }, (_, i) => (i * 37) % 256)), 'notAnEnvelope'),
    one(
      'not UTF-8',
      Buffer.concat([sign({}).subarray(0, 50), Buffer.from([0xff, 0xfe]), sign({}).subarray(50)]),
      'notAnEnvelope',
    ),
    one('a byte order mark', Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), sign({})]), 'notAnEnvelope'),
    one('white space in the envelope', ` ${sign({}).toString()}`, 'notAnEnvelope'),
    one(
      'duplicate keys in the envelope',
      sign({}).toString().replace('{', '{"payload":"AAAA",'),
      'notAnEnvelope',
    ),
    one(
      'a key spelt with an escape',
      sign({}).toString().replace('"payload"', '"p\\u0061yload"'),
      'notAnEnvelope',
    ),
    one('17 signatures', manySignatures(next), 'notAnEnvelope'),
    one('an envelope of 193 KiB', Buffer.alloc(193 * 1024, 'a'), 'tooLarge'),
    one('a name of 150 kB', `{"${'x'.repeat(150_000)}":1}`, 'notAnEnvelope'),
    one('nested 90,000 deep', '['.repeat(90_000) + ']'.repeat(90_000), 'notAnEnvelope'),
    one(
      'signed: duplicate keys',
      signedText('rollout', text.replace('{', '{"version":1,'), ...pair),
      'notADocument',
    ),
    one(
      'signed: nested 40,000 deep',
      signedText('rollout', '['.repeat(40_000) + ']'.repeat(40_000), ...pair),
      'notADocument',
    ),
    ...['99999999999999999999', '1e999', '9007199254740993', '-1', '1.5', '"9"'].map((number) =>
      one(
        `signed: version ${number}`,
        signedText('rollout', text.replace(/"version":\d+}$/, `"version":${number}}`), ...pair),
        'notADocument',
      ),
    ),
    one(
      'signed: a member that nobody knows',
      signedText('rollout', canonicalJson({ ...next, more: 1 }), ...pair),
      'notADocument',
    ),
    one(
      'signed: __proto__',
      signedText('rollout', text.replace('{', '{"__proto__":{"state":"active"},'), ...pair),
      'notADocument',
    ),
    one(
      'signed: a lone surrogate',
      signedText('rollout', text.replace('"seed":"seed"', '"seed":"\\ud800"'), ...pair),
      'notADocument',
    ),
    one(
      'signed: a name that turns the line around',
      signedText('rollout', canonicalJson({ ...next, model: 'host\u202e' }), ...pair),
      'notADocument',
    ),
    one(
      'signed: a control character',
      signedText(
        'rollout',
        canonicalJson({ ...next, cohort: { fraction: 1, seed: '\u001b]0;x\u0007' } }),
        ...pair,
      ),
      'notADocument',
    ),
    one('signed: not UTF-8', signedText('rollout', Buffer.from([0x7b, 0xff, 0x7d]), ...pair), 'notADocument'),
    one('emptied', '', 'notAnEnvelope'),
    {
      name: 'all that is retained emptied: root, release, chunks',
      messages: [1, 2, 3]
        .map((n) => topics.root(n))
        .concat(topics.release('host', 1), topics.release('host', 2))
        .map((topic) => ({ topic, payload: '', retain: true })),
      // Of these the agent listens to the next root alone.
      counted: { notAnEnvelope: 1 },
    },
    ...rootAttacks(scene),
  ];
}

const payloadOf = (envelope: Buffer): string =>
  Buffer.from((JSON.parse(envelope.toString()) as { payload: string }).payload, 'base64').toString();

function manySignatures(document: RolloutDocument): Buffer {
  return resigned(document, [], (envelope) => ({
    ...envelope,
    signatures: Array.from({ length: 17 }, (_, i) => ({
      keyid: i.toString(16).padStart(64, '0'),
      sig: Buffer.alloc(64, i).toString('base64'),
    })),
  }));
}

function rootAttacks({ fleet, topics }: Scene): Attack[] {
  const stranger = testKey('stranger');
  const three = fleet.rootTwo(3);
  const one = (name: string, payload: Buffer, word: string): Attack => ({
    name: `root: ${name}`,
    messages: [{ topic: topics.root(3), payload, retain: true }],
    counted: { [word]: 1 },
  });
  const few = 'tooFewSignatures';
  const takenOver = {
    ...three,
    keys: { ...three.keys, [stranger.id]: { name: 'x', ed25519: stranger.raw } },
    roles: { ...three.roles, root: { threshold: 1, keys: [stranger.id] } },
  };
  const pair = [fleet.rootKey, fleet.rootSecond];
  return [
    one('signed by its own new keys alone', signed(takenOver, stranger), few),
    one('one of the two old keys, and its own', signed(takenOver, stranger, fleet.rootKey), few),
    one('both old keys, not its own', signed(takenOver, ...pair), few),
    one('that skips a version', signed(fleet.rootTwo(4), ...pair), 'notNext'),
    one(
      'of the version that is trusted, another',
      signed({ ...fleet.rootTwo(2), revoked: ['0'.repeat(64)] }, ...pair),
      'sameVersionOtherDigest',
    ),
    one('older', signed({ ...fleet.rootTwo(1) }, ...pair), 'older'),
    one('of another fleet', signed({ ...three, fleet: 'another' }, ...pair), 'otherFleet'),
    one(
      'that revokes, by the releaser',
      signed({ ...three, revoked: ['0'.repeat(64)] }, fleet.releaseKey),
      few,
    ),
    one('mixed up: a rollout’s signers', signed(three, fleet.operatorKey, fleet.second), few),
    one(
      'with a role of three keys of two',
      signedText(
        'root',
        canonicalJson({
          ...three,
          roles: { ...three.roles, release: { threshold: 3, keys: [fleet.releaseKey.id, fleet.second.id] } },
        }),
        ...pair,
      ),
      'notADocument',
    ),
  ];
}

/** Where a release is asked for, and not there yet. */
export function releaseAttacks({ fleet, topics }: Scene, asked: TestRelease, older: TestRelease): Attack[] {
  const { document } = asked;
  const one = (name: string, payload: Buffer | string, word: string): Attack => ({
    name: `release: ${name}`,
    messages: [{ topic: topics.release('host', document.version), payload, retain: true }],
    counted: { [word]: 1 },
  });
  return [
    one('unsigned', signed(document), 'tooFewSignatures'),
    one('forged', resigned(document, [fleet.releaseKey], flipped), 'tooFewSignatures'),
    one('by the operator', signed(document, fleet.operatorKey, fleet.second), 'tooFewSignatures'),
    one(
      'another of the same version',
      signed({ ...document, minimumAgent: '0.0.1' }, fleet.releaseKey),
      'otherRelease',
    ),
    one('an older one in its place', older.envelope, 'otherModel'),
    one('another fleet’s', signed({ ...document, fleet: 'another' }, fleet.releaseKey), 'otherFleet'),
    one('another model’s', signed({ ...document, model: 'other' }, fleet.releaseKey), 'otherModel'),
    one('mixed up: a rollout', fleet.signRollout(fleet.rollout(1, asked)), 'wrongType'),
    one('emptied', '', 'notAnEnvelope'),
  ];
}

/** Where chunks are asked for, and not there yet. @param endless so many wrong ones at the end */
export function chunkAttacks(
  { topics }: Scene,
  asked: TestRelease,
  other: TestRelease,
  endless: number,
): Attack[] {
  const { sha256 } = asked.document.artifact;
  const [first = Buffer.alloc(0), second = Buffer.alloc(0)] = asked.chunks;
  const topic = topics.chunk(sha256, 0);
  const one = (name: string, payload: Buffer, word = 'otherChunk'): Attack => ({
    name: `chunk: ${name}`,
    messages: [{ topic, payload, retain: true }],
    counted: { [word]: 1 },
  });
  const never = (name: string, messages: readonly Message[]): Attack => ({
    name: `chunk: ${name}`,
    messages,
    counted: {},
  });
  const wrong = Buffer.alloc(first.length, 7);
  return [
    one('swapped with the next', second),
    one('another release’s', other.chunks[0] ?? wrong),
    one('cut', first.subarray(0, 1000)),
    one('a byte too many', Buffer.concat([first, Buffer.from([0])])),
    one('of 250 KiB', Buffer.alloc(250 * 1024, 1)),
    one('one bit of it', Buffer.concat([Buffer.from([(first[0] ?? 0) ^ 1]), first.subarray(1)])),
    one('emptied', Buffer.alloc(0), 'notAnEnvelope'),
    never(
      'beyond the end',
      [100, 9999, 999_999].map((i) => ({ topic: topics.chunk(sha256, i), payload: wrong })),
    ),
    never(
      `${endless} of artifacts that nobody asked for`,
      Array.from({ length: endless }, (_, i) => ({
        topic: topics.chunk(i.toString(16).padStart(64, '0'), i),
        payload: wrong,
      })),
    ),
    never('of 300 KiB: the broker keeps it back, as MQTT 5 lets the agent ask', [
      { topic, payload: Buffer.alloc(300 * 1024, 1) },
    ]),
    {
      name: `chunk: ${endless} wrong ones, without an end`,
      messages: Array.from({ length: endless }, () => ({ topic, payload: wrong })),
      counted: { otherChunk: endless },
      some: true,
    },
  ];
}
