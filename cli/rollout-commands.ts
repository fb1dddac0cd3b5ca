import type { Argv } from 'yargs';
import { brokerOptions } from './broker/options.ts';
import { type Command, command, group } from './command.ts';
import { registryOption } from './model-options.ts';
import { keyOptions } from './trust/options.ts';

const json = { type: 'boolean', default: false, describe: 'Print JSON' } as const;
const model = { type: 'string', describe: 'Model; without: the only one that is rolled out' } as const;
const why = { type: 'string', describe: 'For the audit log' } as const;
const dryRun = { type: 'boolean', default: false, describe: 'Say what would be done, do nothing' } as const;

/** A rollout remembers its sites. */
const siteOfStart = { type: 'string', array: true, nargs: 1, hidden: true } as const;

/** Whoever writes rollouts. */
const desk = <T>(yargs: Argv<T>) =>
  keyOptions(registryOption(brokerOptions(yargs)))
    .option('root', {
      type: 'string',
      demandOption: true,
      describe: 'The root that holds: whose signatures count',
    })
    .option('adopt', {
      type: 'boolean',
      default: false,
      describe: 'Take a newer document at the broker into this registry, after it was restored',
    })
    .option('dry-run', dryRun)
    .option('json', json);

const ADVANCE_EXAMPLE = 'advance web --root root.1.json --key ops.key --broker mqtts://broker';

const change = (action: 'pause' | 'resume' | 'abort' | 'renew', describe: string, key: string): Command =>
  command({
    command: `${action} [model]`,
    describe,
    builder: (yargs) =>
      desk(yargs)
        .positional('model', model)
        .option('site', siteOfStart)
        .option('action', { type: 'string', default: action as string, hidden: true })
        .option('why', why)
        .example(
          `$0 rollout ${action} web --root root.1.json --key ${key} --broker mqtts://broker`,
          describe,
        ),
    load: () => import('./commands/rollout/change.ts'),
  });

/** `edgewood rollout …`: a release to the fleet, in stages, and back where it is worse. */
export const ROLLOUT: Command = group('rollout', 'A release to the fleet, in stages', ADVANCE_EXAMPLE, [
  command({
    command: 'start <release>',
    describe: 'Begin with the first stage: 1 % of the selected hosts, at least 20',
    builder: (yargs) =>
      desk(yargs)
        .positional('release', {
          type: 'string',
          demandOption: true,
          describe: 'Release file, or name@version or name@alias of the registry',
        })
        .option('label', {
          type: 'string',
          array: true,
          nargs: 1,
          describe: 'Only hosts with this NAME=VALUE; several: with all of them',
        })
        .option('id', { type: 'string', array: true, nargs: 1, describe: 'Only these hosts' })
        .option('mode', {
          choices: ['apply', 'shadow'] as const,
          default: 'apply' as const,
          describe:
            'shadow: try it on all hosts without alarming first; where the gate holds, apply it by itself',
        })
        .option('stages', {
          type: 'string',
          describe: 'Percent, with commas [1,10,50,100; after shadow 10,50,100]',
        })
        .option('soak', {
          type: 'string',
          describe: 'Of each stage; the last holds for the others [1h,6h,24h]',
        })
        .option('jitter', { type: 'string', default: '10m', describe: 'Hosts begin within this time' })
        .option('shadow-rows', { type: 'number', describe: 'Stored rows that each host tries it on [17280]' })
        .option('probation', { type: 'string', describe: 'Both models run so long, the old one alarms [1h]' })
        .option('watchdog', {
          type: 'string',
          describe: 'The old one runs beside it so long after the switch [24h]',
        })
        .option('timeout', {
          type: 'string',
          describe: 'A host that has not committed by then gives up [6h]',
        })
        .option('committed', {
          type: 'number',
          describe: 'Percent of the online hosts that end a stage [100]',
        })
        .option('disagreement', {
          type: 'number',
          describe: 'shadow: percent of rows that one of the two flags [2]',
        })
        .option('shadow-least-rows', {
          type: 'number',
          describe: 'shadow: rows that it takes to decide [10000]',
        })
        .option('expires', { type: 'string', describe: 'No host begins later, unless it is renewed [7d]' })
        .option('why', why)
        .example(
          '$0 rollout start web@2 --root root.1.json --key ops.key --broker mqtts://broker --dry-run',
          'Which hosts would begin',
        ),
    load: () => import('./commands/rollout/start.ts'),
  }),
  command({
    command: 'status [model]',
    describe: 'How far it is, who has failed, what comes next',
    builder: (yargs) =>
      registryOption(brokerOptions(yargs))
        .positional('model', model)
        .option('site', siteOfStart)
        .option('json', json)
        .example('$0 rollout status web --broker mqtts://broker', 'No key is needed'),
    load: () => import('./commands/rollout/status.ts'),
  }),
  command({
    command: 'advance [model]',
    describe: 'Judge, and do what follows: the next stage, or back; exit code 1 where it was aborted',
    builder: (yargs) =>
      desk(yargs)
        .positional('model', model)
        .option('site', siteOfStart)
        .option('watch', { type: 'boolean', default: false, describe: 'Until it is complete or aborted' })
        .option('every', { type: 'string', default: '30s', describe: 'watch: look so often' })
        .example(`$0 rollout ${ADVANCE_EXAMPLE} --watch`, 'Can be stopped and started again at any time'),
    load: () => import('./commands/rollout/advance.ts'),
  }),
  change('pause', 'No host begins anything; what is under way goes on', 'ops.key'),
  change('resume', 'On after a pause', 'ops.key'),
  change('abort', 'Every host goes back to the release before', 'ops.key'),
  change('renew', 'The same document with later dates; a renewal key is enough', 'renewal.key'),
  command({
    command: 'history [model]',
    describe: 'Who decided what, when and why',
    builder: (yargs) =>
      registryOption(yargs)
        .positional('model', model)
        .option('json', json)
        .example('$0 rollout history web', 'Oldest first'),
    load: () => import('./commands/rollout/history.ts'),
  }),
]);
