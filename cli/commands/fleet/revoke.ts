import { BrokerDirectory } from '../../../models/access/directory.ts';
import { type Role, userName } from '../../../models/access/roles.ts';
import { Exit, UserError } from '../../errors.ts';
import { identities, RELOAD, withDirectory } from '../../fleet/access.ts';

export interface RevokeOptions {
  readonly name?: string | undefined;
  readonly site?: string | undefined;
  readonly from?: string | undefined;
  readonly role: Role;
  readonly 'broker-dir': string;
  readonly json: boolean;
}

/** Takes users out of the broker's files. What holds none of their rights any more is refused everything. */
export async function run(args: RevokeOptions): Promise<number> {
  return withDirectory(
    () => BrokerDirectory.open(args['broker-dir']),
    (directory) => {
      const { fleet } = directory;
      const all = identities(args, args.site === undefined ? [] : [args.site], fleet.sites);
      const found = all.flatMap((one) => fleet.enrolled.get(userName(one)) ?? []);
      if (found.length === 0 && args.from === undefined)
        throw new UserError(`${userName(all[0] as (typeof all)[0])} is not enrolled here`, Exit.checkSaysNo);
      for (const one of found) directory.remove(one);
      directory.save();
      const certified = found.filter(({ method }) => method === 'certificate').length;
      const figures = { revoked: found.length, notEnrolled: all.length - found.length };
      if (args.json) process.stdout.write(`${JSON.stringify(figures)}\n`);
      else {
        process.stdout.write(
          `revoked ${figures.revoked}${figures.notEnrolled > 0 ? `, not enrolled ${figures.notEnrolled}` : ''}. ${RELOAD}\n` +
            (certified > 0
              ? 'A certificate still opens a connection until it runs out; nothing may be read or written over it.\n'
              : ''),
        );
      }
      return Exit.done;
    },
  );
}
