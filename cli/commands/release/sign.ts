import { Exit } from '../../errors.ts';
import { toText } from '../../models/document.ts';
import { withRegistry } from '../../registry.ts';
import { type SignOptions, signFile } from '../../trust/envelope-file.ts';
import { releasePlace } from '../../trust/release-file.ts';
import { releaseSections, releaseTitle, releaseView } from '../../trust/release-view.ts';
import { readRoot } from '../../trust/root-file.ts';

export interface SignReleaseOptions extends SignOptions {
  readonly release: string;
  readonly registry?: string | undefined;
  readonly root?: string | undefined;
  readonly why?: string | undefined;
  readonly json: boolean;
}

/** A file alone is enough: no registry, no network. */
export async function run(args: SignReleaseOptions): Promise<number> {
  const { path, model } = releasePlace(args.release, args.registry);
  const root = args.root === undefined ? null : readRoot(args.root).document;
  const { sealed, document } = signFile(path, 'release', args);
  if (model !== null) {
    withRegistry(args.registry, { create: false }, (registry) =>
      registry.noteRelease(model.name, model.version, 'sign-release', args.why ?? null),
    );
  }
  const view = releaseView(sealed, document, root, Date.now());
  process.stdout.write(
    args.json
      ? `${JSON.stringify({ file: path, ...view })}\n`
      : toText(`signed: ${releaseTitle(document)}`, releaseSections(view)),
  );
  return Exit.done;
}
