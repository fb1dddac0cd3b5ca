import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
  X509Certificate,
} from 'node:crypto';
import { isIP } from 'node:net';
import { bits, integer, octets, oid, sequence, set, tagged, text, time, yes } from './der.ts';

/**
 * A fleet's own authority: X.509 version 3 (RFC 5280), ECDSA over P-256 with SHA-256. node:crypto makes keys and
 * signs; it has nothing that writes a certificate (docs/decisions/0014-certificates.md).
 */

/** Text in PEM. */
export interface Credentials {
  readonly certificate: string;
  readonly key: string;
}

export type Authority = Credentials;

const DAY_MS = 86_400_000;
const AUTHORITY_DAYS = 3650;
/** Hosts' clocks are not all right. */
const BACKDATED_MS = 3_600_000;
const SERIAL_BYTES = 16;
/** ub-common-name of RFC 5280. */
export const MAX_COMMON_NAME_BYTES = 64;

const ECDSA_SHA256 = sequence(oid('1.2.840.10045.4.3.2'));
const commonName = (name: string): Buffer => sequence(set(sequence(oid('2.5.4.3'), text(name))));
const extension = (id: string, critical: boolean, value: Buffer): Buffer =>
  sequence(oid(id), ...(critical ? [yes()] : []), octets(value));

interface Subject {
  readonly name: string;
  readonly publicKey: KeyObject;
  readonly days: number;
  readonly extensions: readonly Buffer[];
}

interface Issuer {
  readonly name: string;
  readonly key: KeyObject;
  readonly publicKey: KeyObject;
}

function write(subject: Subject, issuer: Issuer, nowMs: number): string {
  const spki = subject.publicKey.export({ type: 'spki', format: 'der' });
  const serial = randomBytes(SERIAL_BYTES);
  // Positive, and of full length.
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40;
  const content = sequence(
    tagged(0, true, integer(Buffer.from([2]))),
    integer(serial),
    ECDSA_SHA256,
    commonName(issuer.name),
    sequence(time(nowMs - BACKDATED_MS), time(nowMs + subject.days * DAY_MS)),
    commonName(subject.name),
    spki,
    tagged(
      3,
      true,
      sequence(
        ...subject.extensions,
        extension('2.5.29.14', false, octets(keyId(subject.publicKey))),
        extension('2.5.29.35', false, sequence(tagged(0, false, keyId(issuer.publicKey)))),
      ),
    ),
  );
  const der = sequence(content, ECDSA_SHA256, bits(sign('sha256', content, issuer.key)));
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}

/** RFC 5280 leaves it open how it is made of the key, section 4.2.1.2. */
const keyId = (key: KeyObject): Buffer =>
  createHash('sha256')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest()
    .subarray(0, 20);

const keyPair = () => generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
const pem = (key: KeyObject): string => key.export({ type: 'pkcs8', format: 'pem' }).toString();

/** Signs certificates and nothing else; no authorities below it. */
export function makeAuthority(nowMs: number): Authority {
  const { privateKey, publicKey } = keyPair();
  const name = `edgewood fleet ${randomBytes(4).toString('hex')}`;
  const extensions = [
    extension('2.5.29.19', true, sequence(yes(), integer(Buffer.from([0])))),
    // keyCertSign, cRLSign
    extension('2.5.29.15', true, bits(Buffer.from([0b0000_0110]), 1)),
  ];
  const subject = { name, publicKey, days: AUTHORITY_DAYS, extensions };
  return { certificate: write(subject, { name, key: privateKey, publicKey }, nowMs), key: pem(privateKey) };
}

/** @throws Error where key and certificate don't belong together, or are none */
function issuerOf({ certificate, key }: Authority): Issuer {
  const privateKey = createPrivateKey(key);
  const parsed = new X509Certificate(certificate);
  if (!parsed.checkPrivateKey(privateKey)) throw new Error('the key is not that of the certificate');
  return {
    name: parsed.subject.replace(/^CN=/, ''),
    key: privateKey,
    publicKey: createPublicKey(privateKey),
  };
}

type Issue = (request: {
  readonly name: string;
  readonly days: number;
  /** Host names and addresses of a server; absent for a client. */
  readonly servers?: readonly string[];
}) => Credentials;

/** @throws Error where the authority's key and certificate don't belong together */
export function issuer(authority: Authority, nowMs: number): Issue {
  const by = issuerOf(authority);
  return ({ name, days, servers }) => {
    const { privateKey, publicKey } = keyPair();
    const usage = servers === undefined ? '1.3.6.1.5.5.7.3.2' : '1.3.6.1.5.5.7.3.1';
    const extensions = [
      extension('2.5.29.19', true, sequence()),
      // digitalSignature
      extension('2.5.29.15', true, bits(Buffer.from([0b1000_0000]), 7)),
      extension('2.5.29.37', false, sequence(oid(usage))),
      ...(servers === undefined
        ? []
        : [extension('2.5.29.17', false, sequence(...servers.map(generalName)))]),
    ];
    return { certificate: write({ name, publicKey, days, extensions }, by, nowMs), key: pem(privateKey) };
  };
}

/** @throws RangeError for what is neither a host name nor an address */
function generalName(server: string): Buffer {
  const family = isIP(server);
  if (family !== 0) return tagged(7, false, addressBytes(server, family));
  if (serverNameFault(server)) throw new RangeError(`${JSON.stringify(server)} is no host name`);
  return tagged(2, false, Buffer.from(server));
}

export const serverNameFault = (server: string): boolean =>
  isIP(server) === 0 && !/^(?=.{1,253}$)(?:(?!-)[a-z0-9-]{1,63}(?<!-)(?:\.|$))+$/i.test(server);

function addressBytes(address: string, family: number): Buffer {
  if (family === 4) return Buffer.from(address.split('.').map(Number));
  // URL parsing writes an address in its one short form, without an embedded IPv4 part.
  const short = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const [head = '', tail] = short.split('::').map((half) => half.split(':').filter((one) => one !== ''));
  const after = tail ?? [];
  const groups = [...head, ...Array<string>(8 - head.length - after.length).fill('0'), ...after];
  return Buffer.from(groups.map((group) => group.padStart(4, '0')).join(''), 'hex');
}

/** Whether a server's certificate is by this authority, for exactly these servers, for at least so many days more. */
export function servesStill(
  { certificate, key }: Credentials,
  authority: Authority,
  servers: readonly string[],
  nowMs: number,
  leastDays: number,
): boolean {
  const parsed = new X509Certificate(certificate);
  const by = new X509Certificate(authority.certificate);
  const names = (parsed.subjectAltName ?? '').split(', ').length;
  return (
    parsed.verify(by.publicKey) &&
    parsed.checkPrivateKey(createPrivateKey(key)) &&
    names === servers.length &&
    servers.every((one) => (isIP(one) === 0 ? parsed.checkHost(one) : parsed.checkIP(one)) !== undefined) &&
    parsed.validToDate.getTime() - nowMs >= leastDays * DAY_MS
  );
}
