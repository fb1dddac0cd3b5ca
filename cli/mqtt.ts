import { randomBytes, randomUUID } from 'node:crypto';
import { type IClientOptions, MqttClient } from 'mqtt';
import type { SinkConfig } from '../agent/config/config.ts';
import { clientOptions, VersionChoice } from '../agent/sinks/mqtt/options.ts';
import { type Endpoint, openStream, parseEndpoint } from '../agent/sinks/mqtt/transport.ts';
import { type AgentTopics, agentTopics } from '../core/protocol/topics.ts';

const ANSWER_MS = 10_000;

export interface Beside {
  readonly client: MqttClient;
  readonly endpoint: Endpoint;
  readonly topics: AgentTopics;
}

/**
 * A client with the agent's own credentials beside the agent's own connection: another client id, no will, no session.
 * @throws SinkConfigurationError
 */
export async function connectBeside(
  sink: SinkConfig,
  {
    site,
    hostId,
    version,
    purpose,
  }: { readonly site: string; readonly hostId: string; readonly version: string; readonly purpose: string },
): Promise<Beside> {
  const endpoint = parseEndpoint(sink);
  const tls = endpoint.tls ? await import('node:tls') : null;
  const topics = agentTopics(site, hostId);
  const identity = { site, hostId, bootId: randomUUID(), version, schemaHash: '' };
  const protocol = new VersionChoice(sink.protocolVersion).current;
  const {
    will: _will,
    properties: _properties,
    ...options
  } = clientOptions(sink, identity, topics, protocol, true);
  const client = new MqttClient(() => openStream(sink, endpoint, tls), {
    ...options,
    clientId: `${options.clientId}-${purpose}-${randomBytes(3).toString('hex')}`,
    connectTimeout: ANSWER_MS,
  } as IClientOptions);
  return { client, endpoint, topics };
}

/** Resolves when the broker has let it in; rejects with why it has not. */
export async function letIn({ client }: Beside): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    client.once('connect', () => resolve());
    client.once('error', reject);
    client.once('close', () => reject(new Error('the broker closed the connection without a word')));
  });
  // Told by what fails from here on.
  client.on('error', () => {});
}
