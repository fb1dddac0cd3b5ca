import type { SinkConfig } from '../../config/config.ts';
import { checkTlsSettings } from '../files.ts';
import { SinkConfigurationError } from '../sink.ts';

/** Where an HTTP server is. */
export interface HttpEndpoint {
  readonly tls: boolean;
  readonly host: string;
  readonly port: number;
  /** As in the url: begins with a slash. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** For people: no credentials, no path and query (those of many a webhook are its secret). */
  readonly target: string;
}

/** @throws SinkConfigurationError; a password in the URL is refused without being repeated */
export function parseHttpEndpoint(sink: SinkConfig): HttpEndpoint {
  let url: URL;
  try {
    url = new URL(sink.url ?? '');
  } catch {
    throw new SinkConfigurationError(
      `sink "${sink.name}": url: expected http://HOST[:PORT]/… or https://HOST[:PORT]/…, PORT at most 65535`,
    );
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new SinkConfigurationError(
      `sink "${sink.name}": url: a sink of type ${sink.type} expects http:// or https://, found ${url.protocol}//`,
    );
  }
  if (url.password !== '' || url.username !== '') {
    throw new SinkConfigurationError(
      `sink "${sink.name}": url holds a user name or password; put them into files (mode 0600) and name them as usernameFile and passwordFile`,
    );
  }
  const tls = url.protocol === 'https:';
  checkTlsSettings(sink, tls, 'http');
  const port = url.port === '' ? (tls ? 443 : 80) : Number(url.port);
  return {
    tls,
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port,
    path: url.pathname,
    query: url.searchParams,
    target: `${url.protocol}//${url.host}${url.pathname === '/' ? '' : '/***'}`,
  };
}
