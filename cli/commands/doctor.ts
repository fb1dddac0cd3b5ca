import { ConfigError, mergeSettings, resolveConfig, type Settings } from '../../agent/config/config.ts';
import { printable } from '../../agent/log.ts';
import { paint } from '../alert-view.ts';
import { askStatus, checkAgent } from '../doctor/agent.ts';
import { type Finding, ok, problem, warning } from '../doctor/finding.ts';
import { checkHost } from '../doctor/host.ts';
import { checkHttp } from '../doctor/http.ts';
import { checkSinks } from '../doctor/sinks.ts';
import { Exit } from '../errors.ts';
import { socketPath } from '../local.ts';
import { CREDENTIALS_DIR } from '../service/unit.ts';
import { configFile, readSettings, type SettingOptions } from '../settings.ts';
import { BUILD } from '../version.ts';
import { useColour } from './status.ts';

export interface DoctorOptions extends SettingOptions {
  readonly socket?: string | undefined;
  readonly json: boolean;
}

/** Exit code 1 where something is wrong; a warning alone is none. */
export async function run(args: DoctorOptions): Promise<number> {
  // The service's secrets, which systemd hands to it alone: root may read where they come from.
  process.env['CREDENTIALS_DIRECTORY'] ??= CREDENTIALS_DIR;
  const findings = await examine(args);
  const wrong = findings.filter(({ status }) => status === 'problem').length;
  const doubtful = findings.filter(({ status }) => status === 'warning').length;
  const text = args.json
    ? JSON.stringify({
        schemaVersion: 1,
        healthy: wrong === 0,
        problems: wrong,
        warnings: doubtful,
        findings,
      })
    : page(findings, useColour());
  process.stdout.write(`${text}\n`);
  return wrong === 0 ? Exit.done : Exit.checkSaysNo;
}

async function examine(args: DoctorOptions): Promise<Finding[]> {
  const area = 'configuration';
  const from = configFile(args.config) ?? 'no file: environment, flags and defaults';
  let settings: Settings;
  const findings: Finding[] = [];
  try {
    settings = mergeSettings(await readSettings(args));
    resolveConfig([settings]);
    findings.push(ok(area, from));
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const why = 'the agent would not start with it; one that runs goes on with what it had';
    return [problem(area, error.message, { why, mend: 'edgewood config check, after the change' })];
  }
  const config = resolveConfig([settings]);
  if (config.source.startsWith('replay:')) {
    findings.push(
      warning(area, 'the source is a replay', {
        why: 'it is not this host that is watched',
        mend: 'remove `source`',
      }),
    );
  }
  const named = ['socket', 'stateDir'].some((path) => settings.values.has(path));
  const socket = args.socket ?? (named ? config.socket : await socketPath({}));
  const status = await askStatus(socket);
  const { hostIdFrom, readMachineId } = await import('../../agent/identity.ts');
  const hostId = status?.host.id ?? config.hostId ?? hostIdFrom(readMachineId(), config.site) ?? 'unknown';
  const patient = { config, hostId, version: BUILD.version };
  return [
    ...findings,
    ...checkAgent(status, socket, BUILD.version),
    ...(await checkHttp(config)),
    ...(await checkHost(config)),
    ...(await checkSinks(patient)),
  ];
}

const MARKS = { ok: ['32', '✓'], note: ['36', 'i'], warning: ['33', '!'], problem: ['31', '✗'] } as const;

function page(findings: readonly Finding[], colour: boolean): string {
  const lines = findings.flatMap(({ area, status, says, why, mend }) => {
    const [code, mark] = MARKS[status];
    const [first = '', ...more] = says.split('\n');
    return [
      `${paint(code, mark, colour)} ${paint('1', printable(area), colour)}: ${printable(first)}`,
      ...more.map((line) => `    ${printable(line)}`),
      ...(why === undefined ? [] : [`    why it matters: ${printable(why)}`]),
      ...(mend === undefined ? [] : [`    what to do: ${printable(mend)}`]),
    ];
  });
  const count = (status: Finding['status']): number => findings.filter((one) => one.status === status).length;
  const [wrong, doubtful] = [count('problem'), count('warning')];
  const plural = (n: number, word: string): string => `${n} ${word}${n === 1 ? '' : 's'}`;
  lines.push(
    '',
    wrong + doubtful === 0
      ? paint('32', 'All is well.', colour)
      : `${plural(wrong, 'problem')}, ${plural(doubtful, 'warning')}.`,
  );
  return lines.join('\n');
}
