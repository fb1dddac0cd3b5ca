import { existsSync } from 'node:fs';
import { formatDuration } from '../../core/words.ts';
import { Exit, UserError } from '../errors.ts';
import {
  booted,
  type InstallOptions,
  install,
  PACKAGED_UNIT_FILE,
  systemctl,
  UNIT_FILE,
  uninstall,
} from '../service/install.ts';
import { UNIT_NAME, unitFile } from '../service/unit.ts';

export interface ServiceOptions extends InstallOptions {
  readonly action: string;
  readonly print: boolean;
  readonly purge: boolean;
  readonly json: boolean;
}

const say = (line: string): void => void process.stdout.write(`${line}\n`);

export async function run(args: ServiceOptions): Promise<number> {
  if (args.action === 'status') return status(args.json);
  if (!/^[a-z_][a-z0-9_-]{0,31}$/.test(args.user))
    throw new UserError(`--user "${args.user}": expected the name of a system user`);
  for (const [flag, path] of [
    ['executable', args.executable],
    ['config', args.config],
  ] as const) {
    if (args.action === 'install' && !/^\/[^\s%"'\\]+$/.test(path)) {
      throw new UserError(`--${flag} "${path}": expected an absolute path without blanks, quotes or %`);
    }
  }
  if (args.action === 'uninstall') uninstall(args, say);
  else if (args.print) process.stdout.write(unitFile(args));
  else install(args, say);
  return Exit.done;
}

const PROPERTIES = [
  'LoadState',
  'ActiveState',
  'SubState',
  'UnitFileState',
  'StatusText',
  'MainPID',
  'NRestarts',
  'Result',
  'MemoryCurrent',
  'ActiveEnterTimestampMonotonic',
  'WatchdogTimestampMonotonic',
  'FragmentPath',
] as const;
type Shown = Readonly<Record<(typeof PROPERTIES)[number], string>>;

/** What systemd knows of the service. Exit code 1 where it doesn't run. */
function status(json: boolean): number {
  if (!booted()) {
    throw new UserError(
      `systemd is not running here; ${existsSync(UNIT_FILE) || existsSync(PACKAGED_UNIT_FILE) ? 'the unit is installed' : 'no unit is installed'}`,
      Exit.unreachable,
    );
  }
  const text = systemctl('show', UNIT_NAME, `--property=${PROPERTIES.join(',')}`);
  const shown = Object.fromEntries(
    text
      .trim()
      .split('\n')
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  ) as Shown;
  const active = shown.ActiveState === 'active';
  if (json) say(JSON.stringify(shown));
  else for (const line of page(shown)) say(line);
  return active ? Exit.done : Exit.checkSaysNo;
}

function page(shown: Shown): string[] {
  if (shown.LoadState === 'not-found') return ['not installed: edgewood service install, as root'];
  // The same clock as systemd's own timestamps.
  const nowMs = Number(process.hrtime.bigint() / 1_000_000n);
  const ago = (monotonicUs: string): string =>
    Number(monotonicUs) > 0 ? formatDuration(Math.max(0, nowMs - Number(monotonicUs) / 1000)) : 'never';
  const active = shown.ActiveState === 'active';
  return [
    `${UNIT_NAME}: ${shown.ActiveState} (${shown.SubState})${active ? ` for ${ago(shown.ActiveEnterTimestampMonotonic)}` : ''}, ${shown.UnitFileState || 'not enabled'}`,
    ...(shown.StatusText === '' ? [] : [`  says       ${shown.StatusText}`]),
    ...(active
      ? [
          `  process    ${shown.MainPID}, ${(Number(shown.MemoryCurrent) / 1e6).toFixed(0)} MB in its cgroup, restarted ${shown.NRestarts} times`,
          `  watchdog   last fed ${ago(shown.WatchdogTimestampMonotonic)} ago`,
        ]
      : [`  result     ${shown.Result}; journalctl -u edgewood tells why`]),
    `  unit       ${shown.FragmentPath}`,
  ];
}
