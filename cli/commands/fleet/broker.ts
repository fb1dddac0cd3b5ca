import { resolve } from 'node:path';
import { topicLevelFault } from '../../../core/protocol/topics.ts';
import { serverNameFault } from '../../../models/access/certificate.ts';
import { BrokerDirectory } from '../../../models/access/directory.ts';
import { Exit, UserError } from '../../errors.ts';
import { RELOAD, withDirectory } from '../../fleet/access.ts';

export interface BrokerOptions {
  readonly out: string;
  readonly site: readonly string[];
  readonly 'tls-name': readonly string[];
  readonly 'installed-as'?: string | undefined;
  readonly json: boolean;
}

/** Makes the folder of a broker, or completes it: another site, a certificate that runs out, another place. */
export async function run(args: BrokerOptions): Promise<number> {
  for (const site of args.site) {
    const fault = topicLevelFault(site);
    if (fault !== null) throw new UserError(`--site ${JSON.stringify(site)}: ${fault}`);
  }
  const servers = args['tls-name'];
  const strange = servers.find(serverNameFault);
  if (strange !== undefined)
    throw new UserError(`--tls-name ${JSON.stringify(strange)}: expected a host name or an IP address`);
  const installedAs = args['installed-as'];
  // It stands in a line of mosquitto.conf.
  if (installedAs !== undefined && !/^\/[^\p{C}]*$/u.test(installedAs))
    throw new UserError(`--installed-as: expected an absolute path, found ${JSON.stringify(installedAs)}`);
  const path = resolve(args.out);
  return withDirectory(
    () => BrokerDirectory.create(path, { installedAs: installedAs ?? `${path}/mosquitto`, sites: args.site }),
    (directory) => {
      const { fleet } = directory;
      const sites = [...new Set([...fleet.sites, ...args.site])];
      if (sites.length === 0) throw new UserError('a fleet has a site: name it with --site');
      directory.fleet = { ...fleet, sites, installedAs: installedAs ?? fleet.installedAs };
      const certified = servers.length > 0 && directory.certify(servers, Date.now());
      const changed = directory.save();
      const { authority } = directory;
      if (args.json) {
        process.stdout.write(
          `${JSON.stringify({ path, sites, certified, changed: changed || certified })}\n`,
        );
        return Exit.done;
      }
      if (!changed && !certified) process.stdout.write(`${path}: nothing to change\n`);
      else process.stdout.write(`${path}: sites ${sites.join(', ')}\n${next(path, authority !== null)}`);
      return Exit.done;
    },
  );
}

const next = (path: string, authority: boolean): string =>
  [
    `  ${path}/mosquitto goes to the broker as a whole; the rest stays here (deploy/broker/README.md).`,
    authority
      ? '  ca.key is the key to the whole fleet: keep it where only you can read it.'
      : '  Put the certificate of the broker there as server.pem and server.key, or name the broker with --tls-name.',
    `  Then: edgewood fleet enroll hub-1 --role hub --broker-dir ${path} --out hub-1`,
    `  ${RELOAD}`,
    '',
  ].join('\n');
