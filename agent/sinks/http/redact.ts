import type { SinkConfig } from '../../config/config.ts';
import type { HttpEndpoint } from './endpoint.ts';

/** Shorter ones would tear holes into words of the answer. */
const LEAST_LENGTH = 4;

/** What of a request must not come back in a log: some servers repeat what they were sent when they complain. */
export function secretsOf(
  { type }: SinkConfig,
  { path, query }: HttpEndpoint,
  headers: Readonly<Record<string, string>>,
): string[] {
  const credential = headers['authorization']?.replace(/^\S+ /, '') ?? '';
  const basic = headers['authorization']?.startsWith('Basic ') === true;
  const password = basic
    ? Buffer.from(credential, 'base64')
        .toString('utf8')
        .replace(/^[^:]*:/, '')
    : '';
  // Those of InfluxDB are no secrets, and a complaint about them is of use.
  const url = type === 'webhook' ? [...path.split('/'), ...query.values()] : [];
  const all = [credential, password, ...url].flatMap((text) => [
    text,
    decoded(text),
    encodeURIComponent(text),
  ]);
  return [...new Set(all)].filter(({ length }) => length >= LEAST_LENGTH).sort((a, b) => b.length - a.length);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The text with each of them as ***. */
export const redact = (text: string, secrets: readonly string[]): string =>
  secrets.reduce((left, secret) => left.replaceAll(secret, '***'), text);
