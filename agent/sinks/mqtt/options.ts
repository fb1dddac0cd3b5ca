import type { IClientOptions } from 'mqtt';
import { MAX_INBOUND_PACKET_BYTES } from '../../../core/protocol/limits.ts';
import { type AgentIdentity, statusDocument } from '../../../core/protocol/status.ts';
import type { AgentTopics } from '../../../core/protocol/topics.ts';
import type { SinkConfig } from '../../config/config.ts';
import { readSecret } from '../files.ts';
import type { ConnectionEnd } from './connection.ts';
import { isVersionRefusal } from './failures.ts';

const CONNECT_TIMEOUT_MS = 15_000;
const KEEPALIVE_SECONDS = 30;
const SESSION_EXPIRY_SECONDS = 86_400;

/** What holds for every mqtt.js client of ours: credentials, no reconnecting, no queues, no prebuilt buffers (18 MB). */
export function commonOptions(config: SinkConfig, version: 4 | 5): IClientOptions {
  const password = readSecret(config, 'passwordFile');
  const username = readSecret(config, 'usernameFile') ?? config.username;
  return {
    protocolVersion: version,
    keepalive: KEEPALIVE_SECONDS,
    connectTimeout: CONNECT_TIMEOUT_MS,
    reconnectPeriod: 0,
    resubscribe: false,
    queueQoSZero: false,
    writeCache: false,
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
  };
}

/** Options of an agent's client: its id, its will, a session that outlasts a short outage. */
export function clientOptions(
  config: SinkConfig,
  identity: AgentIdentity,
  topics: AgentTopics,
  version: 4 | 5,
  clean: boolean,
): IClientOptions {
  return {
    ...commonOptions(config, version),
    clientId: `edgewood-${identity.site}-${identity.hostId}`,
    clean,
    ...(version === 5 && {
      properties: {
        sessionExpiryInterval: SESSION_EXPIRY_SECONDS,
        maximumPacketSize: MAX_INBOUND_PACKET_BYTES,
      },
    }),
    will: {
      topic: topics.status,
      payload: Buffer.from(JSON.stringify(statusDocument(identity, false, null))),
      qos: 1,
      retain: true,
    },
  };
}

/** Which MQTT version the next connection speaks. A configured one is never left. */
export class VersionChoice {
  readonly #fixed: boolean;
  /** 3.1.1 is tried on a hunch; the connection after goes back to 5. */
  #guessed = false;
  current: 4 | 5;

  constructor(configured: 4 | 5 | undefined) {
    this.#fixed = configured !== undefined;
    this.current = configured ?? 5;
  }

  get name(): string {
    return this.current === 5 ? '5' : '3.1.1';
  }

  /**
   * Learns from how a connection ended: a broker that names the version as the fault is believed for good; one that
   * hangs up without a word gets one try in 3.1.1.
   * @returns whether the version changes
   */
  next(end: ConnectionEnd): boolean {
    if (this.#fixed) return false;
    const before = this.current;
    const refused = isVersionRefusal(end.failure);
    if (refused) this.current = before === 5 ? 4 : 5;
    else if (this.#guessed) this.current = 5;
    else if (end.silent) this.current = 4;
    this.#guessed = !refused && before === 5 && this.current === 4;
    return this.current !== before;
  }
}
