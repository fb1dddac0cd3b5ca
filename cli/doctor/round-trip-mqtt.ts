import { randomBytes, randomUUID } from 'node:crypto';
import { type IClientOptions, MqttClient } from 'mqtt';
import type { SinkConfig } from '../../agent/config/config.ts';
import { describeFailure } from '../../agent/sinks/mqtt/failures.ts';
import { clientOptions, VersionChoice } from '../../agent/sinks/mqtt/options.ts';
import { type Endpoint, openStream, parseEndpoint } from '../../agent/sinks/mqtt/transport.ts';
import { agentTopics } from '../../core/protocol/topics.ts';
import { type Finding, note, ok, problem, warning } from './finding.ts';
import type { Patient } from './sinks.ts';

const ANSWER_MS = 10_000;

/** Connects as the agent does, under another client id, and sends itself a message on its own `selftest` topic. */
export async function roundTrip(sink: SinkConfig, area: string, patient: Patient): Promise<Finding[]> {
  const endpoint = parseEndpoint(sink);
  const tls = endpoint.tls ? await import('node:tls') : null;
  const choice = new VersionChoice(sink.protocolVersion);
  const { config, hostId, version } = patient;
  const topics = agentTopics(config.site, hostId);
  const identity = { site: config.site, hostId, bootId: randomUUID(), version, schemaHash: '' };
  const { will: _will, ...options } = clientOptions(sink, identity, topics, choice.current, true);
  const client = new MqttClient(() => openStream(sink, endpoint, tls), {
    ...options,
    // Beside the agent's own connection, not instead of it.
    clientId: `${options.clientId}-doctor-${randomBytes(3).toString('hex')}`,
    connectTimeout: ANSWER_MS,
    ...(choice.current === 5 && { properties: { sessionExpiryInterval: 0 } }),
  } as IClientOptions);
  try {
    return await converse(client, endpoint, area, topics.selftest);
  } finally {
    client.end(true);
  }
}

async function converse(
  client: MqttClient,
  endpoint: Endpoint,
  area: string,
  topic: string,
): Promise<Finding[]> {
  try {
    await within(
      new Promise<void>((resolve, reject) => {
        client.once('connect', () => resolve());
        client.once('error', reject);
        client.once('close', () => reject(new Error('the broker closed the connection without a word')));
      }),
      'the broker does not answer CONNECT',
    );
  } catch (error) {
    return [
      problem(area, describeFailure(error, endpoint), {
        why: 'events wait in the outbox, and the oldest are dropped when it is full',
        mend: 'check user, password or client certificate in the configuration and at the broker',
      }),
    ];
  }
  client.on('error', () => {});
  const findings = [
    ok(area, `the broker lets this host in (MQTT ${client.options.protocolVersion === 5 ? '5' : '3.1.1'})`),
  ];
  const word = randomBytes(8).toString('hex');
  const heard = new Promise<void>((resolve) => {
    client.on('message', (_topic, payload) => {
      if (payload.toString() === word) resolve();
    });
  });
  const granted = await client
    .subscribeAsync(topic, { qos: 1 })
    .then(([grant]) => grant !== undefined && grant.qos < 0x80)
    .catch(() => false);
  const beganMs = performance.now();
  try {
    await within(client.publishAsync(topic, word, { qos: 1 }), 'the broker does not acknowledge');
    if (granted) await within(heard, 'the message did not come back');
  } catch (error) {
    findings.push(
      problem(
        area,
        `a message on ${topic} got lost: ${error instanceof Error ? error.message : String(error)}`,
        {
          why: 'alerts would, too',
          mend: `have the broker's ACL allow this user to publish below ${topic.replace(/selftest$/, '#')}`,
        },
      ),
    );
    return findings;
  }
  const tookMs = (performance.now() - beganMs).toFixed(0);
  if (granted) findings.push(ok(area, `a message came back after ${tookMs} ms`));
  else
    findings.push(
      note(
        area,
        `a message was acknowledged after ${tookMs} ms; this user may not read ${topic}, so it can't come back`,
      ),
    );
  const { maximumQoS, retainAvailable } =
    (client as unknown as { connackProperties?: Record<string, unknown> }).connackProperties ?? {};
  if (retainAvailable === false || maximumQoS === 0) {
    findings.push(
      warning(area, 'the broker keeps no retained messages, or takes no QoS 1', {
        why: 'the state of the host is not kept there, and alerts may be lost on the way',
        mend: "allow both in the broker's configuration",
      }),
    );
  }
  return findings;
}

async function within<T>(work: Promise<T>, otherwise: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${otherwise} within ${ANSWER_MS / 1000} s`)), ANSWER_MS);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
