import { writtenRoot } from '../../../models/trust/root.ts';
import { Exit } from '../../errors.ts';
import { toText } from '../../models/document.ts';
import { reading, readWritten } from '../../trust/envelope-file.ts';
import { rootSections, rootTitle, rootView } from '../../trust/root-view.ts';

export interface RootShowOptions {
  readonly file: string;
  readonly after?: string | undefined;
  readonly json: boolean;
}

export async function run({ file, after, json }: RootShowOptions): Promise<number> {
  const { sealed } = readWritten(file, 'root');
  const document = reading(file, () => writtenRoot(sealed));
  const before = after === undefined ? null : readWritten(after, 'root').document;
  const view = rootView(sealed, document, before, Date.now());
  process.stdout.write(json ? `${JSON.stringify(view)}\n` : toText(rootTitle(view), rootSections(view)));
  return Exit.done;
}
