import type { Argv } from 'yargs';
import { ALERTS } from './alerts-commands.ts';
import { type Command, command, group, local } from './command.ts';
import { FLEET, HUB } from './fleet-commands.ts';
import { KEYS } from './keys-commands.ts';
import { MODELS } from './models-commands.ts';
import { RELEASE } from './release-commands.ts';
import { ROLLOUT } from './rollout-commands.ts';
import { TRAINING } from './training-commands.ts';

const config = <Options>(
  row: string,
  describe: string,
  builder: (yargs: Argv<{ action: string; file: string | undefined }>) => Argv<Options>,
): Command =>
  command({
    command: row,
    describe,
    builder: (yargs) =>
      builder(
        (row.includes('[file]')
          ? yargs.positional('file', {
              type: 'string',
              describe: 'Configuration file, by default /etc/edgewood/agent.yaml',
            })
          : yargs.option('file', { type: 'string', hidden: true })
        ).option('action', { type: 'string', default: row.split(' ')[0] as string, hidden: true }),
      ) as Argv<Options & { action: string }>,
    load: () => import('./commands/config.ts'),
  });

const service = <Options>(
  action: 'install' | 'uninstall' | 'status',
  describe: string,
  example: string,
  builder: (yargs: Argv<{ action: string; user: string }>) => Argv<Options>,
): Command =>
  command({
    command: action,
    describe,
    builder: (yargs) =>
      builder(
        yargs
          .option('action', { type: 'string', default: action as string, hidden: true })
          .option('user', {
            type: 'string',
            default: 'edgewood',
            describe: 'System user that the agent runs as',
            hidden: action === 'status',
          })
          .example(`$0 service ${example}`, describe),
      ) as unknown as Argv<import('./commands/service.ts').ServiceOptions>,
    load: () => import('./commands/service.ts'),
  });

const identity = (action: 'show' | 'renew' | 'keep', describe: string): Command =>
  command({
    command: action,
    describe,
    builder: (yargs) =>
      yargs
        .option('action', { type: 'string', default: action as string, hidden: true })
        .option('config', { type: 'string', describe: 'Configuration file (YAML)' })
        .option('state-dir', { type: 'string', describe: "The agent's state directory" })
        .option('json', {
          type: 'boolean',
          default: false,
          describe: 'Print JSON',
          hidden: action !== 'show',
        })
        .example(`$0 identity ${action}`, describe),
    load: () => import('./commands/identity.ts'),
  });

