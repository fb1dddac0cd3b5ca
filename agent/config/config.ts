import { hostname } from 'node:os';
import type { Budget } from '../../core/model.ts';
import type { Severity } from '../../core/protocol/events.ts';
import type { MaintenanceWindow } from '../maintenance.ts';
import { KEYS } from './keys.ts';

/** A setting that can't be taken: where (file, line, column, key), what was expected, how to mend it. */
export class ConfigError extends Error {
  override name = 'ConfigError';
}

export interface SinkConfig {
  readonly type: 'mqtt' | 'influx' | 'webhook' | 'stdout';
  readonly name: string;
  readonly url?: string;
  readonly org?: string;
  readonly bucket?: string;
  readonly format?: 'cloudevents' | 'alertmanager';
  readonly minimumSeverity?: Severity;
  readonly acknowledge?: 'broker' | 'hub';
  readonly tokenFile?: string;
  readonly username?: string;
  readonly usernameFile?: string;
  readonly passwordFile?: string;
  readonly caFile?: string;
  readonly certFile?: string;
  readonly keyFile?: string;
  readonly protocolVersion?: 4 | 5;
  readonly insecure?: boolean;
}

/** Where the hours of this host are recorded. */
export interface MlflowConfig {
  readonly url: string;
  readonly experiment: string;
  readonly usernameFile?: string;
  readonly passwordFile?: string;
  readonly tokenFile?: string;
  readonly caFile?: string;
}

/** Models from the centre. */
export interface CentralConfig {
  /** Path of the root document. */
  readonly root: string;
  readonly rootSha256: string;
  readonly model: string;
  /** Name of an MQTT sink. */
  readonly sink: string;
}

export interface AgentConfig {
  readonly intervalMs: number;
  readonly site: string;
  readonly hostId: string | null;
  readonly hostName: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly stateDir: string;
  readonly socket: string;
  readonly source: string;
  readonly pace: 'realtime' | 'max';
  readonly view: 'auto' | 'host' | 'cgroup';
  readonly networkInclude: readonly string[] | undefined;
  readonly networkExclude: readonly string[] | undefined;
  readonly warmupMs: number;
  readonly refit: 'auto' | 'off';
  readonly retraining: {
    readonly mode: 'local' | 'central' | 'off';
    readonly onDrift: boolean;
    /** Five fields of cron; null: once a night. */
    readonly schedule: string | null;
  };
  readonly budget: Budget;
  readonly renotifyMs: number;
  readonly http: { readonly host: string; readonly port: number } | null;
  readonly mlflow: MlflowConfig | null;
  readonly central: CentralConfig | null;
  readonly maintenance: readonly MaintenanceWindow[];
  readonly processes: { readonly count: number; readonly commandLines: boolean };
  readonly limits: {
    readonly sampleRetentionMs: number;
    readonly eventRetentionMs: number;
    readonly databaseMaxBytes: number;
    readonly outboxMaxBytesPerSink: number;
  };
  readonly logLevel: 'debug' | 'info' | 'warning' | 'error';
  readonly logFormat: 'auto' | 'json' | 'pretty';
  readonly logFile: string | null;
  readonly sinks: readonly SinkConfig[];
}

/** Where a setting was made, and as what. */
export interface Origin {
  /** `agent.yaml:12`, a variable of the environment, or a flag. */
  readonly from: string;
  readonly written: string;
}

/** Checked values by dotted path; a sink's settings are whole in `sinks`. */
export interface Settings {
  readonly values: ReadonlyMap<string, unknown>;
  readonly sinks: readonly SinkConfig[];
  /** By dotted path; `sinks[0].url` for the first sink's. */
  readonly origins?: ReadonlyMap<string, Origin>;
}

/** Later layers win (file, then environment, then flags); beneath them are the defaults. */
export function mergeSettings(layers: readonly Settings[]): Required<Settings> {
  const values = new Map<string, unknown>();
  const origins = new Map<string, Origin>();
  for (const key of KEYS) {
    if (key.default === undefined) continue;
    values.set(key.path, key.parse(key.default));
    origins.set(key.path, { from: 'default', written: String(key.default) });
  }
  let sinks: readonly SinkConfig[] = [];
  for (const layer of layers) {
    for (const [path, value] of layer.values) values.set(path, value);
    if (layer.sinks.length > 0) {
      sinks = layer.sinks;
      for (const path of [...origins.keys()]) if (path.startsWith('sinks[')) origins.delete(path);
    }
    for (const [path, origin] of layer.origins ?? []) origins.set(path, origin);
  }
  return { values, sinks, origins };
}

