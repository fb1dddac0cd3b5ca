import type { Argv } from 'yargs';
import { VERDICTS } from '../core/protocol/verdict.ts';
import { brokerOptions } from './broker/options.ts';
import { type Command, command } from './command.ts';
import { keyOptions } from './trust/options.ts';

const HOST = { type: 'string', demandOption: true, describe: 'Host id at --site, or SITE/ID' } as const;

/** Whoever may tell a host to do something. */
const signing = <T>(yargs: Argv<T>) =>
  keyOptions(brokerOptions(yargs))
    .option('root', {
      type: 'string',
      demandOption: true,
      describe: 'The root that holds: the fleet, and who may sign this command',
    })
    .option('timeout', { type: 'string', default: '60s', describe: 'Wait so long for an answer' })
    .option('json', { type: 'boolean', default: false, describe: 'Print JSON, one line a host' });

const hosts = <T>(yargs: Argv<T>) => signing(yargs).positional('host', { ...HOST, array: true });

const SIGNED = '--root root.1.json --key ops.key --broker mqtts://broker';

/** `edgewood fleet samples|snooze|verdict|self-test`: commands that operators sign, and single hosts carry out. */
export const FLEET_OPERATOR: readonly Command[] = [
  command({
    command: 'samples <host..>',
    describe: 'Fetch samples of hosts by signed send-samples commands, as CSV that `train` reads',
    builder: (yargs) =>
      hosts(yargs)
        .option('from', { type: 'string', default: '24h', describe: 'A time, or how long ago' })
        .option('to', { type: 'string', describe: 'Likewise; by default now' })
        .option('out', { type: 'string', describe: 'Write DIR/HOST.csv' })
        .option('store', { type: 'boolean', default: false, describe: "Keep them in the hub's database" })
        .option('state-dir', { type: 'string', describe: "The hub's directory (EDGEWOOD_HUB_STATE_DIR)" })
        .example(`$0 fleet samples web-7 --from 7d --out samples ${SIGNED}`, 'Then: train samples/*.csv'),
    load: () => import('./commands/fleet/samples.ts'),
  }),
  command({
    command: 'snooze <host..>',
    describe: 'No alerts of hosts for a while, by signed command',
    builder: (yargs) =>
      hosts(yargs)
        .option('for', { type: 'string', describe: 'How long: up to 24h' })
        .option('end', { type: 'boolean', default: false, describe: 'Raise alerts again' })
        .option('reason', { type: 'string', default: '', describe: 'Shown by `edgewood status`' })
        .example(`$0 fleet snooze web-7 web-8 --for 2h --reason "disk swap" ${SIGNED}`, ''),
    load: () => import('./commands/fleet/snooze.ts'),
  }),
  command({
    command: 'verdict <host> <incident> <verdict>',
    describe: 'Say whether an alert of a host was right, by signed command',
    builder: (yargs) =>
      signing(yargs)
        .positional('host', HOST)
        .positional('incident', {
          type: 'string',
          demandOption: true,
          describe: 'Id of the incident, or how it begins',
        })
        .positional('verdict', { choices: VERDICTS, demandOption: true })
        .option('note', { type: 'string', default: '', describe: 'Kept with it' })
        .example(`$0 fleet verdict web-7 3f2a9c1d false --note backup ${SIGNED}`, ''),
    load: () => import('./commands/fleet/verdict.ts'),
  }),
  command({
    command: 'self-test <host..>',
    describe: 'Ask hosts how they are, by signed command: state and counters',
    builder: (yargs) => hosts(yargs).example(`$0 fleet self-test web-7 ${SIGNED}`, ''),
    load: () => import('./commands/fleet/self-test.ts'),
  }),
];
