import type { Settings, SinkConfig } from '../../agent/config/config.ts';
import { Exit, UserError } from '../errors.ts';
import { useSmallHeap } from '../runtime.ts';
import { BUILD } from '../version.ts';

export interface AgentOptions {
  readonly config?: string | undefined;
  readonly 'state-dir'?: string | undefined;
  readonly interval?: string | undefined;
  readonly source?: string | undefined;
  readonly pace?: string | undefined;
  readonly mqtt?: string | undefined;
  readonly stdout: boolean;
  readonly site?: string | undefined;
  readonly labels?: string | undefined;
  readonly warmup?: string | undefined;
  readonly refit?: string | undefined;
  readonly 'log-level'?: string | undefined;
  readonly 'log-format'?: string | undefined;
}

/** Flags and their setting; the environment variable is EDGEWOOD_ and the flag in capitals. */
const FLAGS = {
  'state-dir': 'stateDir',
  interval: 'interval',
  source: 'source',
  pace: 'pace',
  site: 'site',
  warmup: 'learning.warmup',
  refit: 'learning.refit',
  'log-level': 'log.level',
  'log-format': 'log.format',
} as const;

export async function run(args: AgentOptions): Promise<number> {
  useSmallHeap();
  const { resolveConfig } = await import('../../agent/config/config.ts');
  const { startAgent } = await import('../../agent/run.ts');
  let config: ReturnType<typeof resolveConfig>;
  try {
    config = resolveConfig([...(await fileSettings(args.config)), await overrides(args)]);
  } catch (error) {
    throw asUserError(error);
  }
  const agent = await startAgent(config, { version: BUILD.version }).catch((error: unknown) => {
    throw asUserError(error);
  });
  const stop = (): void => agent.requestStop();
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  await agent.ended;
  await agent.stop();
  return agent.failure === null ? Exit.done : agent.failure === 'input' ? Exit.badInput : Exit.bug;
}

/** What a person can mend: a setting, a directory, a file to replay. */
const MENDABLE = new Set(['ConfigError', 'SinkConfigurationError', 'StoreUnusableError', 'SourceError']);

function asUserError(error: unknown): unknown {
  return error instanceof Error && MENDABLE.has(error.name) ? new UserError(error.message) : error;
}

async function fileSettings(path: string | undefined): Promise<Settings[]> {
  const file = path ?? process.env['EDGEWOOD_CONFIG'];
  if (file === undefined || file === '') return [];
  const { readConfigFile } = await import('../../agent/config/file.ts');
  return [readConfigFile(file)];
}

/** Environment, then flags: each checked by the same table as the file. */
async function overrides(args: AgentOptions): Promise<Settings> {
  const { KEY_BY_PATH } = await import('../../agent/config/keys.ts');
  const { ConfigError } = await import('../../agent/config/config.ts');
  const values = new Map<string, unknown>();
  const given = (flag: string): { text: string; from: string } | null => {
    const value = (args as unknown as Record<string, unknown>)[flag];
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
  for (const [flag, path] of Object.entries(FLAGS)) {
    const found = given(flag);
    if (found !== null) values.set(path, take(path, found.text, found.from, found.text));
  }
  const labels = given('labels');
  if (labels !== null) {
    const pairs = labels.text.split(',').map((pair) => pair.split('='));
    if (!pairs.every((pair) => pair.length === 2)) {
      throw new ConfigError(`${labels.from}: expected NAME=VALUE[,NAME=VALUE], found "${labels.text}"`);
    }
    values.set('labels', take('labels', Object.fromEntries(pairs), labels.from, labels.text));
  }
  const sinks: SinkConfig[] = [];
  const mqtt = given('mqtt');
  if (mqtt !== null) {
    const url = take(
      'sinks[].url',
      mqtt.text,
      mqtt.from,
      mqtt.text.replace(/\/\/[^@/]*@/, '//***@'),
    ) as string;
    const variable = (name: string): string | undefined => process.env[`EDGEWOOD_MQTT_${name}`] || undefined;
    const fields = {
      usernameFile: variable('USERNAME_FILE'),
      username: variable('USERNAME'),
      passwordFile: variable('PASSWORD_FILE'),
      caFile: variable('CA_FILE'),
      certFile: variable('CERT_FILE'),
      keyFile: variable('KEY_FILE'),
    };
    const set = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
    sinks.push({ type: 'mqtt', name: 'mqtt', url, ...set });
  }
  if (args.stdout) sinks.push({ type: 'stdout', name: 'stdout' });
  return { values, sinks };
}
