import { createHash, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { canonicalJson, parseCanonical } from '../../core/protocol/canonical.ts';
import { schemaFault } from '../../core/protocol/schema-check.ts';
import {
  type DocumentByType,
  MAX_ENVELOPE_BYTES,
  MAX_PAYLOAD_BYTES,
  payloadType,
  type Role,
  type RootDocument,
  TRUST_TYPES,
  type TrustType,
} from '../../core/protocol/trust.ts';
import { DOCUMENT_SCHEMAS, ENVELOPE } from '../../core/protocol/trust-schemas.ts';
import { keyIdOf } from './keys.ts';
import { TrustError } from './trust-error.ts';

/** DSSE (https://github.com/secure-systems-lab/dsse) with Ed25519 (RFC 8032). */
export interface Envelope {
  readonly payloadType: string;
  /** Base64. */
  readonly payload: string;
  readonly signatures: readonly { readonly keyid: string; readonly sig: string }[];
}

/** An envelope as it was read: nothing in it is believed before its signatures are counted. */
export interface Sealed {
  readonly envelope: Envelope;
  readonly payload: Buffer;
  /** Hex SHA-256 of the payload: the document's name. */
  readonly sha256: string;
}

const sha256Hex = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** What is signed: DSSE's pre-authentication encoding. */
function preAuthentication(type: string, payload: Buffer): Buffer {
  const head = `DSSEv1 ${Buffer.byteLength(type)} ${type} ${payload.length} `;
  return Buffer.concat([Buffer.from(head), payload]);
}

export const envelopeText = (envelope: Envelope): string => canonicalJson(envelope);

/** An envelope around a document, with no signature yet. @throws TrustError for a document that its schema refuses */
export function seal<T extends TrustType>(document: DocumentByType[T]): Envelope {
  const fault = schemaFault(DOCUMENT_SCHEMAS[document.type], document);
  if (fault !== null) throw new TrustError('notADocument', `no ${document.type} document: ${fault}`);
  const payload = Buffer.from(canonicalJson(document));
  if (payload.length > MAX_PAYLOAD_BYTES) {
    throw new TrustError(
      'tooLarge',
      `the ${document.type} document has ${payload.length} bytes, at most ${MAX_PAYLOAD_BYTES} are taken`,
    );
  }
  return { payloadType: payloadType(document.type), payload: payload.toString('base64'), signatures: [] };
}

/** With one more signature; that of the same key is replaced. */
export function addSignature(envelope: Envelope, privateKey: KeyObject): Envelope {
  const payload = Buffer.from(envelope.payload, 'base64');
  const keyid = keyIdOf(createPublicKey(privateKey));
  const sig = sign(null, preAuthentication(envelope.payloadType, payload), privateKey).toString('base64');
  const others = envelope.signatures.filter((one) => one.keyid !== keyid);
  const signatures = [...others, { keyid, sig }].sort((a, b) => (a.keyid < b.keyid ? -1 : 1));
  return { ...envelope, signatures };
}

/** @throws TrustError; sizes are held against their caps before anything is parsed */
export function openEnvelope(bytes: Uint8Array): Sealed {
  if (bytes.length > MAX_ENVELOPE_BYTES) {
    throw new TrustError('tooLarge', `${bytes.length} bytes, at most ${MAX_ENVELOPE_BYTES} are read`);
  }
  const fail = (why: string): TrustError => new TrustError('notAnEnvelope', `no signed document: ${why}`);
  const text = utf8(bytes);
  if (text === null) throw fail('it is not UTF-8');
  // People keep documents in files, with a line's end; on the wire there is none.
  const parsed = parseCanonical(text.replace(/\n$/, ''));
  if ('fault' in parsed) throw fail(parsed.fault);
  const fault = schemaFault(ENVELOPE, parsed.value);
  if (fault !== null) throw fail(fault);
  const envelope = parsed.value as Envelope;
  const payload = Buffer.from(envelope.payload, 'base64');
  if (payload.toString('base64') !== envelope.payload) throw fail('payload: expected base64');
  if (payload.length > MAX_PAYLOAD_BYTES) {
    throw new TrustError(
      'tooLarge',
      `a payload of ${payload.length} bytes, at most ${MAX_PAYLOAD_BYTES} are read`,
    );
  }
  return { envelope, payload, sha256: sha256Hex(payload) };
}

/** Ids of the role's keys that signed, each once. */
export function signers(sealed: Sealed, role: Role, keys: RootDocument['keys']): ReadonlySet<string> {
  const { envelope, payload } = sealed;
  const signed = preAuthentication(envelope.payloadType, payload);
  const found = new Set<string>();
  for (const { keyid, sig } of envelope.signatures) {
    const key = keys[keyid];
    if (found.has(keyid) || key === undefined || !role.keys.includes(keyid)) continue;
    if (verify(null, signed, publicKeyOf(key.ed25519), Buffer.from(sig, 'base64'))) found.add(keyid);
  }
  return found;
}

const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

/** @param ed25519 base64 of the 32 bytes of a key */
export function publicKeyOf(ed25519: string): KeyObject {
  const der = Buffer.concat([SPKI_PREFIX, Buffer.from(ed25519, 'base64')]);
  return createPublicKey({ key: der, format: 'der', type: 'spki' });
}

/** @throws TrustError unless enough different keys of the role have signed */
export function requireSignatures(
  sealed: Sealed,
  what: string,
  role: Role,
  keys: RootDocument['keys'],
): void {
  const found = signers(sealed, role, keys).size;
  if (found >= role.threshold) return;
  throw new TrustError(
    'tooFewSignatures',
    `${found} of the ${role.threshold} signatures that a ${what} needs are there (${sealed.envelope.signatures.length} were given)`,
  );
}

/** @throws TrustError unless it says that it is of this type, before its signatures are looked at */
export function requireType(sealed: Sealed, type: TrustType): void {
  if (sealed.envelope.payloadType === payloadType(type)) return;
  const found = TRUST_TYPES.find((one) => payloadType(one) === sealed.envelope.payloadType);
  throw new TrustError(
    'wrongType',
    `a ${type} document was expected, this is ${found === undefined ? 'of an unknown type' : `a ${found}`}`,
  );
}

/** The document, once its signatures are counted. @throws TrustError */
export function documentOf<T extends TrustType>(sealed: Sealed, type: T): DocumentByType[T] {
  const text = utf8(sealed.payload);
  const parsed = text === null ? { fault: 'it is not UTF-8' } : parseCanonical(text);
  if ('fault' in parsed) throw new TrustError('notADocument', `no ${type} document: ${parsed.fault}`);
  const fault = schemaFault(DOCUMENT_SCHEMAS[type], parsed.value);
  if (fault !== null) throw new TrustError('notADocument', `no ${type} document: ${fault}`);
  return parsed.value as DocumentByType[T];
}

function utf8(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}
