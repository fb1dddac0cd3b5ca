import { connect as connectTcp, type Socket } from 'node:net';
import type { SinkConfig } from '../../config/config.ts';
import { checkTlsSettings, tlsOptions } from '../files.ts';
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
      `sink "${sink.name}": url: expected mqtt://HOST[:PORT] or mqtts://HOST[:PORT], PORT at most 65535`,
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
  if (url.hostname === '' || !/^\/?$/.test(url.pathname) || url.search !== '' || url.hash !== '') {
    throw new SinkConfigurationError(
      `sink "${sink.name}": url: expected nothing but mqtt://HOST[:PORT] or mqtts://HOST[:PORT]`,
    );
  }
  const tls = url.protocol === 'mqtts:';
  checkTlsSettings(sink, tls, 'mqtt');
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const port = url.port === '' ? (tls ? 8883 : 1883) : Number(url.port);
  return { host, port, tls, target: `${url.protocol}//${url.hostname}:${port}` };
}

/** Opens the stream; errors come as its events. @throws SinkConfigurationError for an unreadable file */
export function openStream(
  sink: SinkConfig,
  endpoint: Endpoint,
  tls: typeof import('node:tls') | null,
): Socket {
  const { host, port } = endpoint;
  if (!endpoint.tls || tls === null) return connectTcp({ host, port, noDelay: true });
  return tls.connect({ host, port, ...tlsOptions(sink, host) });
}