/** @throws ConfigError where settings don't go together */
export function resolveConfig(layers: readonly Settings[]): AgentConfig {
  const { values, sinks, origins } = mergeSettings(layers);
  const get = <T>(path: string): T => values.get(path) as T;
  checkSinks(sinks, origins);
  const stateDir = get<string | undefined>('stateDir') ?? defaultStateDir();
  return {
    intervalMs: get('interval'),
    site: get('site'),
    hostId: get<string | undefined>('hostId') ?? null,
    hostName: hostname(),
    labels: get<Record<string, string> | undefined>('labels') ?? {},
    stateDir,
    socket: get<string | undefined>('socket') ?? `${stateDir}/agent.sock`,
    source: get('source'),
    pace: get('pace'),
    view: get('view'),
    networkInclude: get('network.include'),
    networkExclude: get('network.exclude'),
    warmupMs: get('learning.warmup'),
    refit: get('learning.refit'),
    retraining: {
      // Who switched refits off before there was retraining wants the model to stay.
      mode:
        get<AgentConfig['retraining']['mode'] | undefined>('retraining.mode') ??
        (get('learning.refit') === 'off' && !values.has('retraining.schedule') ? 'off' : 'local'),
      onDrift: get('retraining.onDrift'),
      schedule: get<string | undefined>('retraining.schedule') ?? null,
    },
    budget: {
      infoPerDay: get('budget.info'),
      warningPerDay: get('budget.warning'),
      criticalPerDay: get('budget.critical'),
    },
    renotifyMs: get('incident.renotify'),
    http: get<AgentConfig['http'] | undefined>('http.listen') ?? null,
    mlflow: mlflowConfig(values, origins),
    central: centralConfig(values, origins, sinks),
    maintenance: get<MaintenanceWindow[] | undefined>('maintenance') ?? [],
    processes: { count: get('processes.count'), commandLines: get('processes.commandLines') },
    limits: {
      sampleRetentionMs: get('retention.samples'),
      eventRetentionMs: get('retention.events'),
      databaseMaxBytes: get('retention.databaseBytes'),
      outboxMaxBytesPerSink: get('retention.outboxBytes'),
    },
    logLevel: get('log.level'),
    logFormat: get('log.format'),
    logFile: get<string | undefined>('log.file') ?? null,
    sinks,
  };
}

const MLFLOW_FILES = ['usernameFile', 'passwordFile', 'tokenFile', 'caFile'] as const;

/** null where no server is named. @throws ConfigError */
function mlflowConfig(
  values: ReadonlyMap<string, unknown>,
  origins: ReadonlyMap<string, Origin>,
): MlflowConfig | null {
  const at = (key: string): string => {
    const from = origins.get(key)?.from;
    return from === undefined ? '' : `${from}: `;
  };
  const files = Object.fromEntries(
    MLFLOW_FILES.flatMap((key) => (values.has(`mlflow.${key}`) ? [[key, values.get(`mlflow.${key}`)]] : [])),
  ) as Partial<MlflowConfig>;
  const url = values.get('mlflow.url') as string | undefined;
  if (url === undefined) {
    const [stray] = Object.keys(files);
    if (stray === undefined) return null;
    throw new ConfigError(
      `${at(`mlflow.${stray}`)}mlflow: there is no \`url\`; expected e.g. http://mlflow:5000`,
    );
  }
  if (/^https?:\/\/[^/]*@/.test(url)) {
    throw new ConfigError(
      `${at('mlflow.url')}mlflow.url holds a user name or password; put them into files (mode 0600) and name them as usernameFile and passwordFile`,
    );
  }
  if (files.caFile !== undefined && !url.startsWith('https:')) {
    throw new ConfigError(
      `${at('mlflow.caFile')}mlflow.caFile is set, but http:// is not encrypted; write https:// or remove caFile`,
    );
  }
  return { url, experiment: values.get('mlflow.experiment') as string, ...files };
}

