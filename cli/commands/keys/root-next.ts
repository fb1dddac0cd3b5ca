import type { RootDocument } from '../../../core/protocol/trust.ts';
import { changedRoot } from '../../../models/trust/draft.ts';
import { Exit, UserError } from '../../errors.ts';
import { lifetimeMs } from '../../trust/lifetime.ts';
import { grantsOf } from '../../trust/roles.ts';
import { readRoot, writeNewRoot } from '../../trust/root-file.ts';

type Files = readonly string[] | undefined;

export interface RootNextOptions {
  readonly old: string;
  readonly 'add-root-key': Files;
  readonly 'add-release-key': Files;
  readonly 'add-rollout-key': Files;
  readonly 'add-renewal-key': Files;
  readonly 'add-command-key': Files;
  readonly 'remove-key': Files;
  readonly threshold?: number | undefined;
  readonly 'release-threshold'?: number | undefined;
  readonly 'rollout-threshold'?: number | undefined;
  readonly revoke: Files;
  readonly expires: string;
  readonly out: string;
  readonly json: boolean;
}

export async function run(args: RootNextOptions): Promise<number> {
  const { document: old } = readRoot(args.old);
  const { threshold, 'release-threshold': release, 'rollout-threshold': rollout } = args;
  const document = changedRoot(old, {
    grants: grantsOf({
      root: args['add-root-key'],
      release: args['add-release-key'],
      rollout: args['add-rollout-key'],
      renewal: args['add-renewal-key'],
      command: args['add-command-key'],
    }),
    remove: (args['remove-key'] ?? []).map((text) => keyIn(old, text)),
    thresholds: {
      ...(threshold !== undefined && { root: threshold }),
      ...(release !== undefined && { release }),
      ...(rollout !== undefined && { rollout }),
    },
    revoke: (args.revoke ?? []).map(digest),
    issuedMs: Date.now(),
    lifeMs: lifetimeMs(args.expires),
  });
  writeNewRoot(args.out, document, old, args.json);
  return Exit.done;
}

const LEAST_DIGITS = 8;

/** By its id, the beginning of it, or its name. */
function keyIn({ keys }: RootDocument, text: string): string {
  const plain = text.replaceAll(' ', '');
  const beginning = plain.length >= LEAST_DIGITS && /^[0-9a-f]+$/.test(plain);
  const found = Object.entries(keys).filter(
    ([id, { name }]) => name === text || (beginning && id.startsWith(plain)),
  );
  const [only] = found;
  if (only !== undefined && found.length === 1) return only[0];
  const known = Object.entries(keys).map(([id, { name }]) => `${name} (${id.slice(0, LEAST_DIGITS)})`);
  throw new UserError(
    `--remove-key ${JSON.stringify(text)}: ${found.length === 0 ? 'the root has no such key' : 'more than one key is called that'}; it has ${known.join(', ')}`,
  );
}

function digest(text: string): string {
  if (/^[0-9a-f]{64}$/.test(text)) return text;
  throw new UserError(
    `--revoke: expected the SHA-256 of an artifact (64 hexadecimal digits; edgewood models show MODEL --json has it), found ${JSON.stringify(text)}`,
  );
}
