import { ConfigError, mergeSettings, type Origin, resolveConfig } from '../../agent/config/config.ts';
import { Exit, UserError } from '../errors.ts';
import { CREDENTIALS_DIR } from '../service/unit.ts';
import { DEFAULT_CONFIG_FILE, readSettings, type SettingOptions } from '../settings.ts';

export interface ConfigOptions extends SettingOptions {
  readonly action: string;
  readonly file?: string | undefined;
  readonly force?: boolean | undefined;
  readonly json?: boolean | undefined;
  readonly all?: boolean | undefined;
}

export async function run(args: ConfigOptions): Promise<number> {
  try {
    if (args.action === 'init') return await init(args);
    return args.action === 'check' ? await check(args) : await show(args);
  } catch (error) {
    if (error instanceof ConfigError) throw new UserError(error.message);
    throw error;
  }
}

/** The file alone: what the environment or flags of this shell say is not the service's. */
async function check({ file = DEFAULT_CONFIG_FILE }: ConfigOptions): Promise<number> {
  const { readConfigFile } = await import('../../agent/config/file.ts');
  const settings = readConfigFile(file);
  const config = resolveConfig([settings]);
  const { checkSinkSettings } = await import('../../agent/sinks/check.ts');
  // What systemd hands to the service alone: root may look where it comes from.
  process.env['CREDENTIALS_DIRECTORY'] ??= CREDENTIALS_DIR;
  checkSinkSettings(config.sinks, settings.origins ?? new Map());
  const sinks = config.sinks.map((sink) => `${sink.name} (${shownUrl(sink.url) ?? sink.type})`).join(', ');
  process.stdout.write(
    `${file}: fine. A sample every ${config.intervalMs / 1000} s, state in ${config.stateDir}, sinks: ${sinks || 'none'}.\n`,
  );
  return Exit.done;
}

async function init({ file = DEFAULT_CONFIG_FILE, force, mqtt, influx }: ConfigOptions): Promise<number> {
  const { configurationTemplate } = await import('../../agent/config/reference.ts');
  const { parseConfig } = await import('../../agent/config/file.ts');
  const sinks = [
    ...(mqtt === undefined ? [] : [{ type: 'mqtt', url: mqtt }]),
    ...(influx === undefined ? [] : [{ type: 'influx', url: influx }]),
  ];
  const text = configurationTemplate(sinks);
  // A template that would not be taken is not written.
  resolveConfig([parseConfig(text, file)]);
  if (file === '-') {
    process.stdout.write(text);
    return Exit.done;
  }
  const { mkdirSync, writeFileSync } = await import('node:fs');
  const { dirname } = await import('node:path');
  try {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text, { mode: 0o640, flag: force === true ? 'w' : 'wx' });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST')
      throw new UserError(`${file}: there is one already; --force writes over it, - prints to stdout`);
    throw new UserError(
      `${file}: can't be written (${code}); as root, or another: edgewood config init FILE`,
    );
  }
  process.stdout.write(`${file}: written. Edit it, then: edgewood config check ${file}\n`);
  return Exit.done;
}

/** What holds, and where each value comes from. */
async function show(args: ConfigOptions): Promise<number> {
  const { values, sinks, origins } = mergeSettings(
    await readSettings({ ...args, config: args.config ?? args.file }),
  );
  const config = resolveConfig([{ values, sinks, origins }]);
  const derived: [string, Origin][] = [
    ['stateDir', { from: 'default', written: config.stateDir }],
    ['socket', { from: 'default', written: config.socket }],
  ];
  const rows = new Map([...derived, ...origins]);
  const setting = [...rows].map(([path, { from, written }]) => ({
    setting: path,
    value: path.endsWith('.url') ? (shownUrl(written) as string) : written,
    from,
  }));
  if (args.json === true) {
    process.stdout.write(`${JSON.stringify(setting, null, 2)}\n`);
    return Exit.done;
  }
  const width = (key: 'setting' | 'value'): number => Math.max(...setting.map((row) => row[key].length));
  const [first, second] = [width('setting'), Math.min(60, width('value'))];
  const order = (a: string): number => (a.startsWith('sinks[') ? 1 : 0);
  for (const { setting: path, value, from } of setting.sort(
    (a, b) => order(a.setting) - order(b.setting) || a.setting.localeCompare(b.setting, 'en'),
  )) {
    process.stdout.write(`${path.padEnd(first)}  ${value.padEnd(second)}  ${from}\n`);
  }
  return Exit.done;
}

/** The path of a webhook, and what stands behind a `?`, often are the secret. */
function shownUrl(url: string | undefined): string | undefined {
  if (url === undefined) return undefined;
  const parsed = URL.parse(url);
  if (parsed === null) return '***';
  const query = [...parsed.searchParams.keys()].map((key) =>
    key === 'org' || key === 'bucket' ? `${key}=${parsed.searchParams.get(key)}` : `${key}=***`,
  );
  const path = ['', '/'].includes(parsed.pathname) ? '' : '/***';
  return `${parsed.protocol}//${parsed.host}${path}${query.length > 0 ? `?${query.join('&')}` : ''}`;
}
