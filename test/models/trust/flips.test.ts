import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { openEnvelope } from '../../../models/trust/envelope.ts';
import { Trust } from '../../../models/trust/trust.ts';
import { TrustError } from '../../../models/trust/trust-error.ts';
import {
  bytesOf,
  commandDocumentOf,
  commandOf,
  digestOf,
  firstRoot,
  NOW_MS,
  nextRootDocument,
  referenceTo,
  release,
  releaseDocumentOf,
  rollout,
  rolloutDocumentOf,
  signed,
} from '../../support/trust.ts';

const ROOT = bytesOf(signed(firstRoot(), 'root-a', 'root-b'));
const NEXT = nextRootDocument(firstRoot());
const RELEASE = release();
const WANTED = referenceTo(RELEASE);
const HOST = { site: 'lab', hostId: 'host-1', name: 'snooze' };

/** How a host takes each kind, and what it must have read where it took anything. */
const KINDS: Readonly<
  Record<string, { bytes: Buffer; document: unknown; take: (trust: Trust, bytes: Buffer) => unknown }>
> = {
  root: {
    bytes: bytesOf(signed(NEXT, 'root-a', 'root-c')),
    document: NEXT,
    take: (trust, bytes) => (trust.acceptRoot(bytes) ? trust.root : null),
  },
  release: {
    bytes: RELEASE,
    document: releaseDocumentOf(),
    take: (trust, bytes) => trust.acceptRelease(bytes, 'web', WANTED, NOW_MS).document,
  },
  rollout: {
    bytes: rollout(),
    document: rolloutDocumentOf(),
    take: (trust, bytes) => trust.acceptRollout(bytes, 'web', NOW_MS).document,
  },
  command: {
    bytes: commandOf(),
    document: commandDocumentOf(),
    take: (trust, bytes) => trust.acceptCommand(bytes, HOST, NOW_MS),
  },
};

const trust = (): Trust => new Trust(ROOT, digestOf(ROOT));

/** Whatever the bytes are: refused by name with nothing changed, or read as the one document that was signed. */
function holds(kind: string, bytes: Buffer): 'taken' | 'refused' {
  const { document, take } = KINDS[kind] as (typeof KINDS)[string];
  const host = trust();
  const { state } = host;
  try {
    expect(take(host, bytes)).toEqual(document);
    return 'taken';
  } catch (error) {
    if (!(error instanceof TrustError)) throw error;
    expect(host.state).toBe(state);
    return 'refused';
  }
}

describe.each(Object.keys(KINDS))('a signed %s', (kind) => {
  const { bytes } = KINDS[kind] as (typeof KINDS)[string];

  test('with any bit flipped is refused', () => {
    expect(holds(kind, bytes)).toBe('taken');
    fc.assert(
      fc.property(fc.nat(bytes.length * 8 - 1), (bit) => {
        const flipped = Buffer.from(bytes);
        flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
        expect(holds(kind, flipped)).toBe('refused');
      }),
      { numRuns: 500 },
    );
  });

  test('cut, doubled, or with bytes put in or over is refused', () => {
    fc.assert(
      fc.property(
        fc.nat(bytes.length),
        fc.nat(64),
        fc.oneof(
          fc.uint8Array({ maxLength: 40 }),
          fc.constantFrom('{', '}', '[', '"', ',', '\\', '\u0000').map((c) => Buffer.from(c)),
        ),
        (at, gone, put) => {
          const changed = Buffer.concat([bytes.subarray(0, at), put, bytes.subarray(at + gone)]);
          fc.pre(!changed.equals(bytes));
          // One line's end behind it is the same document.
          const same = changed.equals(Buffer.concat([bytes, Buffer.from('\n')]));
          expect(holds(kind, changed)).toBe(same ? 'taken' : 'refused');
        },
      ),
      { numRuns: 500 },
    );
  });

  test('with its signatures in any order, and strangers among them, is the same', () => {
    const { envelope } = openEnvelope(bytes);
    const strangers = openEnvelope(rollout({}, 'mallory', 'eve')).envelope.signatures;
    fc.assert(
      fc.property(fc.shuffledSubarray([...envelope.signatures, ...strangers]), (signatures) => {
        const all = envelope.signatures.every((one) => signatures.includes(one));
        expect(holds(kind, bytesOf({ ...envelope, signatures }))).toBe(all ? 'taken' : 'refused');
      }),
      { numRuns: 50 },
    );
  });
});

test('opening anything at all gives an envelope or a TrustError', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array({ maxLength: 400 }),
        fc.json().map((text) => Buffer.from(text)),
      ),
      (bytes) => {
        try {
          openEnvelope(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(TrustError);
        }
      },
    ),
    { numRuns: 1000 },
  );
});
