import { readFileSync } from 'node:fs';
import { connect as connectTcp, type Socket } from 'node:net';
import type { SinkConfig } from '../../config/config.ts';
import { SinkConfigurationError } from '../sink.ts';

/** Where a broker is, and how to reach it. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
  /** For people: no credentials. */
  readonly target: string;
}

/** @throws SinkConfigurationError; a password in the URL is refused without being repeated */
export function parseEndpoint(sink: SinkConfig): Endpoint {
  let url: URL;
  try {
    url = new URL(sink.url ?? '');
  } catch {
    throw new SinkConfigurationError(
      `sink "${sink.name}": url: expected mqtt://HOST[:PORT] or mqtts://HOST[:PORT]`,
    );
  }
  if (url.password !== '') {
    throw new SinkConfigurationError(
      `sink "${sink.name}": url holds a password; put it into a file (mode 0600) and name it as passwordFile`,
    );
  }
  if (url.username !== '') {
    throw new SinkConfigurationError(
      `sink "${sink.name}": url holds a user name; use username or usernameFile`,
    );
  }
  if (url.protocol !== 'mqtt:' && url.protocol !== 'mqtts:') {
    throw new SinkConfigurationError(
      `sink "${sink.name}": url: expected mqtt:// or mqtts://, found ${url.protocol}//`,
    );
  }
  if ((sink.certFile === undefined) !== (sink.keyFile === undefined)) {
    throw new SinkConfigurationError(`sink "${sink.name}": certFile and keyFile go together`);
  }
  const tls = url.protocol === 'mqtts:';
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const port = url.port === '' ? (tls ? 8883 : 1883) : Number(url.port);
  return { host, port, tls, target: `${url.protocol}//${url.hostname}:${port}` };
}

/** A setting that is a file is read at each connect, so that a renewed one is taken up without a restart. */
export function readSecret(sink: SinkConfig, key: 'passwordFile' | 'usernameFile'): string | undefined {
  const path = sink[key];
  return path === undefined
    ? undefined
    : readSetting(sink, key, path)
        .toString('utf8')
        .replace(/\r?\n$/, '');
}

function readSetting(sink: SinkConfig, key: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new SinkConfigurationError(`sink "${sink.name}": ${key} ${path} can't be read (${code})`);
  }
}

/** Opens the stream; errors come as its events. @throws SinkConfigurationError for an unreadable file */
export function openStream(
  sink: SinkConfig,
  endpoint: Endpoint,
  tls: typeof import('node:tls') | null,
): Socket {
  const { host, port } = endpoint;
  if (!endpoint.tls || tls === null) return connectTcp({ host, port, noDelay: true });
  const file = (key: 'caFile' | 'certFile' | 'keyFile'): Buffer | undefined =>
    sink[key] === undefined ? undefined : readSetting(sink, key, sink[key]);
  const ca = file('caFile');
  const cert = file('certFile');
  const key = file('keyFile');
  return tls.connect({
    host,
    port,
    // An IP address is no server name (RFC 6066, section 3).
    ...(/^[\d.]+$|:/.test(host) ? {} : { servername: host }),
    rejectUnauthorized: sink.insecure !== true,
    minVersion: 'TLSv1.2',
    ...(ca && { ca }),
    ...(cert && { cert }),
    ...(key && { key }),
  });
}

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there (connection refused); is the broker running, and is the port right?',
  ENOTFOUND: 'the host name is not known; check its spelling and the name server',
  EAI_AGAIN: 'the name server does not answer',
  ETIMEDOUT: 'no answer in time; is a firewall in between?',
  EHOSTUNREACH: 'no route to the host',
  ENETUNREACH: 'no route to the network',
  ECONNRESET: 'the broker closed the connection',
  EPIPE: 'the broker closed the connection',
  CERT_HAS_EXPIRED: "the broker's certificate has expired; renew it",
  DEPTH_ZERO_SELF_SIGNED_CERT: "the broker's certificate is self-signed; name its authority as caFile",
  SELF_SIGNED_CERT_IN_CHAIN: "the broker's authority is not known here; name it as caFile",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "the broker's authority is not known here; name it as caFile",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "the broker's authority is not known here; name it as caFile",
  ERR_TLS_CERT_ALTNAME_INVALID: "the broker's certificate is for another host name; use that one in the url",
  ERR_SSL_WRONG_VERSION_NUMBER: 'the port does not speak TLS; use mqtt:// or the TLS port',
};

/** CONNACK codes of MQTT 3.1.1 and 5. */
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
};

/** What went wrong, in words that lead to the mend. */
export function describeFailure(error: unknown, endpoint: Endpoint): string {
  const { code, message } = error as { code?: unknown; message?: unknown };
  const known =
    typeof code === 'number' ? REFUSALS[code] : typeof code === 'string' ? WORDS[code] : undefined;
  return `${endpoint.target}: ${known ?? (typeof message === 'string' && message !== '' ? message : String(code ?? error))}`;
}

export const isVersionRefusal = (error: unknown): boolean => {
  const { code } = error as { code?: unknown };
  return code === 1 || code === 132;
};
