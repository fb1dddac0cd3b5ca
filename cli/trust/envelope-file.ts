import { readFileSync, statSync } from 'node:fs';
import { printable } from '../../agent/log.ts';
import {
  type DocumentByType,
  MAX_ENVELOPE_BYTES,
  MAX_SIGNATURES,
  type TrustType,
} from '../../core/protocol/trust.ts';
import {
  addSignature,
  documentOf,
  type Envelope,
  envelopeText,
  openEnvelope,
  requireType,
  type Sealed,
} from '../../models/trust/envelope.ts';
import { TrustError } from '../../models/trust/trust-error.ts';
import { UserError } from '../errors.ts';
import { writeOutput } from '../files.ts';
import { readPassphrase, readPrivateKeyFile } from './key-files.ts';

/** @throws UserError */
export function readDocumentFile(path: string): Buffer {
  try {
    const { size } = statSync(path);
    if (size > MAX_ENVELOPE_BYTES + 1) {
      throw new UserError(
        `${printable(path)} has ${size} bytes: no signed document has more than ${MAX_ENVELOPE_BYTES}`,
      );
    }
    return readFileSync(path);
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`${printable(path)} can't be read (${(error as NodeJS.ErrnoException).code})`);
  }
}

/** What is refused of a file that is to be trusted: names the file, and ends with exit code 4. */
export function trusting<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof TrustError)) throw error;
    throw new TrustError(error.refusal, `${printable(path)}: ${error.message}`);
  }
}

/** The same of a file that is only shown or signed: then it is bad input. */
export function reading<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof TrustError)) throw error;
    throw new UserError(`${printable(path)}: ${error.message}`);
  }
}

export interface WrittenDocument<T extends TrustType> {
  readonly sealed: Sealed;
  /** As it is written: nobody's signature was counted. */
  readonly document: DocumentByType[T];
}

/** @throws UserError for what is no document of that type */
export function readWritten<T extends TrustType>(path: string, type: T): WrittenDocument<T> {
  const bytes = readDocumentFile(path);
  return reading(path, () => {
    const sealed = openEnvelope(bytes);
    requireType(sealed, type);
    return { sealed, document: documentOf(sealed, type) };
  });
}

export interface SignOptions {
  readonly key?: readonly string[] | undefined;
  readonly add?: readonly string[] | undefined;
  readonly 'passphrase-file'?: string | undefined;
}

/**
 * Puts signatures into the file, at once or not at all: of the keys, and those that other copies of the same document
 * bring. Nothing but the file is needed.
 */
export function signFile<T extends TrustType>(
  path: string,
  type: T,
  options: SignOptions,
): WrittenDocument<T> {
  const { key: keys = [], add: others = [] } = options;
  if (keys.length + others.length === 0) {
    throw new UserError('name a private key with --key, or another copy of the document with --add');
  }
  const written = readWritten(path, type);
  const passphrase = readPassphrase(options['passphrase-file']);
  let envelope = keys.reduce(
    (before, file) => addSignature(before, readPrivateKeyFile(file, passphrase).key),
    written.sealed.envelope,
  );
  for (const other of others) {
    const { sealed } = readWritten(other, type);
    if (sealed.sha256 !== written.sealed.sha256) {
      throw new UserError(`${printable(other)} is another document than ${printable(path)}`);
    }
    envelope = withSignaturesOf(envelope, sealed.envelope);
  }
  if (envelope.signatures.length > MAX_SIGNATURES) {
    throw new UserError(`${printable(path)} would have more than ${MAX_SIGNATURES} signatures`);
  }
  writeOutput(path, documentText(envelope));
  return { ...written, sealed: { ...written.sealed, envelope } };
}

function withSignaturesOf(envelope: Envelope, other: Envelope): Envelope {
  const known = new Set(envelope.signatures.map(({ keyid }) => keyid));
  const added = other.signatures.filter(({ keyid }) => !known.has(keyid));
  const signatures = [...envelope.signatures, ...added].sort((a, b) => (a.keyid < b.keyid ? -1 : 1));
  return { ...envelope, signatures };
}

/** As a file holds it. */
export const documentText = (envelope: Envelope): string => `${envelopeText(envelope)}\n`;
