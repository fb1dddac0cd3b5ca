import type { ReleaseDocument, RootDocument } from '../../core/protocol/trust.ts';
import type { Sealed } from '../../models/trust/envelope.ts';
import { facts, type Section } from '../models/document.ts';
import { brief } from '../table.ts';
import { countSignatures, type SignatureCount, signatureWords } from './signatures.ts';

export interface ReleaseView {
  readonly document: ReleaseDocument;
  readonly sha256: string;
  readonly expired: boolean;
  /** Of the document as it travels. */
  readonly bytes: number;
  /** null where no root was named: nobody knows whose count. */
  readonly signatures: SignatureCount | null;
  readonly signatureIds: readonly string[];
}

export function releaseView(
  sealed: Sealed,
  document: ReleaseDocument,
  root: RootDocument | null,
  nowMs: number,
): ReleaseView {
  return {
    document,
    sha256: sealed.sha256,
    expired: Date.parse(document.expiresAt) <= nowMs,
    bytes: Buffer.byteLength(JSON.stringify(sealed.envelope)),
    signatures: root === null ? null : countSignatures(sealed, root.roles.release, root.keys),
    signatureIds: sealed.envelope.signatures.map(({ keyid }) => keyid),
  };
}

export const releaseTitle = ({ model, version, fleet }: ReleaseDocument): string =>
  `release ${model}@${version} for fleet ${fleet}`;

/** The page for people. */
export function releaseSections(view: ReleaseView): Section[] {
  const { document, signatures, signatureIds } = view;
  const { artifact, golden, limits, provenance, metrics } = document;
  const ids = signatureIds.map((id) => id.slice(0, 8)).join(', ');
  const scored = golden.filter(({ score }) => score !== null).length;
  return [
    {
      title: 'Release',
      blocks: [
        facts(
          ['digest', view.sha256],
          ['document', `${view.bytes} bytes`],
          ['issued', document.issuedAt],
          ['expires', `${document.expiresAt}${view.expired ? '  EXPIRED: no host installs it' : ''}`],
          [
            'signatures',
            signatures === null
              ? `${signatureIds.length}${ids === '' ? '' : ` (${ids})`}; name the root with --root to count them`
              : signatureWords(signatures),
          ],
        ),
      ],
    },
    {
      title: 'Artifact',
      blocks: [
        facts(
          ['sha256', artifact.sha256],
          ['size', `${artifact.bytes} bytes in ${artifact.chunks.length} chunks, format ${artifact.format}`],
          ['metrics', `${metrics.length}: ${metrics.join(', ')}`],
          ['schema', `${document.schemaHash}, every ${document.intervalMs / 1000} s`],
          ['agents from', document.minimumAgent],
          [
            'trained on',
            `${provenance.rows} rows, ${provenance.trainedFrom} to ${provenance.trainedTo}, by ${provenance.toolVersion}`,
          ],
        ),
      ],
    },
    {
      title: 'What a host checks',
      blocks: [
        facts(
          ['golden rows', `${golden.length}, ${scored} with a score`],
          ['time to score', `at most ${brief(limits.scoreMs)} ms (median)`],
          ['memory', `at most ${brief(limits.memoryBytes / 1024 / 1024)} MiB more`],
          ['flagged', `at most ${brief(limits.flagShare * 100)} % of its own history`],
        ),
      ],
    },
  ];
}
