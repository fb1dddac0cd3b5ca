import { readFileSync } from 'node:fs';
import { connect as connectTcp, type Socket } from 'node:net';
import type { SinkConfig } from '../../config/config.ts';
import { SinkConfigurationError } from '../sink.ts';

const FILE_SETTINGS = ['usernameFile', 'passwordFile', 'caFile', 'certFile', 'keyFile'] as const;
const TLS_SETTINGS = ['caFile', 'certFile', 'keyFile', 'insecure'] as const;

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
  if (url.hostname === '' || !/^\/?$/.test(url.pathname) || url.search !== '' || url.hash !== '') {
    throw new SinkConfigurationError(
      `sink "${sink.name}": url: expected nothing but mqtt://HOST[:PORT] or mqtts://HOST[:PORT]`,
    );
  }
  if ((sink.certFile === undefined) !== (sink.keyFile === undefined)) {
    throw new SinkConfigurationError(`sink "${sink.name}": certFile and keyFile go together`);
  }
  const tls = url.protocol === 'mqtts:';
  const unused = TLS_SETTINGS.find((key) => sink[key] !== undefined && sink[key] !== false);
  if (!tls && unused !== undefined) {
    throw new SinkConfigurationError(
      `sink "${sink.name}": ${unused} is set, but mqtt:// is not encrypted; write mqtts:// or remove ${unused}`,
    );
  }
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

/** @throws SinkConfigurationError for the first file that can't be read */
export function checkFiles(sink: SinkConfig): void {
  for (const key of FILE_SETTINGS) {
    const path = sink[key];
    if (path !== undefined) readSetting(sink, key, path);
  }
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
