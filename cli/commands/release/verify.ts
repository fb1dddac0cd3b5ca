import { readFileSync, statSync } from 'node:fs';
import { printable } from '../../../agent/log.ts';
import { MAX_ARTIFACT_BYTES } from '../../../models/artifact.ts';
import { releasedModel } from '../../../models/release/release.ts';
import { Trust } from '../../../models/trust/trust.ts';
import { Exit, UserError } from '../../errors.ts';
import { readDocumentFile, readWritten, trusting } from '../../trust/envelope-file.ts';
import { releasePlace } from '../../trust/release-file.ts';
import { releaseTitle } from '../../trust/release-view.ts';
import { readRoot } from '../../trust/root-file.ts';

export interface VerifyReleaseOptions {
  readonly release: string;
  readonly registry?: string | undefined;
  readonly root: string;
  readonly artifact?: string | undefined;
  readonly json: boolean;
}

/** As a host that trusts this root would: the same code decides. */
export async function run(args: VerifyReleaseOptions): Promise<number> {
  const { path } = releasePlace(args.release, args.registry);
  const { sha256: pin } = readRoot(args.root);
  const trust = new Trust(readDocumentFile(args.root), pin);
  const { sealed, document: written } = readWritten(path, 'release');
  // A rollout names a release by its digest; here it is the file's own.
  const wanted = {
    version: written.version,
    sha256: sealed.sha256,
    artifactSha256: written.artifact.sha256,
  };
  const { document } = trusting(path, () =>
    trust.acceptRelease(readDocumentFile(path), written.model, wanted, Date.now()),
  );
  const { artifact } = args;
  if (artifact !== undefined) trusting(artifact, () => releasedModel(document, readArtifact(artifact)));
  const checked = artifact === undefined ? null : document.golden.length;
  process.stdout.write(
    args.json
      ? `${JSON.stringify({ model: document.model, version: document.version, sha256: sealed.sha256, expiresAt: document.expiresAt, goldenRows: checked })}\n`
      : `✓ ${printable(releaseTitle(document))}: hosts take it until ${document.expiresAt}\n  digest    ${sealed.sha256}\n  artifact  ${checked === null ? 'not looked at: name it with --artifact' : `as released, ${checked} golden rows to the last bit`}\n`,
  );
  return Exit.done;
}

function readArtifact(path: string): Buffer {
  try {
    const { size } = statSync(path);
    if (size > MAX_ARTIFACT_BYTES)
      throw new UserError(`${printable(path)} has ${size} bytes: too many for a model`);
    return readFileSync(path);
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`${printable(path)} can't be read (${(error as NodeJS.ErrnoException).code})`);
  }
}
