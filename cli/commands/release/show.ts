import { Exit } from '../../errors.ts';
import { toText } from '../../models/document.ts';
import { readWritten } from '../../trust/envelope-file.ts';
import { releasePlace } from '../../trust/release-file.ts';
import { releaseSections, releaseTitle, releaseView } from '../../trust/release-view.ts';
import { readRoot } from '../../trust/root-file.ts';

export interface ShowReleaseOptions {
  readonly release: string;
  readonly registry?: string | undefined;
  readonly root?: string | undefined;
  readonly json: boolean;
}

export async function run(args: ShowReleaseOptions): Promise<number> {
  const { path } = releasePlace(args.release, args.registry);
  const root = args.root === undefined ? null : readRoot(args.root).document;
  const { sealed, document } = readWritten(path, 'release');
  const view = releaseView(sealed, document, root, Date.now());
  process.stdout.write(
    args.json
      ? `${JSON.stringify({ file: path, ...view })}\n`
      : toText(releaseTitle(document), releaseSections(view)),
  );
  return Exit.done;
}
