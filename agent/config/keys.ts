import { parseBytes, parseDurationMs, parseRatePerDay } from '../units.ts';
import { isCronExpression, isTimeZone } from './cron.ts';
import type { Key } from './key.ts';
import {
  boolean,
  bounded,
  cron,
  labels,
  loopbackAddress,
  oneOf,
  parseCount,
  text,
  textList,
  topicLevel,
} from './parsers.ts';
import { SINK_KEYS } from './sink-keys.ts';

export type { Key } from './key.ts';

/**
 * Every setting, once: the file's validation, the flags, the environment and the reference are read off this table.
 */
const DAY_MS = 86_400_000;

export const KEYS: readonly Key[] = [
  {
    path: 'interval',
    expected: 'a duration from 100ms to 1h, e.g. 5s',
    parse: bounded(parseDurationMs, 100, 3_600_000),
    default: '5s',
    doc: 'Time between two samples.',
  },
  {
    path: 'site',
    expected: '1 to 64 characters without / + #',
    parse: topicLevel,
    default: 'default',
    doc: 'Part of every topic.',
  },
  {
    path: 'hostId',
    expected: '1 to 64 characters without / + #',
    parse: topicLevel,
    doc: 'Identity of this host; by default its machine id hashed with the site.',
  },
  {
    path: 'labels',
    expected: 'a map of at most 32 names to texts',
    parse: labels,
    doc: 'Carried by every alert.',
    reload: true,
  },
  { path: 'stateDir', expected: 'a path', parse: text, doc: 'Database, models, identity.' },
  {
    path: 'socket',
    expected: 'a path',
    parse: text,
    doc: 'Local socket; by default agent.sock in the state directory.',
  },
  {
    path: 'source',
    expected: 'auto, procfs, systeminformation or replay:FILE[,FILE]',
    parse: (raw) =>
      typeof raw === 'string' && /^(auto|procfs|systeminformation|replay:.+)$/.test(raw) ? raw : undefined,
    default: 'auto',
    doc: 'Where samples come from.',
  },
  {
    path: 'pace',
    expected: 'realtime or max',
    parse: oneOf('realtime', 'max'),
    default: 'realtime',
    doc: 'How fast a replay runs.',
  },
  {
    path: 'view',
    expected: 'auto, host or cgroup',
    parse: oneOf('auto', 'host', 'cgroup'),
    default: 'auto',
    doc: 'What "the host" is inside a container.',
  },
  {
    path: 'network.include',
    expected: 'a list of interface names',
    parse: textList,
    doc: 'Only these interfaces count.',
  },
  { path: 'network.exclude', expected: 'a list of interface names', parse: textList, doc: 'These do not.' },
  {
    path: 'learning.warmup',
    expected: 'a duration from 10s to 60d',
    parse: bounded(parseDurationMs, 10_000, 60 * DAY_MS),
    default: '15m',
    doc: 'History before the first model; at least 40 samples.',
    reload: true,
  },
  {
    path: 'learning.refit',
    expected: 'auto or off',
    parse: oneOf('auto', 'off'),
    default: 'auto',
    doc: 'auto: again at 1 h, 6 h and 24 h of history, then every night. off: the first model stays (and retraining.mode is off, unless set).',
    reload: true,
  },
  {
    path: 'retraining.mode',
    expected: 'local, central or off',
    parse: oneOf('local', 'central', 'off'),
    doc: 'local (default): the host fits its new model itself. central: an event asks for one. off: drift is told of, no more.',
    reload: true,
  },
  {
    path: 'retraining.onDrift',
    expected: 'true or false',
    parse: boolean,
    default: true,
    doc: 'A new model when drift has lasted, at most one a day.',
    reload: true,
  },
  {
    path: 'retraining.schedule',
    expected: 'five fields of cron, e.g. 0 3 * * sun',
    parse: cron,
    doc: 'When to fit anew; instead of a minute of its own between 2 and 5 every night. Time zone of the host.',
  },
  {
    path: 'budget.info',
    expected: 'a rate, e.g. 1/day',
    parse: bounded(parseRatePerDay, 1e-4, 1e5),
    default: '1/day',
    doc: 'Notifications of any severity.',
    reload: true,
  },
  {
    path: 'budget.warning',
    expected: 'a rate, e.g. 1/week',
    parse: bounded(parseRatePerDay, 1e-4, 1e5),
    default: '1/week',
    doc: 'Of severity warning or above.',
    reload: true,
  },
  {
    path: 'budget.critical',
    expected: 'a rate, e.g. 1/month',
    parse: bounded(parseRatePerDay, 1e-4, 1e5),
    default: '1/month',
    doc: 'Of severity critical.',
    reload: true,
  },
  {
    path: 'incident.renotify',
    expected: 'a duration from 10s to 7d',
    parse: bounded(parseDurationMs, 10_000, 7 * DAY_MS),
    default: '1h',
    doc: 'A standing incident is told again this often.',
    reload: true,
  },
  {
    path: 'http.listen',
    expected: 'an address on loopback and a port up to 65535, e.g. 127.0.0.1:9464',
    parse: (raw) => (typeof raw === 'string' ? loopbackAddress(raw) : undefined),
    doc: 'Answer /metrics (Prometheus, OpenMetrics), /healthz and /readyz there; by default nowhere.',
  },
  {
    path: 'mlflow.url',
    expected: 'http://HOST[:PORT] or https://…',
    parse: (raw) => (typeof raw === 'string' && /^https?:\/\/[^\s]+$/.test(raw) ? raw : undefined),
    doc: 'MLflow tracking server that gets one run of this host with figures by the hour; by default none.',
  },
  { path: 'mlflow.usernameFile', expected: 'a path', parse: text, doc: 'File that holds the user name.' },
  { path: 'mlflow.passwordFile', expected: 'a path', parse: text, doc: 'File that holds the password.' },
  { path: 'mlflow.tokenFile', expected: 'a path', parse: text, doc: 'File that holds the token.' },
  {
    path: 'mlflow.caFile',
    expected: 'a path',
    parse: text,
    doc: 'Certificate authority of the server (PEM).',
  },
  {
    path: 'mlflow.experiment',
    expected: 'a text of at most 250 characters',
    parse: (raw) => {
      const value = text(raw);
      return value !== undefined && value.length <= 250 ? value : undefined;
    },
    default: 'anomaly_detection_inference',
    doc: 'Experiment that the run of this host belongs to.',
  },
  {
    path: 'central.root',
    expected: 'a path',
    parse: text,
    doc: 'Root document of the fleet, as installed: who may sign models and commands. Without it no model from the centre is taken.',
  },
  {
    path: 'central.rootSha256',
    expected: '64 hexadecimal digits',
    parse: (raw) => (typeof raw === 'string' && /^[0-9a-f]{64}$/.test(raw) ? raw : undefined),
    doc: 'Digest of that document: `edgewood keys root show` prints it.',
  },
  {
    path: 'central.model',
    expected: '1 to 64 letters, digits, ".", "_" and "-", the first a letter or digit',
    parse: (raw) =>
      typeof raw === 'string' && /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(raw) ? raw : undefined,
    default: 'host',
    doc: 'Name of the model whose rollouts this host follows.',
  },
  {
    path: 'central.sink',
    expected: '1 to 64 characters without / + #',
    parse: topicLevel,
    doc: 'Name of the MQTT sink whose broker the centre speaks over; by default the first one.',
  },
  {
    path: 'processes.count',
    expected: 'a number from 0 to 20',
    parse: bounded(parseCount, 0, 20),
    default: 5,
    doc: 'So many of the heaviest processes, by CPU and by memory, are named in an alert; 0: none.',
    reload: true,
  },
  {
    path: 'processes.commandLines',
    expected: 'true or false',
    parse: boolean,
    default: false,
    doc: 'Name them with their command lines, which may hold secrets; else by their names.',
    reload: true,
  },
  {
    path: 'retention.samples',
    expected: 'a duration from 1h to 365d',
    parse: bounded(parseDurationMs, 3_600_000, 365 * DAY_MS),
    default: '14d',
    doc: 'How long samples are kept.',
  },
  {
    path: 'retention.events',
    expected: 'a duration from 1h to 3650d',
    parse: bounded(parseDurationMs, 3_600_000, 3650 * DAY_MS),
    default: '90d',
    doc: 'How long events are kept.',
  },
  {
    path: 'retention.databaseBytes',
    expected: 'a size from 8MB to 1000GB',
    parse: bounded(parseBytes, 8e6, 1e12),
    default: '512MB',
    doc: 'Cap of the database.',
  },
  {
    path: 'retention.outboxBytes',
    expected: 'a size from 1MB to 10GB',
    parse: bounded(parseBytes, 1e6, 1e10),
    default: '32MB',
    doc: 'Cap of what waits for each sink.',
  },
  {
    path: 'log.level',
    expected: 'debug, info, warning or error',
    parse: oneOf('debug', 'info', 'warning', 'error'),
    default: 'info',
    doc: 'Least level that is logged.',
    reload: true,
  },
  {
    path: 'log.format',
    expected: 'auto, json or pretty',
    parse: oneOf('auto', 'json', 'pretty'),
    default: 'auto',
    doc: 'auto: pretty on a terminal.',
  },
  {
    path: 'log.file',
    expected: 'a path',
    parse: text,
    doc: 'Log here instead of stderr; turned over at 10 MB, kept for 7 days, at most 10 files.',
  },
  {
    path: 'maintenance[].schedule',
    expected: 'a cron expression of five fields in quotes, e.g. "0 2 * * sun"',
    parse: (raw) => (typeof raw === 'string' && isCronExpression(raw) ? raw.trim() : undefined),
    doc: 'When a window begins in which no alert is raised: minute, hour, day of month, month, day of week.',
  },
  {
    path: 'maintenance[].duration',
    expected: 'a duration from 1m to 7d',
    parse: bounded(parseDurationMs, 60_000, 7 * DAY_MS),
    doc: 'How long it lasts.',
  },
  {
    path: 'maintenance[].name',
    expected: 'a text of at most 64 characters',
    parse: (raw) => {
      const value = text(raw);
      return value !== undefined && value.length <= 64 ? value : undefined;
    },
    doc: 'What it is called in `status` and in events; by default maintenance.',
  },
  {
    path: 'maintenance[].timezone',
    expected: 'a name of the time zone database, e.g. Europe/Berlin',
    parse: (raw) => (typeof raw === 'string' && isTimeZone(raw) ? raw : undefined),
    doc: 'Of the schedule; by default the time zone of the host.',
  },
  {
    path: 'maintenance[].training',
    expected: 'exclude or include',
    parse: oneOf('exclude', 'include'),
    doc: 'Whether models learn from what happens then; by default they do not.',
  },
  ...SINK_KEYS,
];

export const KEY_BY_PATH: ReadonlyMap<string, Key> = new Map(KEYS.map((key) => [key.path, key]));
