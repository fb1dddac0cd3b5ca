import { randomBytes } from 'node:crypto';
import type { SinkConfig } from '../../agent/config/config.ts';
import { describeFailure } from '../../agent/sinks/mqtt/failures.ts';
import { userName } from '../../models/access/roles.ts';
import { type Beside, connectBeside, letIn } from '../mqtt.ts';
import { type Finding, note, ok, problem, warning } from './finding.ts';
import type { Patient } from './sinks.ts';

const ANSWER_MS = 10_000;

/** Connects as the agent does, under another client id, and sends itself a message on its own `selftest` topic. */
export async function roundTrip(sink: SinkConfig, area: string, patient: Patient): Promise<Finding[]> {
  const findings = await once(sink, area, patient);
  // As the agent does: a broker that does not speak MQTT 5 says so, or hangs up.
  const older = findings.some(({ says }) => /does not speak this MQTT version|without a word/.test(says));
  return older && sink.protocolVersion === undefined
    ? await once({ ...sink, protocolVersion: 4 }, area, patient)
    : findings;
}

async function once(sink: SinkConfig, area: string, patient: Patient): Promise<Finding[]> {
  const { config, hostId, version } = patient;
  const beside = await connectBeside(sink, { site: config.site, hostId, version, purpose: 'doctor' });
  try {
    return await converse(beside, area, patient);
  } finally {
    beside.client.end(true);
  }
}

async function converse(beside: Beside, area: string, patient: Patient): Promise<Finding[]> {
  const { client, endpoint } = beside;
  const topic = beside.topics.selftest;
  try {
    await within(letIn(beside), 'the broker does not answer CONNECT');
  } catch (error) {
    const says = describeFailure(error, endpoint);
    const credentials = 'check user, password or client certificate in the configuration and at the broker';
    return [
      problem(area, says, {
        why: 'events wait in the outbox, and the oldest are dropped when it is full',
        // A TLS port that is greeted in plain text hangs up, as some brokers do on a wrong password.
        mend:
          /closed the connection/.test(says) && !endpoint.tls
            ? `does port ${endpoint.port} speak TLS? Then mqtts:// in url; otherwise ${credentials}`
            : credentials,
      }),
    ];
  }
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
          mend:
            ofAnother(client.options.username, patient) ??
            `have the broker's ACL allow this user to publish below ${topic.replace(/selftest$/, '#')}`,
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

/** What to do where the credentials are those that `fleet enroll` made for another host, or for this one under another site. */
function ofAnother(username: string | undefined, { config: { site }, hostId }: Patient): string | null {
  const [user = ''] = (username ?? '').split('~');
  if (!user.startsWith('agent/') || user === userName({ role: 'agent', name: hostId, sites: [site] }))
    return null;
  return `these are the credentials of ${user}, and this host is ${hostId} of the site ${site} (an id depends on the site): edgewood fleet enroll ${hostId} --site ${site}`;
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
