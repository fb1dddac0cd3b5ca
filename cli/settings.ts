import { existsSync } from 'node:fs';
import type { Origin, Settings, SinkConfig } from '../agent/config/config.ts';
import { nearest } from '../core/nearest.ts';

/** The agent's settings from where people make them: a file, the environment, flags. */

export interface SettingOptions {
  readonly config?: string | undefined;
  readonly 'state-dir'?: string | undefined;
  readonly interval?: string | undefined;
  readonly source?: string | undefined;
  readonly pace?: string | undefined;
  readonly mqtt?: string | undefined;
  readonly influx?: string | undefined;
  readonly stdout?: boolean | undefined;
  readonly site?: string | undefined;
  readonly labels?: string | undefined;
  readonly warmup?: string | undefined;
  readonly refit?: string | undefined;
  readonly http?: string | undefined;
  readonly 'log-level'?: string | undefined;
  readonly 'log-format'?: string | undefined;
}

/** Read where it exists, unless another is named; EDGEWOOD_CONFIG= (empty) for none. */
export const DEFAULT_CONFIG_FILE = '/etc/edgewood/agent.yaml';

/** Flags and their setting; the environment variable is EDGEWOOD_ and the flag in capitals. */
const FLAGS = {
  'state-dir': 'stateDir',
  interval: 'interval',
  source: 'source',
  pace: 'pace',
  site: 'site',
  warmup: 'learning.warmup',
  refit: 'learning.refit',
  http: 'http.listen',
  'log-level': 'log.level',
  'log-format': 'log.format',
} as const;

/** Who we are to a sink, and whom we trust: never on a command line. */
const SINK_VARIABLES = {
  USERNAME_FILE: 'usernameFile',
  USERNAME: 'username',
  PASSWORD_FILE: 'passwordFile',
  TOKEN_FILE: 'tokenFile',
  CA_FILE: 'caFile',
  CERT_FILE: 'certFile',
  KEY_FILE: 'keyFile',
} as const;

const PREFIX = 'EDGEWOOD_';
const KNOWN_VARIABLES: readonly string[] = [
  'CONFIG',
  'DEBUG',
  ...[...Object.keys(FLAGS), 'labels', 'mqtt', 'influx'].map((flag) =>
    flag.replaceAll('-', '_').toUpperCase(),
  ),
  ...['MQTT', 'INFLUX'].flatMap((sink) => Object.keys(SINK_VARIABLES).map((name) => `${sink}_${name}`)),
].map((name) => PREFIX + name);

/** What is far from any of ours is somebody else's: Kubernetes names variables after its services. */
function meantVariable(name: string): string | undefined {
  const file = `${name}_FILE`;
  return KNOWN_VARIABLES.includes(file)
    ? `${file}, a file that holds it`
    : nearest(name, KNOWN_VARIABLES, Math.min(2, Math.floor((name.length - PREFIX.length) / 4)));
}

/** @returns the layers, those that win last. @throws ConfigError */
export async function readSettings(options: SettingOptions): Promise<Settings[]> {
  const file = configFile(options.config);
  const overrides = await overridingSettings(options);
  if (file === null) return [overrides];
  const { readConfigFile } = await import('../agent/config/file.ts');
  return [readConfigFile(file), overrides];
}

/** The file that holds: the flag's, the environment's, or the usual one where there is one. */
export function configFile(named: string | undefined): string | null {
  const file = named ?? process.env['EDGEWOOD_CONFIG'];
  if (file !== undefined) return file === '' ? null : file;
  return existsSync(DEFAULT_CONFIG_FILE) ? DEFAULT_CONFIG_FILE : null;
}

/** Environment, then flags: each checked by the same table as the file. */
async function overridingSettings(options: SettingOptions): Promise<Settings> {
  const { KEY_BY_PATH } = await import('../agent/config/keys.ts');
  const { ConfigError } = await import('../agent/config/config.ts');
  const { hideUser } = await import('../agent/config/suggest.ts');
  for (const name of Object.keys(process.env)) {
    if (!name.startsWith(PREFIX) || KNOWN_VARIABLES.includes(name)) continue;
    const meant = meantVariable(name);
    if (meant !== undefined) throw new ConfigError(`${name}: no such variable; did you mean ${meant}?`);
  }
  const values = new Map<string, unknown>();
  const origins = new Map<string, Origin>();
  const given = (flag: string): { text: string; from: string } | null => {
    const value = (options as Readonly<Record<string, unknown>>)[flag];
    if (typeof value === 'string') return { text: value, from: `--${flag}` };
    const variable = `EDGEWOOD_${flag.replaceAll('-', '_').toUpperCase()}`;
    const text = process.env[variable];
    return text === undefined || text === '' ? null : { text, from: variable };
  };
  const take = (path: string, raw: unknown, from: string, shown: string): unknown => {
    const key = KEY_BY_PATH.get(path);
    const value = key?.parse(raw);
    if (value === undefined) throw new ConfigError(`${from}: expected ${key?.expected}, found "${shown}"`);
    return value;
  };
  const put = (path: string, raw: unknown, { text, from }: { text: string; from: string }): void => {
    values.set(path, take(path, raw, from, text));
    origins.set(path, { from, written: text });
  };
  for (const [flag, path] of Object.entries(FLAGS)) {
    const found = given(flag);
    if (found !== null) put(path, found.text, found);
  }
  const labels = given('labels');
  if (labels !== null) {
    const pairs = labels.text.split(',').map((pair) => pair.split('='));
    if (!pairs.every((pair) => pair.length === 2)) {
      throw new ConfigError(`${labels.from}: expected NAME=VALUE[,NAME=VALUE], found "${labels.text}"`);
    }
    put('labels', Object.fromEntries(pairs), labels);
  }
  const sinks: SinkConfig[] = [];
  const addSink = (sink: SinkConfig, from: string): void => {
    for (const [key, value] of Object.entries(sink)) {
      origins.set(`sinks[${sinks.length}].${key}`, { from, written: String(value) });
    }
    sinks.push(sink);
  };
  for (const type of ['mqtt', 'influx'] as const) {
    const found = given(type);
    if (found === null) continue;
    const url = take('sinks[].url', found.text, found.from, hideUser(found.text)) as string;
    addSink({ type, name: type, url, ...fromEnvironment(`EDGEWOOD_${type.toUpperCase()}_`) }, found.from);
  }
  if (options.stdout === true) addSink({ type: 'stdout', name: 'stdout' }, '--stdout');
  return { values, sinks, origins };
}

function fromEnvironment(prefix: string): Partial<SinkConfig> {
  const set = Object.entries(SINK_VARIABLES).flatMap(([variable, key]) => {
    const value = process.env[prefix + variable];
    return value === undefined || value === '' ? [] : [[key, value] as const];
  });
  return Object.fromEntries(set);
}
