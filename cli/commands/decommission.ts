import { randomBytes, randomUUID } from 'node:crypto';
import { type IClientOptions, MqttClient } from 'mqtt';
import {
  type AgentConfig,
  ConfigError,
  mergeSettings,
  resolveConfig,
  type SinkConfig,
} from '../../agent/config/config.ts';
import { hostIdFrom, readIdentity, readMachineId } from '../../agent/identity.ts';
import { describeFailure } from '../../agent/sinks/mqtt/failures.ts';
import { clientOptions, VersionChoice } from '../../agent/sinks/mqtt/options.ts';
import { openStream, parseEndpoint } from '../../agent/sinks/mqtt/transport.ts';
import { type AgentTopics, agentTopics } from '../../core/protocol/topics.ts';
import { askStatus } from '../doctor/agent.ts';
import { Exit, UserError } from '../errors.ts';
import { CREDENTIALS_DIR } from '../service/unit.ts';
import { readSettings, type SettingOptions } from '../settings.ts';
import { BUILD } from '../version.ts';

export interface DecommissionOptions extends SettingOptions {
  readonly 'host-id'?: string | undefined;
  readonly yes: boolean;
}

const ANSWER_MS = 10_000;

/** Takes a host out of a fleet: what it has retained at its brokers is emptied, and said how the rest goes. */
export async function run(args: DecommissionOptions): Promise<number> {
  process.env['CREDENTIALS_DIRECTORY'] ??= CREDENTIALS_DIR;
  let config: AgentConfig;
  try {
    config = resolveConfig([mergeSettings(await readSettings(args))]);
  } catch (error) {
    throw error instanceof ConfigError ? new UserError(error.message) : error;
  }
  const hostId =
    args['host-id'] ??
    config.hostId ??
    readIdentity(config.stateDir)?.hostId ??
    hostIdFrom(readMachineId(), config.site);
  if (hostId === null) throw new UserError('this host has no id yet: name one with --host-id');
  const status = await askStatus(config.socket);
  if (status?.host.id === hostId) {
    throw new UserError(
      `the agent of ${hostId} is running, and would announce itself again: stop it first (systemctl disable --now edgewood)`,
    );
  }
  const brokers = config.sinks.filter(({ type }) => type === 'mqtt');
  if (brokers.length === 0)
    throw new UserError('no sink of type mqtt is configured: nothing is retained anywhere');
  const topics = agentTopics(config.site, hostId);
  const retained = [topics.status, topics.reported];
  if (!args.yes) {
    throw new UserError(
      `this empties ${retained.join(' and ')} at ${brokers.map(({ name }) => name).join(', ')}: say so with --yes`,
    );
  }
  for (const sink of brokers) {
    const target = await empty(sink, config, hostId, topics, retained);
    process.stdout.write(`${target}: emptied ${retained.join(', ')}\n`);
  }
  process.stdout.write(
    `What is left of ${hostId}: its user at the broker; what subscribers, InfluxDB and webhooks have stored; ` +
      'here, state and configuration (edgewood service uninstall --purge, or apt purge edgewood).\n',
  );
  return Exit.done;
}

async function empty(
  sink: SinkConfig,
  config: AgentConfig,
  hostId: string,
  topics: AgentTopics,
  retained: readonly string[],
): Promise<string> {
  const endpoint = parseEndpoint(sink);
  const tls = endpoint.tls ? await import('node:tls') : null;
  const identity = {
    site: config.site,
    hostId,
    bootId: randomUUID(),
    version: BUILD.version,
    schemaHash: '',
  };
  const version = new VersionChoice(sink.protocolVersion).current;
  const {
    will: _will,
    properties: _properties,
    ...options
  } = clientOptions(sink, identity, topics, version, true);
  const client = new MqttClient(() => openStream(sink, endpoint, tls), {
    ...options,
    clientId: `${options.clientId}-decommission-${randomBytes(3).toString('hex')}`,
    connectTimeout: ANSWER_MS,
  } as IClientOptions);
  try {
    await new Promise<void>((resolve, reject) => {
      client.once('connect', () => resolve());
      client.once('error', reject);
      client.once('close', () => reject(new Error('the broker closed the connection without a word')));
    });
    client.on('error', () => {});
    for (const topic of retained) await client.publishAsync(topic, '', { qos: 1, retain: true });
    return endpoint.target;
  } catch (error) {
    throw new UserError(`${describeFailure(error, endpoint)}; nothing more was emptied`, Exit.unreachable);
  } finally {
    client.end(true);
  }
}
