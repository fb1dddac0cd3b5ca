import {
  type AgentConfig,
  ConfigError,
  mergeSettings,
  resolveConfig,
  type SinkConfig,
} from '../../agent/config/config.ts';
import { hostIdFrom, readIdentity, readMachineId } from '../../agent/identity.ts';
import { describeFailure } from '../../agent/sinks/mqtt/failures.ts';
import { agentTopics } from '../../core/protocol/topics.ts';
import { askStatus } from '../doctor/agent.ts';
import { Exit, UserError } from '../errors.ts';
import { connectBeside, letIn } from '../mqtt.ts';
import { CREDENTIALS_DIR } from '../service/unit.ts';
import { readSettings, type SettingOptions } from '../settings.ts';
import { BUILD } from '../version.ts';

export interface DecommissionOptions extends SettingOptions {
  readonly 'host-id'?: string | undefined;
  readonly yes: boolean;
}

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
    const target = await empty(sink, config, hostId, retained);
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
  { site }: AgentConfig,
  hostId: string,
  retained: readonly string[],
): Promise<string> {
  const beside = await connectBeside(sink, { site, hostId, version: BUILD.version, purpose: 'decommission' });
  try {
    await letIn(beside);
    for (const topic of retained) await beside.client.publishAsync(topic, '', { qos: 1, retain: true });
    return beside.endpoint.target;
  } catch (error) {
    throw new UserError(
      `${describeFailure(error, beside.endpoint)}; nothing more was emptied`,
      Exit.unreachable,
    );
  } finally {
    beside.client.end(true);
  }
}
