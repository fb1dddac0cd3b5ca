import type { Argv } from 'yargs';
import type { SinkConfig } from '../../agent/config/config.ts';
import { topicLevelFault } from '../../core/protocol/topics.ts';
import { UserError } from '../errors.ts';

/** Where the broker is and who we are to it: the same for every central command. */
export interface BrokerOptions {
  readonly broker?: string | undefined;
  readonly site?: readonly string[] | undefined;
  readonly username?: string | undefined;
  readonly 'username-file'?: string | undefined;
  readonly 'password-file'?: string | undefined;
  readonly 'ca-file'?: string | undefined;
  readonly 'cert-file'?: string | undefined;
  readonly 'key-file'?: string | undefined;
}

const CREDENTIALS = {
  username: 'username',
  'username-file': 'usernameFile',
  'password-file': 'passwordFile',
  'ca-file': 'caFile',
  'cert-file': 'certFile',
  'key-file': 'keyFile',
} as const;

export const brokerOptions = <T>(yargs: Argv<T>) =>
  yargs
    .option('broker', {
      type: 'string',
      describe: 'mqtts://HOST[:8883] or mqtt://HOST[:1883] (EDGEWOOD_BROKER)',
    })
    .option('site', {
      type: 'string',
      array: true,
      nargs: 1,
      describe: 'Site; several: once for each (EDGEWOOD_SITE: with commas)',
    })
    .option('username', { type: 'string', describe: 'User name at the broker (EDGEWOOD_BROKER_USERNAME)' })
    .option('username-file', { type: 'string', describe: 'File with the user name' })
    .option('password-file', { type: 'string', describe: 'File with the password, mode 0600' })
    .option('ca-file', { type: 'string', describe: "The broker's authority (PEM)" })
    .option('cert-file', { type: 'string', describe: 'Client certificate (PEM)' })
    .option('key-file', { type: 'string', describe: 'Its key (PEM), mode 0600' });

/** As in agent/config/keys.ts. */
export const DEFAULT_SITE = 'default';

const environment = (name: string): string | undefined => {
  const value = process.env[name];
  return value === '' ? undefined : value;
};

const variable = (flag: string): string => `EDGEWOOD_BROKER_${flag.replaceAll('-', '_').toUpperCase()}`;

/** @throws UserError where no broker is named */
export function brokerConfig(options: BrokerOptions): SinkConfig {
  const url = options.broker ?? environment('EDGEWOOD_BROKER');
  if (url === undefined)
    throw new UserError('which broker? Name it with --broker mqtts://HOST, or in EDGEWOOD_BROKER');
  const credentials = Object.entries(CREDENTIALS).flatMap(([flag, key]) => {
    const value = options[flag as keyof typeof CREDENTIALS] ?? environment(variable(flag));
    return value === undefined ? [] : [[key, value] as const];
  });
  return { type: 'mqtt', name: 'broker', url, ...Object.fromEntries(credentials) };
}

/** Sites that a command is about, each once; the agents' default where none is named. @throws UserError */
export function brokerSites(options: BrokerOptions): readonly string[] {
  const sites = options.site ?? environment('EDGEWOOD_SITE')?.split(',') ?? [DEFAULT_SITE];
  for (const site of sites) {
    const fault = topicLevelFault(site);
    if (fault !== null) throw new UserError(`--site: ${fault}`);
  }
  return [...new Set(sites)];
}
