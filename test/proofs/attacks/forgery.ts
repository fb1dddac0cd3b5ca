import {
  type DocumentByType,
  payloadType,
  type RolloutDocument,
  type TrustType,
} from '../../../core/protocol/trust.ts';
import { addSignature, type Envelope, envelopeText, seal } from '../../../models/trust/envelope.ts';
import type { TestKey } from '../../support/signed.ts';

/** Envelopes that no tool of ours would make. */

const sealedBytes = (envelope: Envelope): Buffer => Buffer.from(envelopeText(envelope));

const signedBy = (envelope: Envelope, keys: readonly TestKey[]): Envelope =>
  keys.reduce((one, key) => addSignature(one, key.private), envelope);

/** Any text as a payload, rightly signed. */
export const signedText = (type: TrustType, text: string | Buffer, ...keys: TestKey[]): Buffer =>
  sealedBytes(
    signedBy(
      { payloadType: payloadType(type), payload: Buffer.from(text).toString('base64'), signatures: [] },
      keys,
    ),
  );

/** Its signatures changed after it was signed. */
export function resigned<T extends TrustType>(
  document: DocumentByType[T],
  keys: readonly TestKey[],
  change: (envelope: Envelope) => Envelope,
): Buffer {
  return sealedBytes(change(signedBy(seal(document), keys)));
}

/** One bit of each signature is another. */
export const flipped = (envelope: Envelope): Envelope => ({
  ...envelope,
  signatures: envelope.signatures.map(({ keyid, sig }) => {
    const bytes = Buffer.from(sig, 'base64');
    bytes[10] = (bytes[10] ?? 0) ^ 1;
    return { keyid, sig: bytes.toString('base64') };
  }),
});

/** The payload is another than the one that was signed. */
export const swapped =
  (other: RolloutDocument) =>
  (envelope: Envelope): Envelope => ({ ...envelope, payload: seal(other).payload });
