import { DEFAULT_LIMITS, FIRST_AGENT } from '../models/release/limits.ts';
import { brokerOptions } from './broker/options.ts';
import { type Command, command, group } from './command.ts';
import { registryOption } from './model-options.ts';
import { keyOptions, signatureOptions } from './trust/options.ts';

const json = { type: 'boolean', default: false, describe: 'Print JSON' } as const;
const why = { type: 'string', describe: 'For the audit log' } as const;
const release = {
  type: 'string',
  demandOption: true,
  describe: 'Release file, or name@version or name@alias of the registry',
} as const;
const root = { type: 'string', describe: 'The root that holds: whose signatures count' } as const;

/** `edgewood release …`: a registered model as a signed document that hosts take. */
export const RELEASE: Command = group('release', 'Signed releases of registered models', 'show web@1', [
  command({
    command: 'create <model>',
    describe: 'Write the release of a registered model, and sign it; once a version',
    builder: (yargs) =>
      keyOptions(registryOption(yargs))
        .positional('model', { type: 'string', demandOption: true, describe: 'NAME@VERSION or NAME@ALIAS' })
        .option('root', { ...root, demandOption: true })
        .option('expires', { type: 'string', default: '180d', describe: 'No host installs it later' })
        .option('minimum-agent', {
          type: 'string',
          default: FIRST_AGENT,
          describe: 'Hosts with an older agent do not take it',
        })
        .option('score-ms', {
          type: 'number',
          default: DEFAULT_LIMITS.scoreMs,
          describe: 'Most that scoring a sample may take on a host (median)',
        })
        .option('memory', {
          type: 'string',
          default: `${DEFAULT_LIMITS.memoryBytes / 1024 ** 2}MiB`,
          describe: 'Most that it may add on a host',
        })
        .option('flag-share', {
          type: 'number',
          default: DEFAULT_LIMITS.flagShare,
          describe: "Share of a host's own history that it may flag",
        })
        .option('out', { type: 'string', describe: 'A copy there, e.g. for another machine to sign' })
        .option('why', why)
        .option('dry-run', { type: 'boolean', default: false, describe: 'Show it, write nothing' })
        .option('json', json)
        .example(
          '$0 release create web@production --root root.1.json --key ann.key',
          'Says who else has to sign',
        ),
    load: () => import('./commands/release/create.ts'),
  }),
  command({
    command: 'sign <release>',
    describe: 'Add signatures to a release; of a file: offline, on any machine',
    builder: (yargs) =>
      signatureOptions(registryOption(yargs))
        .positional('release', release)
        .option('root', root)
        .option('why', why)
        .option('json', json)
        .example('$0 release sign web-1.json --key bob.key', 'Shows what was signed'),
    load: () => import('./commands/release/sign.ts'),
  }),
  command({
    command: 'show <release>',
    describe: 'What it holds, who has signed, who has not',
    builder: (yargs) =>
      registryOption(yargs)
        .positional('release', release)
        .option('root', root)
        .option('json', json)
        .example('$0 release show web@1 --root root.1.json', 'With the names of who signed'),
    load: () => import('./commands/release/show.ts'),
  }),
  command({
    command: 'verify <release>',
    describe: 'Would hosts take this release? Exit code 4 where not',
    builder: (yargs) =>
      registryOption(yargs)
        .positional('release', release)
        .option('root', { ...root, demandOption: true })
        .option('artifact', { type: 'string', describe: 'The model itself: digests, and all golden rows' })
        .option('json', json)
        .example('$0 release verify web@1 --root root.1.json', 'Before it is published'),
    load: () => import('./commands/release/verify.ts'),
  }),
  command({
    command: 'publish <release>',
    describe:
      'Put roots, model and release on the broker, where hosts fetch them; again: only what is missing',
    builder: (yargs) =>
      brokerOptions(registryOption(yargs))
        .positional('release', { ...release, describe: 'NAME@VERSION or NAME@ALIAS' })
        .option('root', {
          type: 'string',
          array: true,
          nargs: 1,
          demandOption: true,
          describe: 'Root; several: once for each, so that hosts with an older one find their way',
        })
        .option('why', why)
        .option('dry-run', {
          type: 'boolean',
          default: false,
          describe: 'Say what is missing, publish nothing',
        })
        .option('json', json)
        .example(
          '$0 release publish web@1 --root root.1.json --broker mqtts://broker',
          'For the site default',
        ),
    load: () => import('./commands/release/publish.ts'),
  }),
]);
