import { readFileSync } from 'node:fs';
import { TrackingSettingError } from './mlflow-error.ts';

/** Where an MLflow tracking server is, and who we are to it. */
export interface TrackingServer {
  readonly tls: boolean;
  readonly host: string;
  readonly port: number;
  /** Before `/api/2.0`: '' or `/mlflow`, …; no slash at its end. */
  readonly basePath: string;
  /** For people, and to tell one server from another. */
  readonly url: string;
  /** Of the Authorization header; asked for at each request, so that a renewed file is taken up. */
  readonly authorization: () => string | null;
  /** PEM; null for the authorities that Node knows. */
  readonly ca: Buffer | null;
}

export interface TrackingSecrets {
  readonly token: () => string | null;
  readonly username: () => string | null;
  readonly password: () => string | null;
}

const SECRET_MAX_BYTES = 64 * 1024;

/**
 * @param url of `origin`, a flag or a variable, which messages name
 * @throws TrackingSettingError; a password in the URL is refused without being repeated
 */
export function trackingServer(
  url: string,
  origin: string,
  secrets: TrackingSecrets,
  ca: Buffer | null = null,
): TrackingServer {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    throw new TrackingSettingError(`${origin}: expected http://HOST[:PORT] or https://HOST[:PORT]`);
  }
  if (parsed.username !== '' || parsed.password !== '') {
    throw new TrackingSettingError(
      `${origin}: the URL holds a user name or password, which would end up in logs and process lists; ` +
        'leave it out, and set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or …_FILE naming files',
    );
  }
  if (parsed.protocol !== 'http:' && parsed.protocol !== 'https:') {
    throw new TrackingSettingError(
      `${origin}: expected a tracking server at http://… or https://…, found ${parsed.protocol} ` +
        '(a directory or a database of MLflow is reached through `mlflow server`)',
    );
  }
  if (parsed.search !== '' || parsed.hash !== '') {
    throw new TrackingSettingError(`${origin}: expected no ? and no # in the URL of a tracking server`);
  }
  const tls = parsed.protocol === 'https:';
  const basePath = parsed.pathname.replace(/\/+$/, '');
  return {
    tls,
    host: parsed.hostname.replace(/^\[|\]$/g, ''),
    port: parsed.port === '' ? (tls ? 443 : 80) : Number(parsed.port),
    basePath,
    url: `${parsed.protocol}//${parsed.host}${basePath}`,
    authorization: () => authorization(secrets),
    ca,
  };
}

/** Bearer (RFC 6750) or Basic (RFC 7617), as MLflow's own clients do; a token comes first. */
function authorization({ token, username, password }: TrackingSecrets): string | null {
  const bearer = token();
  if (bearer !== null) return `Bearer ${bearer}`;
  const user = username();
  if (user === null) return null;
  return `Basic ${Buffer.from(`${user}:${password() ?? ''}`).toString('base64')}`;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The server that a flag or MLFLOW_TRACKING_URI names, with credentials from MLFLOW_TRACKING_TOKEN, _USERNAME and
 * _PASSWORD, or the files that the same names with _FILE at their end name.
 * @returns null where neither names one
 * @throws TrackingSettingError
 */
export function trackingServerFrom(flag: string | undefined, env: Environment): TrackingServer | null {
  const set = (name: string): string | null =>
    env[name] === undefined || env[name] === '' ? null : env[name];
  const url = flag ?? set('MLFLOW_TRACKING_URI');
  if (url === null) return null;
  const insecure = set('MLFLOW_TRACKING_INSECURE_TLS');
  if (insecure !== null && insecure !== 'false' && insecure !== '0') {
    throw new TrackingSettingError(
      'MLFLOW_TRACKING_INSECURE_TLS is set, but certificates are always checked here; ' +
        'unset it, and name the authority of the server in MLFLOW_TRACKING_SERVER_CERT_PATH',
    );
  }
  const ca = set('MLFLOW_TRACKING_SERVER_CERT_PATH');
  const secret = (name: string) => (): string | null => {
    const file = set(`${name}_FILE`);
    return file === null ? set(name) : secretFile(`${name}_FILE`, file);
  };
  const secrets: TrackingSecrets = {
    token: secret('MLFLOW_TRACKING_TOKEN'),
    username: secret('MLFLOW_TRACKING_USERNAME'),
    password: secret('MLFLOW_TRACKING_PASSWORD'),
  };
  const server = trackingServer(
    url,
    flag === undefined ? 'MLFLOW_TRACKING_URI' : '--mlflow',
    secrets,
    ca === null ? null : readSmall('MLFLOW_TRACKING_SERVER_CERT_PATH', ca),
  );
  // Files that are not there are told before there is anything to lose.
  server.authorization();
  return server;
}

/** Its text without the line's end. @throws TrackingSettingError */
export const secretFile = (origin: string, path: string): string =>
  readSmall(origin, path)
    .toString('utf8')
    .replace(/\r?\n$/, '');

function readSmall(origin: string, path: string): Buffer {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new TrackingSettingError(`${origin}: ${path} can't be read (${code})`);
  }
  if (bytes.length === 0 || bytes.length > 16 * SECRET_MAX_BYTES) {
    throw new TrackingSettingError(`${origin}: ${path} has ${bytes.length} bytes; expected a short text`);
  }
  return bytes;
}
