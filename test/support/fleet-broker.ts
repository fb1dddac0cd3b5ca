import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SinkConfig } from '../../agent/config/config.ts';
import { BrokerDirectory } from '../../models/access/directory.ts';
import type { Enrolled } from '../../models/access/fleet.ts';
import { hashPassword, randomPassword } from '../../models/access/password.ts';
import { type Role, userName } from '../../models/access/roles.ts';
import { freePort, type Mosquitto, startMosquitto } from './mosquitto.ts';

/** A mosquitto with the configuration that `fleet broker` writes, for proofs and benchmarks: TLS, passwords, rules. */

export interface FleetBroker {
  readonly mosquitto: Mosquitto;
  readonly url: string;
  /** What a client of that name needs. All share one password: what is measured is not their variety. */
  credentials(role: Role, name: string): Pick<SinkConfig, 'username' | 'passwordFile' | 'caFile'>;
}

export interface FleetBrokerOptions {
  readonly site: string;
  readonly identities: readonly (readonly [Role, string])[];
  /** Without: what is retained and who subscribed is gone with a kill. */
  readonly persistence: boolean;
}

/** @param directory for its files; the caller removes it */
export async function startFleetBroker(
  directory: string,
  { site, identities, persistence }: FleetBrokerOptions,
): Promise<FleetBroker> {
  const folder = join(directory, 'mosquitto');
  const made = BrokerDirectory.create(directory, { installedAs: folder, sites: [site] });
  made.certify(['localhost', '127.0.0.1'], Date.now());
  const password = randomPassword();
  const passwordFile = join(directory, 'password');
  writeFileSync(passwordFile, password, { mode: 0o600 });
  const hash = hashPassword(password);
  const enrolled = (role: Role, name: string): Enrolled => ({
    role,
    name,
    sites: role === 'agent' ? [site] : null,
    method: 'password',
    generation: 1,
    former: null,
  });
  for (const [role, name] of identities) {
    const one = enrolled(role, name);
    made.hashes.set(userName(one), hash);
    made.put(one);
  }
  made.save();
  made.release();
  const lines = installedLines(folder, await freePort());
  const kept = lines.configuration.filter((line) => persistence || !/^(?:persistence |autosave)/.test(line));
  const mosquitto = await startMosquitto(kept, {}, lines.listener);
  return {
    mosquitto,
    url: `mqtts://localhost:${mosquitto.port}`,
    credentials: (role, name) => ({
      username: userName(enrolled(role, name)),
      passwordFile,
      caFile: join(folder, 'ca.pem'),
    }),
  };
}

/** `edgewood.conf` as it was written, for `startMosquitto`; only ports and the place to persist are others. */
export function installedLines(
  folder: string,
  certificatePort: number,
): { readonly listener: string[]; readonly configuration: string[] } {
  const text = readFileSync(join(folder, 'edgewood.conf'), 'utf8');
  const [head = '', password = '', certificate = ''] = text.split(/^listener \d+$/m);
  const lines = (part: string): string[] => part.split('\n').filter((line) => line !== '');
  return {
    listener: lines(password),
    configuration: [
      ...lines(head),
      'persistence_location @/',
      `listener ${certificatePort} 127.0.0.1`,
      ...lines(certificate),
    ],
  };
}
