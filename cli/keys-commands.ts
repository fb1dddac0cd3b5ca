import { type Command, command, group } from './command.ts';
import { passphraseOption, signatureOptions } from './trust/options.ts';

const json = { type: 'boolean', default: false, describe: 'Print JSON' } as const;
const file = { type: 'string', demandOption: true } as const;
const files = (describe: string) => ({ type: 'string', array: true, nargs: 1, describe }) as const;
const threshold = (what: string) => ({ type: 'number', describe: `Signatures that ${what} needs` }) as const;
const expires = { type: 'string', default: '365d', describe: 'Valid for so long' } as const;
const newRoot = { type: 'string', demandOption: true, describe: 'New file for the unsigned root' } as const;

const ROLE_FILES = {
  root: 'Public key that signs roots; several: once for each',
  release: 'Public key that signs releases',
  rollout: 'Public key that signs rollouts',
  renewal: 'Public key that may only renew a rollout as it is',
  command: 'Public key that signs commands; some only: send-samples,snooze=FILE',
} as const;

const ROOT = group(
  'root',
  'The root of the fleet: who may sign what',
  'show root.1.json',
  [
    command({
      command: 'init',
      describe: 'Write the first root of a fleet, unsigned: its keys, and how many of them have to sign',
      builder: (yargs) =>
        yargs
          .option('fleet', { type: 'string', demandOption: true, describe: 'Name of the fleet' })
          .option('root-key', { ...files(ROLE_FILES.root), demandOption: true })
          .option('threshold', { ...threshold('a root'), demandOption: true })
          .option('release-key', files(ROLE_FILES.release))
          .option('release-threshold', { ...threshold('a release'), default: 1 })
          .option('rollout-key', files(ROLE_FILES.rollout))
          .option('rollout-threshold', { ...threshold('a rollout'), default: 1 })
          .option('renewal-key', files(ROLE_FILES.renewal))
          .option('command-key', files(ROLE_FILES.command))
          .option('expires', expires)
          .option('out', newRoot)
          .option('json', json)
          .example(
            '$0 keys root init --fleet acme --root-key ann.pub --root-key bob.pub --threshold 2 --release-key ann.pub --out root.1.json',
            'Both sign roots',
          ),
      load: () => import('./commands/keys/root-init.ts'),
    }),
    command({
      command: 'sign <file>',
      describe: 'Add signatures to a root; works offline, on any machine',
      builder: (yargs) =>
        signatureOptions(yargs)
          .positional('file', { ...file, describe: 'Root' })
          .option('json', json)
          .example('$0 keys root sign root.1.json --key ann.key', 'Shows what was signed'),
      load: () => import('./commands/keys/root-sign.ts'),
    }),
    command({
      command: 'show <file>',
      describe: 'Who may sign what, who has signed, who has not, the digest to pin',
      builder: (yargs) =>
        yargs
          .positional('file', { ...file, describe: 'Root' })
          .option('after', { type: 'string', describe: 'The root before: its signatures, too' })
          .option('json', json)
          .example('$0 keys root show root.1.json', 'Before it is signed, and after'),
      load: () => import('./commands/keys/root-show.ts'),
    }),
    command({
      command: 'next <old>',
      describe: 'Write the root after a root, unsigned: other keys, revoked releases, a later expiry',
      builder: (yargs) =>
        yargs
          .positional('old', { ...file, describe: 'The root that holds now' })
          .option('add-root-key', files(ROLE_FILES.root))
          .option('add-release-key', files(ROLE_FILES.release))
          .option('add-rollout-key', files(ROLE_FILES.rollout))
          .option('add-renewal-key', files(ROLE_FILES.renewal))
          .option('add-command-key', files(ROLE_FILES.command))
          .option('remove-key', files('Key that loses all roles: name, id, or 8 digits of it'))
          .option('threshold', threshold('a root'))
          .option('release-threshold', threshold('a release'))
          .option('rollout-threshold', threshold('a rollout'))
          .option('revoke', files('SHA-256 of an artifact that no host may run any more'))
          .option('expires', expires)
          .option('out', newRoot)
          .option('json', json)
          .example(
            '$0 keys root next root.1.json --add-root-key cyd.pub --remove-key bob --out root.2.json',
            'Rotation: old and new keys sign',
          ),
      load: () => import('./commands/keys/root-next.ts'),
    }),
    command({
      command: 'verify <new>',
      describe: 'Would hosts take this root? Exit code 4 where not',
      builder: (yargs) =>
        yargs
          .positional('new', { ...file, describe: 'Root' })
          .option('after', { type: 'string', describe: 'The root that hosts trust' })
          .option('pin', { type: 'string', describe: 'A first root: the digest that installations pin' })
          .option('json', json)
          .example('$0 keys root verify root.2.json --after root.1.json', 'Before it is published'),
      load: () => import('./commands/keys/root-verify.ts'),
    }),
  ],
  'keys',
);

/** `edgewood keys …`: whom the fleet trusts. */
export const KEYS: Command = group(
  'keys',
  'Keys of the fleet, and the root that says what they may sign',
  'create dan',
  [
    command({
      command: 'create <name>',
      describe: 'Make an Ed25519 key pair: NAME.key (mode 0600) and NAME.pub',
      builder: (yargs) =>
        passphraseOption(yargs)
          .positional('name', { type: 'string', demandOption: true, describe: 'Whose key, or what for' })
          .option('out', { type: 'string', default: '.', describe: 'Directory' })
          .option('json', json)
          .example('$0 keys create dan', 'On the machine that will sign'),
      load: () => import('./commands/keys/create.ts'),
    }),
    command({
      command: 'fingerprint <files..>',
      describe: 'Fingerprints to compare by telephone: of keys, and of a root and all keys in it',
      builder: (yargs) =>
        passphraseOption(yargs)
          .positional('files', {
            type: 'string',
            array: true,
            demandOption: true,
            describe: 'Keys and roots',
          })
          .option('json', json)
          .example('$0 keys fingerprint ann.pub root.1.json', 'In groups of eight'),
      load: () => import('./commands/keys/fingerprint.ts'),
    }),
    ROOT,
  ],
);
