import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { isSea } from 'node:sea';
import { UserError } from '../errors.ts';
import { BUILD } from '../version.ts';
import { CREDENTIALS_DIR, sysusersFile, UNIT_NAME, unitFile } from './unit.ts';

export const DEFAULT_EXECUTABLE = '/usr/local/bin/edgewood';
export const UNIT_FILE = `/etc/systemd/system/${UNIT_NAME}`;
export const PACKAGED_UNIT_FILE = `/lib/systemd/system/${UNIT_NAME}`;
const SYSUSERS_FILE = '/etc/sysusers.d/edgewood.conf';
const STATE_DIR = '/var/lib/edgewood';
const LOGS_DIR = '/var/log/edgewood';

export interface InstallOptions {
  readonly config: string;
  readonly user: string;
  readonly executable: string;
  readonly force: boolean;
  readonly start: boolean;
}

export type Say = (line: string) => void;

/** systemd's own tools, with their own words where they fail. */
export function systemctl(...args: string[]): string {
  return tool('systemctl', args);
}

function tool(name: string, args: readonly string[]): string {
  try {
    return execFileSync(name, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  } catch (error) {
    const { code, stderr, message } = error as NodeJS.ErrnoException & { stderr?: string };
    if (code === 'ENOENT') throw new UserError(`${name} is not installed: is this a system with systemd?`);
    throw new UserError(`${[name, ...args].join(' ')}: ${stderr?.trim() || message}`);
  }
}

/** Whether systemd is the running init (sd_booted(3)). */
export const booted = (): boolean => existsSync('/run/systemd/system');

export function requireRoot(what: string): void {
  if (process.getuid?.() !== 0) throw new UserError(`${what} writes below /etc: run it as root`);
}

/** As it is, or with state and configuration of what was there before; a newer one is not replaced by an older. */
export function install(options: InstallOptions, say: Say): void {
  requireRoot('service install');
  if (existsSync(PACKAGED_UNIT_FILE)) {
    throw new UserError(
      `the Debian package has installed the service already (${PACKAGED_UNIT_FILE}); start it with: systemctl enable --now edgewood`,
    );
  }
  const running = booted() && isActive();
  placeExecutable(options, say);
  writeFileSync(mkdirFor(SYSUSERS_FILE), sysusersFile(options.user));
  tool('systemd-sysusers', [SYSUSERS_FILE]);
  const gid = groupId(options.user);
  // One by one: the mode would hold for parents that are made on the way, too.
  mkdirSync(dirname(CREDENTIALS_DIR), { recursive: true, mode: 0o755 });
  mkdirSync(CREDENTIALS_DIR, { recursive: true, mode: 0o700 });
  placeConfiguration(options, gid, say);
  writeFileSync(mkdirFor(UNIT_FILE), unitFile(options));
  say(`${UNIT_FILE}: written`);
  if (!booted()) {
    say('systemd is not running here; after the next boot: systemctl enable --now edgewood');
    return;
  }
  systemctl('daemon-reload');
  systemctl('enable', '--quiet', UNIT_NAME);
  if (!options.start) {
    say('enabled, not started: systemctl start edgewood');
    return;
  }
  systemctl(running ? 'restart' : 'start', UNIT_NAME);
  say(`${running ? 'restarted' : 'started'}: edgewood service status`);
}

function isActive(): boolean {
  try {
    systemctl('is-active', '--quiet', UNIT_NAME);
    return true;
  } catch {
    return false;
  }
}

const mkdirFor = (file: string): string => {
  mkdirSync(dirname(file), { recursive: true });
  return file;
};

/** A running executable is replaced by a rename: the old image runs on until the restart. */
function placeExecutable({ executable, force }: InstallOptions, say: Say): void {
  if (!isSea())
    throw new UserError('service install needs the packaged executable (npm run build:executable)');
  if (process.execPath === executable) return;
  const there = existsSync(executable) ? installedVersion(executable) : null;
  if (there !== null && compareVersions(there, BUILD.version) > 0 && !force) {
    throw new UserError(
      `${executable} is edgewood ${there}, newer than this one (${BUILD.version}); an older one may not read the state that it has written. --force replaces it all the same.`,
    );
  }
  const beside = `${executable}.new`;
  copyFileSync(process.execPath, mkdirFor(beside));
  chmodSync(beside, 0o755);
  renameSync(beside, executable);
  say(`${executable}: ${there === null ? '' : `${there} -> `}${BUILD.version}`);
}

function installedVersion(executable: string): string | null {
  try {
    const text = execFileSync(executable, ['version', '--json'], {
      encoding: 'utf8',
      timeout: 10_000,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return (JSON.parse(text) as { version: string }).version;
  } catch {
    // What can't say its version is no edgewood that has to be protected.
    return null;
  }
}

/** Semantic versions, by their three numbers; a pre-release comes before its release. */
export function compareVersions(a: string, b: string): number {
  const parts = (text: string): number[] => {
    const [core = '', ...rest] = text.split('-');
    return [...core.split('.').map(Number), rest.length > 0 ? 0 : 1];
  };
  const [left, right] = [parts(a), parts(b)];
  for (const [i, x] of left.entries()) {
    const difference = x - (right[i] ?? 0);
    if (difference !== 0) return Math.sign(difference);
  }
  return 0;
}

/** The first time, a commented start; after that it is the person's. Readable by the service, not by everyone. */
function placeConfiguration({ config }: InstallOptions, gid: number, say: Say): void {
  if (!existsSync(config)) {
    execFileSync(process.execPath, ['config', 'init', config], { stdio: 'ignore' });
    say(`${config}: written; name your broker there`);
  }
  chownSync(config, 0, gid);
  chmodSync(config, 0o640);
}

function groupId(name: string): number {
  const line = readFileSync('/etc/group', 'utf8')
    .split('\n')
    .find((one) => one.startsWith(`${name}:`));
  const gid = Number(line?.split(':')[2]);
  if (!Number.isInteger(gid)) throw new UserError(`there is no group ${name}, though it was just created`);
  return gid;
}

/** What was installed goes; what was written by people, or learned, only with `purge`. */
export function uninstall(options: { readonly purge: boolean; readonly user: string }, say: Say): void {
  requireRoot('service uninstall');
  if (existsSync(PACKAGED_UNIT_FILE)) {
    throw new UserError(
      `the service belongs to the Debian package: apt ${options.purge ? 'purge' : 'remove'} edgewood`,
    );
  }
  if (!existsSync(UNIT_FILE) && !options.purge)
    throw new UserError(`${UNIT_FILE} is not there: nothing to uninstall`, 1);
  const executable = existsSync(UNIT_FILE) ? executableOf(readFileSync(UNIT_FILE, 'utf8')) : null;
  if (booted() && existsSync(UNIT_FILE)) systemctl('disable', '--now', '--quiet', UNIT_NAME);
  rmSync(UNIT_FILE, { force: true });
  if (booted()) systemctl('daemon-reload');
  if (executable === DEFAULT_EXECUTABLE) rmSync(executable, { force: true });
  say(`${UNIT_NAME}: stopped and removed`);
  if (!options.purge) {
    say(`kept: ${STATE_DIR}, /etc/edgewood, the user ${options.user}; gone with --purge`);
    return;
  }
  for (const path of [STATE_DIR, LOGS_DIR, '/etc/edgewood', SYSUSERS_FILE]) {
    rmSync(path, { recursive: true, force: true });
    say(`${path}: removed`);
  }
  if (readFileSync('/etc/passwd', 'utf8').includes(`\n${options.user}:`)) tool('userdel', [options.user]);
  say('what the agent has retained at its broker is emptied by `edgewood decommission`, before the purge');
}

export const executableOf = (unit: string): string | null => /^ExecStart=(\S+)/m.exec(unit)?.[1] ?? null;
