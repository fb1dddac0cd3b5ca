import type { Settings, SinkConfig } from '../../agent/config/config.ts';
import type { RunningAgent } from '../../agent/run.ts';
import { Exit, UserError } from '../errors.ts';
import { handOver } from '../hand-over.ts';
import { useSmallHeap } from '../runtime.ts';
import { BUILD } from '../version.ts';

export interface AgentOptions {
  readonly config?: string | undefined;
  readonly 'state-dir'?: string | undefined;
  readonly interval?: string | undefined;
  readonly source?: string | undefined;
  readonly pace?: string | undefined;
  readonly mqtt?: string | undefined;
  readonly influx?: string | undefined;
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

/** A failing disk must not fill up with databases set aside. */
const MOST_DAMAGED = 3;
const DAMAGED_WITHIN_MS = 3_600_000;

export async function run(args: AgentOptions): Promise<number> {
  handOver(args);
  return watch(args);
}

/** The agent itself, its command line read. */
export async function watch(args: AgentOptions): Promise<number> {
  useSmallHeap();
  const { resolveConfig } = await import('../../agent/config/config.ts');
  const { startAgent } = await import('../../agent/run.ts');
  let config: ReturnType<typeof resolveConfig>;
  try {
    config = resolveConfig([...(await fileSettings(args.config)), await overrides(args)]);
  } catch (error) {
    throw asUserError(error);
  }
  let stopping = false;
  const damagedAtMs: number[] = [];
  let running: RunningAgent | null = null;
  const stop = (): void => {
    stopping = true;
    running?.requestStop();
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  for (;;) {
    const agent: RunningAgent = await startAgent(config, { version: BUILD.version }).catch(
      (error: unknown) => {
        throw asUserError(error);
      },
    );
    running = agent;
    if (stopping) agent.requestStop();
    await agent.ended;
    await agent.stop();
    // A damaged database is set aside by the next start, and a new one begun.
    if (agent.failure === 'store' && !stopping) {
      damagedAtMs.push(performance.now());
      const [before] = damagedAtMs.slice(-MOST_DAMAGED);
      if (damagedAtMs.length < MOST_DAMAGED || performance.now() - (before ?? 0) > DAMAGED_WITHIN_MS)
        continue;
      throw new UserError(
        `the database was damaged ${MOST_DAMAGED} times within an hour: is the disk of ${config.stateDir} failing?`,
        Exit.unreachable,
      );
    }
    if (agent.failure === null || agent.failure === 'store') return Exit.done;
    return agent.failure === 'input' ? Exit.badInput : Exit.bug;
  }
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
  for (const type of ['mqtt', 'influx'] as const) {
    const found = given(type);
    if (found === null) continue;
    const shown = found.text.replace(/\/\/[^@/]*@/, '//***@');
    const url = take('sinks[].url', found.text, found.from, shown) as string;
    const prefix = `EDGEWOOD_${type.toUpperCase()}_`;
    sinks.push({ type, name: type, url, ...fromEnvironment(prefix) });
  }
  if (args.stdout) sinks.push({ type: 'stdout', name: 'stdout' });
  return { values, sinks };
}

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

function fromEnvironment(prefix: string): Partial<SinkConfig> {
  const set = Object.entries(SINK_VARIABLES).flatMap(([variable, key]) => {
    const value = process.env[prefix + variable];
    return value === undefined || value === '' ? [] : [[key, value] as const];
  });
  return Object.fromEntries(set);
}
