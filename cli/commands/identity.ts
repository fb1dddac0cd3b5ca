import { randomBytes } from 'node:crypto';
import { accessSync, constants, statSync } from 'node:fs';
import { ConfigError, mergeSettings, resolveConfig } from '../../agent/config/config.ts';
import {
  decideIdentity,
  type Identity,
  readHardware,
  readIdentity,
  readMachineId,
  writeIdentity,
} from '../../agent/identity.ts';
import { printable } from '../../agent/log.ts';
import { askStatus } from '../doctor/agent.ts';
import { Exit, UserError } from '../errors.ts';
import { configFile, readSettings, type SettingOptions } from '../settings.ts';

export interface IdentityOptions extends SettingOptions {
  readonly action: string;
  readonly json: boolean;
}

const FROM = {
  configuration: 'hostId in the configuration',
  drawn: 'drawn by `edgewood identity renew`',
  'machine-id': 'the machine id, hashed with the site',
  random: 'drawn at the first start: there is no machine id',
} as const;

/** Looks at the files, not at a running agent: it has to be told anew at its next start anyhow. */
export async function run(args: IdentityOptions): Promise<number> {
  try {
    const config = resolveConfig([mergeSettings(await readSettings(args))]);
    const known = readIdentity(config.stateDir);
    const identity = decideIdentity({
      configured: config.hostId,
      site: config.site,
      machineId: readMachineId(),
      hardware: readHardware(),
      known,
      drawId: () => 'drawn at the first start',
    });
    if (args.action === 'show') {
      readable(config.stateDir);
      const status = await askStatus(config.socket);
      return show(
        identity,
        status?.host.labels ?? config.labels,
        configFile(args.config) !== null,
        args.json,
      );
    }
    if (known === null) {
      throw new UserError(
        `no agent has run with ${config.stateDir} yet, or it can't be read by this user; the agent makes its identity at its first start`,
      );
    }
    return args.action === 'renew'
      ? renew(config.stateDir, identity, config.hostId)
      : keep(config.stateDir, identity);
  } catch (error) {
    throw error instanceof ConfigError ? new UserError(error.message) : error;
  }
}

/** What it is now; what it will be only where a configuration says so. */
function show(
  { record, from, change, before }: Identity,
  labels: Readonly<Record<string, string>>,
  configured: boolean,
  json: boolean,
): number {
  const now = before !== null && !configured ? before : record;
  const next = configured ? change : null;
  const suspect = now.suspect === true;
  if (json) {
    process.stdout.write(
      `${JSON.stringify({ hostId: now.hostId, site: now.site, from, labels, suspect, change: next })}\n`,
    );
    return suspect ? Exit.checkSaysNo : Exit.done;
  }
  const shown = Object.entries(labels).map(([name, value]) => `${printable(name)}=${printable(value)}`);
  const lines = [
    `host id  ${printable(now.hostId)}${now.hostId === record.hostId ? `  (${FROM[from]})` : ''}`,
    `site     ${printable(now.site)}`,
    `labels   ${shown.join(', ') || 'none'}`,
    ...(next === null ? [] : [`at its next start the agent will be ${next}: a new epoch begins`]),
    ...(suspect
      ? [
          'This looks like a copy of another machine: all its network hardware is other than before.',
          'A copy: edgewood identity renew. The same machine with new hardware: edgewood identity keep.',
        ]
      : []),
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
  return suspect ? Exit.checkSaysNo : Exit.done;
}

/** What can't be looked into says nothing about who this host is. */
function readable(stateDir: string): void {
  const about = statSync(stateDir, { throwIfNoEntry: false });
  if (about === undefined) return;
  if (!about.isDirectory())
    throw new UserError(`${stateDir} is no directory; the state directory is named with --state-dir`);
  try {
    accessSync(stateDir, constants.R_OK | constants.X_OK);
  } catch {
    throw new UserError(
      `${stateDir} is not open to this user; run it as root, or as a member of the agent's group`,
    );
  }
}

function renew(stateDir: string, { record }: Identity, configured: string | null): number {
  if (configured !== null) {
    throw new UserError(`hostId is set in the configuration (${configured}): change it there`);
  }
  const drawn = randomBytes(8).toString('hex');
  // The agent compares with what it was: it has to find the old name beside the new one.
  write(stateDir, { ...record, drawn });
  process.stdout.write(
    `The host will be ${drawn} from its next start on (systemctl restart edgewood); now it is ${record.hostId}.\n` +
      `What ${record.hostId} has retained at the broker: edgewood decommission --host-id ${record.hostId}, unless the original still uses it.\n`,
  );
  return Exit.done;
}

function keep(stateDir: string, { record }: Identity): number {
  const { suspect, ...rest } = record;
  write(stateDir, rest);
  process.stdout.write(
    suspect === true
      ? `${record.hostId} stays (systemctl restart edgewood takes the note away).\n`
      : `${record.hostId} stays; there was no doubt.\n`,
  );
  return Exit.done;
}

function write(stateDir: string, record: Identity['record']): void {
  try {
    writeIdentity(stateDir, record);
  } catch (error) {
    throw new UserError(`${stateDir}: ${(error as Error).message}; run it as root, or as the agent's user`);
  }
}