/** null where no root is named. @throws ConfigError */
function centralConfig(
  values: ReadonlyMap<string, unknown>,
  origins: ReadonlyMap<string, Origin>,
  sinks: readonly SinkConfig[],
): CentralConfig | null {
  const get = (key: string): string | undefined => values.get(`central.${key}`) as string | undefined;
  const at = (key: string): string => {
    const from = origins.get(`central.${key}`)?.from;
    return from === undefined ? '' : `${from}: `;
  };
  const [root, rootSha256, named] = [get('root'), get('rootSha256'), get('sink')];
  if (root === undefined && rootSha256 === undefined) return null;
  if (root === undefined)
    throw new ConfigError(`${at('rootSha256')}central: there is no \`root\`; expected its path`);
  if (rootSha256 === undefined) {
    throw new ConfigError(
      `${at('root')}central: there is no \`rootSha256\`; \`edgewood keys root show FILE\` prints it. A root is never trusted because it was there first`,
    );
  }
  const brokers = sinks.filter(({ type }) => type === 'mqtt');
  const sink = named === undefined ? brokers[0] : brokers.find(({ name }) => name === named);
  if (sink === undefined) {
    const missing = named === undefined ? 'there is no MQTT sink' : `no MQTT sink is named "${named}"`;
    throw new ConfigError(
      `${at(named === undefined ? 'root' : 'sink')}central: ${missing}; models come over its broker`,
    );
  }
  return { root, rootSha256, model: get('model') ?? 'host', sink: sink.name };
}

const NETWORK_KEYS = [
  'url',
  'usernameFile',
  'username',
  'passwordFile',
  'caFile',
  'certFile',
  'keyFile',
  'insecure',
];
/** What each type of sink takes, and how its url looks. */
const SINK_TYPES: Readonly<
  Record<SinkConfig['type'], { readonly example: string | null; readonly keys: readonly string[] }>
> = {
  mqtt: { example: 'mqtt://broker:1883', keys: [...NETWORK_KEYS, 'protocolVersion', 'acknowledge'] },
  influx: { example: 'http://influx:8086', keys: [...NETWORK_KEYS, 'tokenFile', 'org', 'bucket'] },
  webhook: {
    example: 'https://example.org/hook',
    keys: [...NETWORK_KEYS, 'tokenFile', 'format', 'minimumSeverity'],
  },
  stdout: { example: null, keys: [] },
};

function checkSinks(sinks: readonly SinkConfig[], origins: ReadonlyMap<string, Origin>): void {
  const names = new Set<string>();
  for (const [i, sink] of sinks.entries()) {
    const at = placeOf(origins, i, 'type');
    if (names.has(sink.name)) {
      throw new ConfigError(`${at}sinks: two sinks are named "${sink.name}"; give each its own \`name\``);
    }
    names.add(sink.name);
    const { example, keys } = SINK_TYPES[sink.type];
    if (example !== null && sink.url === undefined) {
      throw new ConfigError(`${at}sinks: "${sink.name}" has no \`url\`; expected e.g. ${example}`);
    }
    const stray = Object.keys(sink).find((key) => key !== 'type' && key !== 'name' && !keys.includes(key));
    if (stray !== undefined) {
      throw new ConfigError(
        `${placeOf(origins, i, stray)}sinks: "${sink.name}" is of type ${sink.type}, which has no \`${stray}\`; it takes ${keys.join(', ') || 'nothing but a name'}`,
      );
    }
  }
}

/** `agent.yaml:12: `, or nothing where it is not known. */
export function placeOf(origins: ReadonlyMap<string, Origin>, sink: number, key: string): string {
  const from = (origins.get(`sinks[${sink}].${key}`) ?? origins.get(`sinks[${sink}].type`))?.from;
  return from === undefined ? '' : `${from}: `;
}

/** /var/lib for root (where systemd's StateDirectory lies too), else below the user's own state folder. */
export function defaultStateDir(
  env: NodeJS.ProcessEnv = process.env,
  uid = process.getuid?.() ?? 1000,
): string {
  if (env['STATE_DIRECTORY'] !== undefined && env['STATE_DIRECTORY'] !== '') return env['STATE_DIRECTORY'];
  if (uid === 0) return '/var/lib/edgewood';
  const state =
    env['XDG_STATE_HOME'] ?? (env['HOME'] === undefined ? undefined : `${env['HOME']}/.local/state`);
  return `${state ?? `/tmp/edgewood-${uid}`}/edgewood`.replace(/\/edgewood-(\d+)\/edgewood$/, '/edgewood-$1');
}
