import { changedRoot, noRoot } from '../../../models/trust/draft.ts';
import { Exit } from '../../errors.ts';
import { lifetimeMs } from '../../trust/lifetime.ts';
import { grantsOf } from '../../trust/roles.ts';
import { writeNewRoot } from '../../trust/root-file.ts';

export interface RootInitOptions {
  readonly fleet: string;
  readonly 'root-key': readonly string[];
  readonly threshold: number;
  readonly 'release-key'?: readonly string[] | undefined;
  readonly 'release-threshold': number;
  readonly 'rollout-key'?: readonly string[] | undefined;
  readonly 'rollout-threshold': number;
  readonly 'renewal-key'?: readonly string[] | undefined;
  readonly 'command-key'?: readonly string[] | undefined;
  readonly expires: string;
  readonly out: string;
  readonly json: boolean;
}

export async function run(args: RootInitOptions): Promise<number> {
  const document = changedRoot(noRoot(args.fleet), {
    grants: grantsOf({
      root: args['root-key'],
      release: args['release-key'],
      rollout: args['rollout-key'],
      renewal: args['renewal-key'],
      command: args['command-key'],
    }),
    remove: [],
    thresholds: {
      root: args.threshold,
      release: args['release-threshold'],
      rollout: args['rollout-threshold'],
    },
    revoke: [],
    issuedMs: Date.now(),
    lifeMs: lifetimeMs(args.expires),
  });
  writeNewRoot(args.out, document, null, args.json);
  return Exit.done;
}
