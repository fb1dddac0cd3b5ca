import { printable } from '../../agent/log.ts';
import type { RootDocument } from '../../core/protocol/trust.ts';
import { envelopeText, openEnvelope, seal } from '../../models/trust/envelope.ts';
import { rootFault, selfSignedRoot, type TrustedRoot } from '../../models/trust/root.ts';
import { TrustError } from '../../models/trust/trust-error.ts';
import { UserError } from '../errors.ts';
import { toText } from '../models/document.ts';
import { documentText, readDocumentFile, reading, trusting } from './envelope-file.ts';
import { createFile } from './key-files.ts';
import { rootSections, rootTitle, rootView } from './root-view.ts';

/** A root that its own keys have signed. @throws TrustError naming the file */
export function readRoot(path: string): TrustedRoot {
  const bytes = readDocumentFile(path);
  return trusting(path, () => selfSignedRoot(bytes));
}

/** One that is in force. @throws TrustError for one that no host would follow any more */
export function validRoot(path: string, nowMs: number): RootDocument {
  const { document } = readRoot(path);
  if (Date.parse(document.expiresAt) > nowMs) return document;
  throw new TrustError(
    'rootExpired',
    `${printable(path)}: root ${document.version} expired at ${document.expiresAt}; hosts take nothing new under it. Make the next: edgewood keys root next`,
  );
}

/** Writes an unsigned root, and shows it. @throws UserError for a root that could never be accepted */
export function writeNewRoot(
  out: string,
  document: RootDocument,
  before: RootDocument | null,
  json: boolean,
): void {
  const envelope = reading('the new root', () => seal(document));
  const fault = rootFault(document);
  if (fault !== null) throw new UserError(`the new root could never be accepted: ${fault}`);
  createFile(out, documentText(envelope), 0o644);
  const view = rootView(openEnvelope(Buffer.from(envelopeText(envelope))), document, before, Date.now());
  if (json) {
    process.stdout.write(`${JSON.stringify({ file: out, ...view })}\n`);
    return;
  }
  process.stdout.write(toText(`${rootTitle(document)}, unsigned, in ${out}`, rootSections(view)));
  process.stderr.write(`Next: edgewood keys root sign ${printable(out)} --key FILE\n`);
}
