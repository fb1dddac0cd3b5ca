import type { Argv } from 'yargs';
import { brokerOptions } from './broker/options.ts';
import { type Command, command, group } from './command.ts';
import { FLEET_ACCESS } from './fleet-access-commands.ts';
import { FLEET_OPERATOR } from './fleet-operator-commands.ts';
import { registryOption } from './model-options.ts';

/** `edgewood hub` and `edgewood fleet …`: the central process, and what it knows. */

const stateDir = {
  type: 'string',
  describe: "The hub's directory (EDGEWOOD_HUB_STATE_DIR), by default `hub` in the agent's",
} as const;
const json = { type: 'boolean', default: false, describe: 'Print JSON' } as const;

const reading = <T>(yargs: Argv<T>) => yargs.option('state-dir', stateDir).option('json', json);

export const HUB: Command = command({
  command: 'hub',
  describe: 'Gather from the fleet, in the foreground, until stopped: store, acknowledge, watch',
  builder: (yargs) =>
    brokerOptions(yargs)
      .option('state-dir', stateDir)
      .option('shard', {
        type: 'string',
        default: '1/1',
        describe: 'Keep only this part of the hosts, e.g. 2/4',
      })
      .option('silent-after', { type: 'string', default: '2m', describe: 'No host is called silent before' })
      .option('retention', { type: 'string', default: '90d', describe: 'How long events are kept' })
      .option('max-size', {
        type: 'string',
        default: '4GB',
        describe: 'Of the database; the oldest go first',
      })
      .option('influx', {
        type: 'string',
        describe: 'All that it stores there as well, e.g. https://influx:8086?org=o&bucket=b',
      })
      .option('influx-token-file', {
        type: 'string',
        describe: 'File with its token (EDGEWOOD_INFLUX_TOKEN_FILE)',
      })
      .option('log-level', { type: 'string', default: 'info', describe: 'debug, info, warning or error' })
      .option('log-format', { type: 'string', default: 'auto', describe: 'auto, json or pretty' })
      .example(
        '$0 hub --broker mqtts://broker --site lab --username hub --password-file hub.secret',
        'One site',
      ),
  load: () => import('./commands/hub.ts'),
});

export const FLEET: Command = group(
  'fleet',
  'All hosts: state, live view, check against the broker, samples',
  'status',
  [
    command({
      command: 'status',
      describe: 'Hosts online, silent, in an incident; versions, models, rollouts, gaps: what the hub knows',
      builder: (yargs) =>
        reading(yargs)
          .option('all', {
            type: 'boolean',
            default: false,
            describe: 'Every host, not only those to look at',
          })
          .option('limit', { type: 'number', default: 20, describe: 'How many hosts are listed' })
          .example('$0 fleet status --json', 'Every host, for a script'),
      load: () => import('./commands/fleet/status.ts'),
    }),
    command({
      command: 'watch',
      describe: 'Alerts and changes of the fleet as they come, until interrupted',
      builder: (yargs) => reading(yargs).example('$0 fleet watch --json', 'NDJSON, for a program'),
      load: () => import('./commands/fleet/watch.ts'),
    }),
    command({
      command: 'verify',
      describe:
        'What the broker retains against what hub and registry know, and put it back; exit code 1 where they differ',
      builder: (yargs) =>
        registryOption(brokerOptions(reading(yargs)))
          .option('check', {
            type: 'string',
            array: true,
            nargs: 1,
            choices: ['hosts', 'releases', 'rollouts'] as const,
            describe: 'Only this; several: once for each. By default all that there is something of here',
          })
          .option('repair', {
            type: 'boolean',
            default: false,
            describe: 'Publish again what the broker lost of releases and rollouts; no key is needed',
          })
          .option('limit', { type: 'number', default: 20, describe: 'How many findings are listed' })
          .example('$0 fleet verify --broker mqtts://broker --site lab', 'After a broker lost its state')
          .example('$0 fleet verify --check rollouts --repair --broker mqtts://broker --site lab', ''),
      load: () => import('./commands/fleet/verify.ts'),
    }),
    ...FLEET_OPERATOR,
    ...FLEET_ACCESS,
  ],
);
