import { writtenRoot } from '../../../models/trust/root.ts';
import { Exit } from '../../errors.ts';
import { toText } from '../../models/document.ts';
import { reading, readWritten, type SignOptions, signFile } from '../../trust/envelope-file.ts';
import { rootSections, rootTitle, rootView } from '../../trust/root-view.ts';

export interface RootSignOptions extends SignOptions {
  readonly file: string;
  readonly json: boolean;
}

/** What was signed is shown: a root is read before it is signed, and after. */
export async function run(args: RootSignOptions): Promise<number> {
  // Nobody should put a name to a root that can never be accepted.
  reading(args.file, () => writtenRoot(readWritten(args.file, 'root').sealed));
  const { sealed, document } = signFile(args.file, 'root', args);
  const view = rootView(sealed, document, null, Date.now());
  process.stdout.write(
    args.json ? `${JSON.stringify(view)}\n` : toText(`signed: ${rootTitle(view)}`, rootSections(view)),
  );
  return Exit.done;
}