/** Every command, in the order in which `--help` lists them. */
export const COMMANDS: readonly Command[] = [
  command({
    command: 'agent',
    describe: 'Watch this host, in the foreground, until stopped',
    builder: (yargs) =>
      yargs
        .option('config', { type: 'string', describe: 'Configuration file (YAML)' })
        .option('state-dir', { type: 'string', describe: 'Database, models and socket' })
        .option('interval', { type: 'string', describe: 'Time between two samples, e.g. 5s' })
        .option('source', {
          type: 'string',
          describe: 'auto, procfs, systeminformation or replay:FILE[,FILE]',
        })
        .option('pace', { type: 'string', describe: 'Replay: realtime or max' })
        .option('mqtt', {
          type: 'string',
          describe: 'Broker, e.g. mqtts://broker:8883 (user and password: EDGEWOOD_MQTT_…_FILE)',
        })
        .option('influx', {
          type: 'string',
          describe:
            'InfluxDB v2, e.g. https://influx:8086?org=o&bucket=b (token: EDGEWOOD_INFLUX_TOKEN_FILE)',
        })
        .option('stdout', { type: 'boolean', default: false, describe: 'Print events as NDJSON' })
        .option('http', {
          type: 'string',
          describe: '/metrics, /healthz, /readyz there, e.g. 127.0.0.1:9464',
        })
        .option('site', { type: 'string', describe: 'Site of this host, part of every topic' })
        .option('labels', { type: 'string', describe: 'NAME=VALUE[,NAME=VALUE], carried by every alert' })
        .option('warmup', { type: 'string', describe: 'History before the first model, e.g. 15m' })
        .option('refit', { type: 'string', describe: 'auto or off' })
        .option('log-level', { type: 'string', describe: 'debug, info, warning or error' })
        .option('log-format', { type: 'string', describe: 'auto, json or pretty' })
        .example('$0 agent --mqtt mqtt://broker:1883 --labels role=web', 'Alert over MQTT')
        .example('$0 agent --source replay:week.csv.gz --pace max --stdout', 'Last week, again'),
    load: () => import('./commands/agent.ts'),
  }),
  command({
    command: 'demo',
    describe: 'See it work on this host, in about a minute: broker, agent, real load, alert, end',
    builder: (yargs) =>
      yargs
        .option('learn', { type: 'number', default: 30, describe: 'Seconds to learn this host' })
        .option('load', { type: 'number', default: 12, describe: 'Seconds of load' })
        .option('json', { type: 'boolean', default: false, describe: 'Print the alert as JSON' })
        .example('$0 demo', 'Learn for 30 s, load for 12 s'),
    load: () => import('./commands/demo.ts'),
  }),
  command({
    command: 'demo-load <kind>',
    describe: false,
    builder: (yargs) =>
      yargs
        .positional('kind', { type: 'string', choices: ['cpu', 'memory', 'network'], demandOption: true })
        .option('seconds', { type: 'number', default: 10 })
        .option('megabytes', { type: 'number', default: 256 }),
    load: () => import('./commands/demo-load.ts'),
  }),
  command({
    command: 'status',
    describe: 'What the agent on this host sees and does, and what comes next',
    builder: (yargs) => local(yargs).example('$0 status --json', 'For a script'),
    load: () => import('./commands/status.ts'),
  }),
  command({
    command: 'doctor',
    describe: 'What is wrong with this installation, why it matters, and how to mend it',
    builder: (yargs) =>
      yargs
        .option('config', { type: 'string', describe: 'Configuration file (YAML)' })
        .option('state-dir', { type: 'string', describe: "The agent's state directory" })
        .option('socket', { type: 'string', describe: "The agent's socket" })
        .option('mqtt', { type: 'string', describe: 'Broker, as for the agent' })
        .option('influx', { type: 'string', describe: 'InfluxDB, as for the agent' })
        .option('json', { type: 'boolean', default: false, describe: 'Print JSON' })
        .example('$0 doctor', 'Everything, each sink for real; exit code 1 where something is wrong'),
    load: () => import('./commands/doctor.ts'),
  }),
  ALERTS,
  command({
    command: 'snooze [duration]',
    describe: 'No alerts from this host for a while, up to 24 hours; `off`: again, at once',
    builder: (yargs) =>
      local(yargs)
        .positional('duration', { type: 'string', describe: 'e.g. 2h, or off; without: what holds now' })
        .option('reason', { type: 'string', describe: 'Shown wherever the snooze is' })
        .option('learn', {
          type: 'boolean',
          default: false,
          describe: 'Models shall learn from what happens meanwhile',
        })
        .example('$0 snooze 2h --reason "disk swap"', 'For planned work'),
    load: () => import('./commands/snooze.ts'),
  }),
  command({
    command: 'retrain',
    describe:
      'A new model for this host now, from its own history; compared with the old one before it replaces it',
    builder: (yargs) =>
      local(yargs)
        .option('why', { type: 'string', default: '', describe: 'Goes into the event and the log' })
        .example('$0 retrain --why "new release"', 'After a change that is here to stay'),
    load: () => import('./commands/retrain.ts'),
  }),
  command({
    command: 'rollback',
    describe: 'The model before watches this host again; a second time: as it was',
    builder: (yargs) =>
      local(yargs)
        .option('why', { type: 'string', default: '', describe: 'Goes into the event and the log' })
        .example('$0 rollback --why "too many alarms"', 'Take a new model back'),
    load: () => import('./commands/rollback.ts'),
  }),
  command({
    command: 'log-level <level>',
    describe: 'What the agent logs, changed while it runs, for a while',
    builder: (yargs) =>
      local(yargs)
        .positional('level', {
          type: 'string',
          choices: ['debug', 'info', 'warning', 'error'],
          demandOption: true,
        })
        .option('for', {
          type: 'string',
          default: '10m',
          describe: 'Up to 24h, then back to what is configured',
        })
        .example('$0 log-level debug --for 10m', 'Look closer for ten minutes'),
    load: () => import('./commands/log-level.ts'),
  }),
  group('config', 'The configuration file', 'check /etc/edgewood/agent.yaml', [
    config('check [file]', 'Check a configuration file: line, column, what was expected', (yargs) =>
      yargs.example('$0 config check /etc/edgewood/agent.yaml', 'Check before a restart'),
    ),
    config('init [file]', 'Write a commented configuration file (`-`: print it)', (yargs) =>
      yargs
        .option('mqtt', { type: 'string', describe: 'Broker to deliver to' })
        .option('influx', { type: 'string', describe: 'InfluxDB to deliver to' })
        .option('force', { type: 'boolean', default: false, describe: 'Write over a file that is there' })
        .example('$0 config init --mqtt mqtts://broker:8883', 'Begin with one sink'),
    ),
    config('show [file]', 'What holds for an agent started here, and where each value comes from', (yargs) =>
      yargs
        .option('config', { type: 'string', describe: 'Configuration file (YAML)' })
        .option('json', { type: 'boolean', default: false, describe: 'Print JSON' })
        .example('$0 config show', 'File, environment and defaults, as they hold'),
    ),
  ]),
  ...TRAINING,
  MODELS,
  KEYS,
  RELEASE,
  HUB,
  FLEET,
  ROLLOUT,
  group('identity', 'Who this host is: its id, its site, its labels', 'show', [
    identity('show', 'Id, where it comes from, and whether this looks like a copy of another machine'),
    identity('renew', 'Another id, drawn at random: for a copy of a machine'),
    identity('keep', 'The same machine with other hardware: it stays who it is'),
  ]),
  command({
    command: 'decommission',
    describe: 'Take this host out of the fleet: empty what it has retained at its brokers',
    builder: (yargs) =>
      yargs
        .option('config', { type: 'string', describe: 'Configuration file (YAML)' })
        .option('state-dir', { type: 'string', describe: "The agent's state directory" })
        .option('mqtt', { type: 'string', describe: 'Broker, as for the agent' })
        .option('site', { type: 'string', describe: 'Site, where it is another than the configured one' })
        .option('host-id', { type: 'string', describe: 'Another host, or the former id of this one' })
        .option('yes', { type: 'boolean', default: false, describe: 'Yes, empty it' })
        .example('$0 decommission --yes', 'After systemctl disable --now edgewood'),
    load: () => import('./commands/decommission.ts'),
  }),
  group('service', 'The systemd service on this host', 'status', [
    service(
      'install',
      'Install this executable as a service, or upgrade the one that is there',
      'install',
      (yargs) =>
        yargs
          .option('config', {
            type: 'string',
            default: '/etc/edgewood/agent.yaml',
            describe: 'Configuration file; a commented one is written where none is',
          })
          .option('executable', {
            type: 'string',
            default: '/usr/local/bin/edgewood',
            describe: 'Where this executable is copied to',
          })
          .option('start', { type: 'boolean', default: true, describe: 'Start it (--no-start: only enable)' })
          .option('force', { type: 'boolean', default: false, describe: 'Replace a newer version, too' })
          .option('print', { type: 'boolean', default: false, describe: 'Print the unit, change nothing' }),
    ),
    service('uninstall', 'Stop and remove the service; state and configuration stay', 'uninstall', (yargs) =>
      yargs.option('purge', {
        type: 'boolean',
        default: false,
        describe: 'Remove state, configuration and user as well',
      }),
    ),
    service(
      'status',
      'What systemd knows of it; exit code 1 where it does not run',
      'status --json',
      (yargs) => yargs.option('json', { type: 'boolean', default: false, describe: 'Print JSON' }),
    ),
  ]),
  command({
    command: 'version',
    describe: 'Print the version, the commit, and what it runs on',
    builder: (yargs) =>
      yargs
        .option('json', { type: 'boolean', default: false, describe: 'Print one JSON document' })
        .example('$0 version --json', 'For a script'),
    load: () => import('./commands/version.ts'),
  }),
  command({
    command: 'licences',
    describe: 'Print the licences of everything inside this executable',
    builder: (yargs) => yargs.example('$0 licences > licences.txt', ''),
    load: () => import('./commands/licences.ts'),
  }),
];
