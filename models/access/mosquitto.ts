import { MAX_INBOUND_PACKET_BYTES } from '../../core/protocol/limits.ts';
import { type Fleet, usersOf } from './fleet.ts';
import { ROLES, rightsOf } from './roles.ts';

/** Renders the access table for Mosquitto 2.0. Pure. */

/** In the folder that the broker reads. */
export const FILES = {
  configuration: 'edgewood.conf',
  acl: 'acl',
  passwords: 'passwords',
  authority: 'ca.pem',
  certificate: 'server.pem',
  key: 'server.key',
} as const;

const PASSWORD_PORT = 8883;
const CERTIFICATE_PORT = 8884;
const QUEUED_BYTES = 128 * 2 ** 20;
/** As good as none. 0 means none, but then 2.0.11 ends a connection at the first publish that it refuses. */
const QUEUED_MESSAGES = 1_000_000;
const AUTOSAVE_SECONDS = 60;
const MAX_KEEPALIVE_SECONDS = 120;

const MADE =
  '# Made by `edgewood fleet`, which writes over it: change the fleet with its commands, not this file.';

/** @param authority whether there is one of the fleet's own, for client certificates */
export function renderConfiguration({ installedAs }: Fleet, authority: boolean): string {
  const at = (name: string): string => `${installedAs}/${name}`;
  const tls = [
    `certfile ${at(FILES.certificate)}`,
    `keyfile ${at(FILES.key)}`,
    '# The oldest that is spoken; 1.3 is, too.',
    'tls_version tlsv1.2',
  ];
  return [
    MADE,
    '# For /etc/mosquitto/conf.d/. The rules below hold for every listener of this broker, also for others than these.',
    '',
    'per_listener_settings false',
    'allow_anonymous false',
    `password_file ${at(FILES.passwords)}`,
    `acl_file ${at(FILES.acl)}`,
    '',
    '# The largest packet that an agent takes; chunks and events are at most 64 KiB.',
    `max_packet_size ${MAX_INBOUND_PACKET_BYTES}`,
    '# What waits for one client is bounded in bytes. The default of 1000 messages would cut reading the retained',
    '# state of a larger fleet short, without a word; with 0, Mosquitto 2.0.11 ends the connection of whoever is',
    '# refused a publish.',
    `max_queued_messages ${QUEUED_MESSAGES}`,
    `max_queued_bytes ${QUEUED_BYTES}`,
    '# Alerts live for seven days; so does a session that waits for them.',
    'persistent_client_expiration 7d',
    '# Agents send a sign of life every 30 s; a client that is gone is noticed within three minutes.',
    `max_keepalive ${MAX_KEEPALIVE_SECONDS}`,
    'allow_zero_length_clientid false',
    '',
    '# Retained documents outlive a restart. A broker that is killed loses what came since the last save (by default',
    '# half an hour); agents publish their state again, `edgewood fleet verify` restores the documents.',
    'persistence true',
    `autosave_interval ${AUTOSAVE_SECONDS}`,
    '',
    '# Who comes with user and password.',
    `listener ${PASSWORD_PORT}`,
    ...tls,
    ...(authority
      ? [
          '',
          "# Who comes with a certificate of the fleet's own authority: its common name is the user.",
          `listener ${CERTIFICATE_PORT}`,
          ...tls,
          `cafile ${at(FILES.authority)}`,
          'require_certificate true',
          'use_identity_as_username true',
        ]
      : []),
    '',
  ].join('\n');
}

/** `user` and `topic` lines for each; no `pattern`, which would serve every user, whatever its role. */
export function renderAcl({ enrolled, sites }: Fleet): string {
  const lines = [MADE, '# What is not allowed here is refused.'];
  for (const one of enrolled.values()) {
    const rights = rightsOf(one, sites).map(({ access, topic }) => `topic ${access} ${topic}`);
    for (const user of usersOf(one)) lines.push('', `user ${user}`, ...rights);
  }
  return `${lines.join('\n')}\n`;
}

/** Hashes by user. @throws RangeError naming the line that is none */
export function parsePasswords(text: string): Map<string, string> {
  const hashes = new Map<string, string>();
  for (const [i, line] of text.split('\n').entries()) {
    if (line === '' || line.startsWith('#')) continue;
    const [, user, hash] = /^([^:]+):(\$[67]\$\S+)$/.exec(line) ?? [];
    if (user === undefined || hash === undefined)
      throw new RangeError(`line ${i + 1}: expected USER:HASH as mosquitto_passwd writes them`);
    hashes.set(user, hash);
  }
  return hashes;
}

const OURS = new RegExp(`^(?:${ROLES.join('|')})/`);

/** Users of the fleet that are enrolled with a password, and whoever else was there. */
export function renderPasswords({ enrolled }: Fleet, hashes: ReadonlyMap<string, string>): string {
  const users = [...hashes.keys()].filter((user) => !OURS.test(user));
  users.push(...[...enrolled.values()].flatMap(usersOf));
  const lines = users.filter((user) => hashes.has(user)).map((user) => `${user}:${hashes.get(user)}`);
  return lines.map((line) => `${line}\n`).join('');
}
