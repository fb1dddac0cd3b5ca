import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { SinkConfig } from '../config/config.ts';
import { SinkConfigurationError } from './sink.ts';

/** Settings of a sink that are files: secrets and certificates. Read when used, so that a renewed one is taken up. */

const FILE_SETTINGS = ['usernameFile', 'passwordFile', 'tokenFile', 'caFile', 'certFile', 'keyFile'] as const;
const TLS_SETTINGS = ['caFile', 'certFile', 'keyFile', 'insecure'] as const;
/** A bundle of all public authorities is 200 kB. */
const MAX_FILE_BYTES = 2 ** 20;
type SecretSetting = 'passwordFile' | 'usernameFile' | 'tokenFile';

/** Its text without the line's end; undefined where it is not set. @throws SinkConfigurationError */
export function readSecret(sink: SinkConfig, key: SecretSetting): string | undefined {
  const path = sink[key];
  return path === undefined
    ? undefined
    : readSetting(sink, key, path)
        .toString('utf8')
        .replace(/\r?\n$/, '');
}

/** @throws SinkConfigurationError for the first file that can't be read, or holds something else than it should */
export function checkFiles(sink: SinkConfig): void {
  for (const key of FILE_SETTINGS) {
    const setting = sink[key];
    if (setting === undefined) continue;
    const fault = contentFault(key, readSetting(sink, key, setting).toString('latin1'));
    if (fault !== undefined)
      throw new SinkConfigurationError(`sink "${sink.name}": ${key} ${setting} ${fault}`);
  }
}

export const hasFiles = (sink: SinkConfig): boolean => FILE_SETTINGS.some((key) => sink[key] !== undefined);

/**
 * Changes when one of its files is replaced or written to: inode, size and time of each. A file that is gone has none.
 */
export function filesMark(sink: SinkConfig): string {
  return FILE_SETTINGS.map((key) => {
    const setting = sink[key];
    const path = setting === undefined ? undefined : pathOf(setting);
    const about = path === undefined ? undefined : statSync(path, { throwIfNoEntry: false });
    return about === undefined ? '-' : `${about.ino}:${about.size}:${about.mtimeMs}`;
  }).join();
}

function contentFault(key: (typeof FILE_SETTINGS)[number], text: string): string | undefined {
  if (text.trim() === '') return 'is empty';
  if (key === 'caFile' || key === 'certFile') {
    // OpenSSL skips what is none without a word, and then trusts nobody.
    return /-----BEGIN (X509 |TRUSTED )?CERTIFICATE-----/.test(text)
      ? undefined
      : 'holds no certificate in PEM (-----BEGIN CERTIFICATE-----)';
  }
  if (key !== 'keyFile') return undefined;
  if (!/-----BEGIN ([A-Z]+ )*PRIVATE KEY-----/.test(text)) {
    return 'holds no private key in PEM (-----BEGIN PRIVATE KEY-----)';
  }
  return /BEGIN ENCRYPTED|Proc-Type: 4,ENCRYPTED/.test(text)
    ? 'needs a passphrase, and nobody is there to type it: openssl pkey -in … -out …'
    : undefined;
}

/** Files with a secret that others than their owner and group can read. */
export function openSecrets(sink: SinkConfig): { key: string; path: string; mode: number }[] {
  return (['passwordFile', 'tokenFile', 'keyFile'] as const).flatMap((key) => {
    const path = sink[key];
    const mode = path === undefined ? undefined : statSync(path, { throwIfNoEntry: false })?.mode;
    return path === undefined || mode === undefined || (mode & 0o007) === 0
      ? []
      : [{ key, path, mode: mode & 0o777 }];
  });
}

/** @throws SinkConfigurationError for TLS settings that don't go together, or beside an unencrypted `scheme` */
export function checkTlsSettings(sink: SinkConfig, tls: boolean, scheme: string): void {
  if ((sink.certFile === undefined) !== (sink.keyFile === undefined)) {
    throw new SinkConfigurationError(`sink "${sink.name}": certFile and keyFile go together`);
  }
  const unused = TLS_SETTINGS.find((key) => sink[key] !== undefined && sink[key] !== false);
  if (!tls && unused !== undefined) {
    throw new SinkConfigurationError(
      `sink "${sink.name}": ${unused} is set, but ${scheme}:// is not encrypted; write ${scheme}s:// or remove ${unused}`,
    );
  }
}

export interface TlsOptions {
  readonly rejectUnauthorized: boolean;
  readonly minVersion: 'TLSv1.2';
  readonly servername?: string;
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
}

/** @throws SinkConfigurationError for an unreadable file */
export function tlsOptions(sink: SinkConfig, host: string): TlsOptions {
  const file = (key: 'caFile' | 'certFile' | 'keyFile'): Buffer | undefined =>
    sink[key] === undefined ? undefined : readSetting(sink, key, sink[key]);
  const ca = file('caFile');
  const cert = file('certFile');
  const key = file('keyFile');
  return {
    // An IP address is no server name (RFC 6066, section 3).
    ...(/^[\d.]+$|:/.test(host) ? {} : { servername: host }),
    rejectUnauthorized: sink.insecure !== true,
    minVersion: 'TLSv1.2',
    ...(ca && { ca }),
    ...(cert && { cert }),
    ...(key && { key }),
  };
}

/** `credential:NAME` is what systemd hands over by LoadCredential=NAME:…, or of a directory, as edgewood_NAME. */
const CREDENTIAL = /^credential:([\w.-]+)$/;

export const readSetting = (sink: SinkConfig, key: string, setting: string): Buffer =>
  readFileSetting(`sink "${sink.name}"`, key, setting);

/** @throws SinkConfigurationError naming whose setting it is */
export function readFileSetting(owner: string, key: string, setting: string): Buffer {
  const [, credential] = CREDENTIAL.exec(setting) ?? [];
  const directory = process.env['CREDENTIALS_DIRECTORY'];
  if (credential !== undefined && directory === undefined) {
    throw new SinkConfigurationError(
      `${owner}: ${key} ${setting}: no credentials here; the unit needs LoadCredential=${credential}:FILE`,
    );
  }
  const path = pathOf(setting) as string;
  try {
    const about = statSync(path);
    if (!about.isFile()) throw Object.assign(new Error(), { code: 'it is no file' });
    if (about.size > MAX_FILE_BYTES)
      throw Object.assign(new Error(), { code: `${about.size} bytes; at most ${MAX_FILE_BYTES} are read` });
    return readFileSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new SinkConfigurationError(`${owner}: ${key} ${path} can't be read (${code})`);
  }
}

/** undefined for a credential where there are none. */
function pathOf(setting: string): string | undefined {
  const [, credential] = CREDENTIAL.exec(setting) ?? [];
  if (credential === undefined) return setting;
  const directory = process.env['CREDENTIALS_DIRECTORY'];
  return directory === undefined ? undefined : credentialFile(directory, credential);
}

function credentialFile(directory: string, name: string): string {
  const ofDirectory = join(directory, `edgewood_${name}`);
  return existsSync(ofDirectory) ? ofDirectory : join(directory, name);
}
