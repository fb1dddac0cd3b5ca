import { networkWords } from '../network-words.ts';
import type { Endpoint } from './transport.ts';

/** CONNACK and DISCONNECT codes of MQTT 3.1.1 and 5. */
const REFUSALS: Readonly<Record<number, string>> = {
  1: 'the broker does not speak this MQTT version',
  2: 'the broker refused the client id',
  3: 'the broker is not available now',
  4: 'user name or password is wrong',
  5: 'not authorised to connect; check user, password or client certificate',
  132: 'the broker does not speak this MQTT version',
  133: 'the broker refused the client id',
  134: 'user name or password is wrong',
  135: 'not authorised to connect; check user, password or client certificate',
  136: 'the broker is not available now',
  137: 'the broker is busy',
  138: 'the broker has banned this client',
  139: 'the broker is shutting down',
  142: 'another client took over under the same id; was this host cloned? Give each its own hostId',
  149: 'a packet was larger than the broker takes',
  151: "the broker's quota is used up",
  152: 'the broker ended the connection by its administrator',
  154: 'the broker does not keep retained messages; allow them for the status topic',
  155: 'the broker does not take QoS 1',
  159: 'the broker limits how often to connect',
};

/** PUBACK codes, MQTT 5 section 3.4.2.1. */
const PUBLISH_REFUSALS: Readonly<Record<number, string>> = {
  135: "not authorised to publish to its topic; check the broker's ACL",
  144: 'the broker does not take the topic name',
  149: 'larger than the broker takes',
  151: "the broker's quota is used up",
  153: 'the broker does not take the payload format',
};

export const refusalWords = (code: number | undefined): string | undefined =>
  code === undefined ? undefined : PUBLISH_REFUSALS[code];

/** What went wrong, in words that lead to the mend. */
export function describeFailure(error: unknown, endpoint: Endpoint): string {
  const { code, message } = error as { code?: unknown; message?: unknown };
  const known = typeof code === 'number' ? REFUSALS[code] : networkWords(code, 'broker');
  return `${endpoint.target}: ${known ?? (typeof message === 'string' && message !== '' ? message : String(code ?? error))}`;
}

/** DISCONNECT codes about a packet: malformed, protocol error, topic name, too large, payload format. */
const OBJECTIONS: ReadonlySet<unknown> = new Set([129, 130, 144, 149, 153]);

/**
 * Whether the broker ended the connection over a packet of ours. Mosquitto answers one above its
 * `message_size_limit` with a PUBACK of 0x95, which is none of that packet's codes, so that mqtt-packet gives up.
 */
export function isObjection(failure: unknown): boolean {
  const { code, message } = (failure ?? {}) as { code?: unknown; message?: unknown };
  return (
    OBJECTIONS.has(code) || (typeof message === 'string' && message.startsWith('Invalid puback reason code'))
  );
}

export const isVersionRefusal = (error: unknown): boolean => {
  const code = (error as { code?: unknown } | null)?.code;
  return code === 1 || code === 132;
};
