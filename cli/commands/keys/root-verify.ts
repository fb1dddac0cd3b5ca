import { nextRoot, pinnedRoot } from '../../../models/trust/root.ts';
import { Exit, UserError } from '../../errors.ts';
import { readDocumentFile, trusting } from '../../trust/envelope-file.ts';
import { readRoot } from '../../trust/root-file.ts';
import { rootTitle } from '../../trust/root-view.ts';

export interface RootVerifyOptions {
  readonly new: string;
  readonly after?: string | undefined;
  readonly pin?: string | undefined;
  readonly json: boolean;
}

/** As a host that trusts the root before would, or an installation that pins it. */
export async function run(args: RootVerifyOptions): Promise<number> {
  const { after, pin } = args;
  if ((after === undefined) === (pin === undefined)) {
    throw new UserError('name the root before with --after, or for a first root its digest with --pin');
  }
  const bytes = readDocumentFile(args.new);
  const before = after === undefined ? null : readRoot(after);
  const next = trusting(args.new, () =>
    before === null ? pinnedRoot(bytes, pin ?? '') : (nextRoot(before, bytes) ?? before),
  );
  const { fleet, version, expiresAt } = next.document;
  const expired = Date.parse(expiresAt) <= Date.now();
  const same = next === before;
  if (args.json) {
    process.stdout.write(
      `${JSON.stringify({ fleet, version, sha256: next.sha256, expiresAt, expired, same })}\n`,
    );
    return Exit.done;
  }
  const hosts = before === null ? 'that pin this digest' : `that trust root ${before.document.version}`;
  const what = same ? 'it is that root itself' : `hosts ${hosts} take it`;
  process.stdout.write(`✓ ${rootTitle(next.document)}: ${what}\n  digest   ${next.sha256}\n`);
  process.stdout.write(`  expires  ${expiresAt}${expired ? '  EXPIRED: hosts take nothing new' : ''}\n`);
  return Exit.done;
}
