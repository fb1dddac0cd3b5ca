import type { Argv } from 'yargs';
import { ROLES } from '../models/access/roles.ts';
import { type Command, command } from './command.ts';

const brokerDir = <T>(yargs: Argv<T>) =>
  yargs
    .option('broker-dir', {
      type: 'string',
      demandOption: true,
      describe: 'What `fleet broker` has made',
    })
    .option('role', { choices: ROLES, default: 'agent' as const, describe: 'Of whom' })
    .option('from', { type: 'string', describe: 'Many at once: HOST-ID or HOST-ID,SITE a line (`-`: stdin)' })
    .option('json', { type: 'boolean', default: false, describe: 'Print JSON' });

/** `edgewood fleet broker|enroll|revoke`: who may do what at the broker. */
export const FLEET_ACCESS: readonly Command[] = [
  command({
    command: 'broker',
    describe: 'Access rules, passwords and certificates for a Mosquitto 2.0, in a folder to put in place',
    builder: (yargs) =>
      yargs
        .option('out', {
          type: 'string',
          demandOption: true,
          describe: 'Folder; what is there is kept and completed',
        })
        .option('site', {
          type: 'string',
          array: true,
          default: [] as string[],
          describe: 'Site of the fleet; may be repeated, and added later',
        })
        .option('tls-name', {
          type: 'string',
          array: true,
          default: [] as string[],
          describe: "The broker's host name or address: makes an authority, and a certificate for it",
        })
        .option('installed-as', {
          type: 'string',
          describe: 'Where the broker will find OUT/mosquitto, e.g. /etc/mosquitto/edgewood',
        })
        .option('json', { type: 'boolean', default: false, describe: 'Print JSON' })
        .example('$0 fleet broker --out broker --site berlin --tls-name broker.example', 'Begin a fleet'),
    load: () => import('./commands/fleet/broker.ts'),
  }),
  command({
    command: 'enroll [name]',
    describe: 'Credentials for an agent (or an operator, a hub, …), let in by the broker; --renew: new ones',
    readsStandardInput: true,
    builder: (yargs) =>
      brokerDir(yargs)
        .positional('name', { type: 'string', describe: "The agent's host id (edgewood identity show)" })
        .option('site', {
          type: 'string',
          array: true,
          default: [] as string[],
          describe: 'Site of the agent; for other roles any number, by default all',
        })
        .option('out', {
          type: 'string',
          describe: 'Folder for the credentials; with --from, of a folder for each',
        })
        .option('certificate', {
          type: 'boolean',
          default: false,
          describe: 'A client certificate instead of a password',
        })
        .option('days', { type: 'number', default: 365, describe: 'How long a certificate holds' })
        .option('renew', {
          type: 'boolean',
          default: false,
          describe: 'New credentials; those before hold until --finish',
        })
        .option('finish', {
          type: 'boolean',
          default: false,
          describe: 'Refuse the credentials from before the last --renew',
        })
        .example('$0 fleet enroll 3f2a9c1d5b7e8f60 --site berlin --broker-dir broker --out cred', 'One host'),
    load: () => import('./commands/fleet/enroll.ts'),
  }),
  command({
    command: 'revoke [name]',
    describe: 'Let somebody in no more; what it has retained: edgewood decommission',
    readsStandardInput: true,
    builder: (yargs) =>
      brokerDir(yargs)
        .positional('name', { type: 'string', describe: 'Host id, or name for another role' })
        .option('site', { type: 'string', describe: 'Site of the agent' })
        .example('$0 fleet revoke 3f2a9c1d5b7e8f60 --site berlin --broker-dir broker', 'A host that is gone'),
    load: () => import('./commands/fleet/revoke.ts'),
  }),
];
