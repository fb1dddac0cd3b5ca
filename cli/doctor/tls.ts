import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { connect, type PeerCertificate } from 'node:tls';
import type { SinkConfig } from '../../agent/config/config.ts';
import { readSetting, tlsOptions } from '../../agent/sinks/files.ts';
import { type Finding, note, ok, problem, warning } from './finding.ts';

const HANDSHAKE_MS = 10_000;
const DAY_MS = 86_400_000;
const SOON_DAYS = 21;

/** What is wrong with a certificate, by OpenSSL's names, and what mends it. */
const FAULTS: Readonly<Record<string, { says: string; mend: string }>> = {
  CERT_HAS_EXPIRED: { says: 'has expired', mend: 'renew it on the server' },
  CERT_NOT_YET_VALID: { says: 'is not valid yet', mend: "check this host's clock, then the certificate" },
  DEPTH_ZERO_SELF_SIGNED_CERT: { says: 'is self-signed', mend: 'name it, or its authority, as caFile' },
  SELF_SIGNED_CERT_IN_CHAIN: {
    says: 'comes from an authority that is not trusted here',
    mend: 'name the authority as caFile',
  },
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: {
    says: 'comes from an authority that is not known here',
    mend: 'name the authority as caFile; if caFile is set, it is another one',
  },
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: {
    says: 'comes without the certificates between it and its authority',
    mend: 'have the server send its whole chain, or name the authority as caFile',
  },
  ERR_TLS_CERT_ALTNAME_INVALID: {
    says: 'is for another name',
    mend: 'use a name that it holds in url, or have it reissued for this one',
  },
  CERT_REVOKED: { says: 'was revoked', mend: 'renew it on the server' },
};

const WHY =
  'without a certificate that can be checked, anybody in between could read and change what is sent';

/** The handshake, taken apart. */
export async function checkTls(
  sink: SinkConfig,
  area: string,
  host: string,
  port: number,
): Promise<Finding[]> {
  const findings = clientCertificate(sink, area);
  let seen: Handshake;
  try {
    seen = await handshake(sink, host, port);
  } catch (error) {
    const { message } = error as Error;
    return [
      ...findings,
      problem(area, `no TLS with ${host}:${port}: ${message}`, {
        why: 'nothing can be delivered',
        mend: /wrong version|packet length/i.test(message)
          ? 'the port does not speak TLS: use its TLS port, or the url without TLS'
          : /ECONNRESET|before secure/.test(message)
            ? 'does the port speak TLS at all? Use its TLS port, or the url without TLS; a server that asks for a client certificate hangs up, too'
            : 'openssl s_client -connect shows what the server offers',
      }),
    ];
  }
  const { certificate, fault, protocol } = seen;
  const daysLeft = Math.floor((Date.parse(certificate.valid_to) - Date.now()) / DAY_MS);
  const about = `the certificate of ${host} (for ${namesOf(certificate)}, by ${String(certificate.issuer?.O ?? certificate.issuer?.CN ?? 'itself')})`;
  if (fault !== null) {
    const known = FAULTS[fault.code];
    const dates = daysLeft < 0 ? ` (${-daysLeft} days ago, on ${certificate.valid_to})` : '';
    const says = `${about} ${known?.says ?? `can't be trusted: ${fault.message}`}${dates}`;
    findings.push(
      sink.insecure === true
        ? warning(area, `${says}; it is not checked (insecure: true)`, {
            why: WHY,
            mend: known?.mend ?? 'remove `insecure`',
          })
        : problem(area, says, { why: WHY, mend: known?.mend ?? 'see openssl verify' }),
    );
  } else if (daysLeft < SOON_DAYS) {
    findings.push(
      warning(area, `${about} is valid for another ${daysLeft} days`, {
        why: 'after that nothing is delivered any more',
        mend: 'renew it on the server',
      }),
    );
  } else findings.push(ok(area, `${protocol}, ${about} is valid for another ${daysLeft} days`));
  if (sink.insecure === true && fault === null) {
    findings.push(note(area, 'insecure: true is not needed: the certificate is fine', { mend: 'remove it' }));
  }
  return findings;
}

interface Handshake {
  readonly certificate: PeerCertificate;
  readonly protocol: string;
  readonly fault: { readonly code: string; readonly message: string } | null;
}

function handshake(sink: SinkConfig, host: string, port: number): Promise<Handshake> {
  return new Promise((resolve, reject) => {
    // Looked at even where it can't be trusted: that is what the doctor has to tell.
    const socket = connect({ host, port, ...tlsOptions(sink, host), rejectUnauthorized: false });
    socket.setTimeout(HANDSHAKE_MS, () =>
      socket.destroy(new Error(`no answer within ${HANDSHAKE_MS / 1000} s`)),
    );
    socket.once('error', reject);
    socket.once('secureConnect', () => {
      const certificate = socket.getPeerCertificate();
      const { authorizationError } = socket;
      const code =
        authorizationError === null || authorizationError === undefined ? null : String(authorizationError);
      resolve({
        certificate,
        protocol: socket.getProtocol() ?? 'TLS',
        fault: code === null ? null : { code: codeOf(authorizationError), message: code },
      });
      socket.destroy();
    });
  });
}

const codeOf = (error: unknown): string =>
  typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : String(error);

function namesOf(certificate: PeerCertificate): string {
  const names = certificate.subjectaltname?.split(', ').map((name) => name.replace(/^[^:]+:/, ''));
  const [first = String(certificate.subject?.CN ?? 'no name'), ...more] = names ?? [];
  return more.length === 0 ? first : `${first} and ${more.length} more`;
}

/** The host's own: it runs out as others do, and nobody looks at it. */
function clientCertificate(sink: SinkConfig, area: string): Finding[] {
  if (sink.certFile === undefined) return [];
  const certificate = new X509Certificate(readSetting(sink, 'certFile', sink.certFile));
  const daysLeft = Math.floor((certificate.validToDate.getTime() - Date.now()) / DAY_MS);
  const why = 'the server will turn this host away';
  const mend = 'have it renewed; the agent takes up the new file at its next connection';
  if (daysLeft < 0)
    return [problem(area, `the client certificate expired ${-daysLeft} days ago`, { why, mend })];
  if (daysLeft < SOON_DAYS)
    return [warning(area, `the client certificate is valid for another ${daysLeft} days`, { why, mend })];
  return [ok(area, `the client certificate is valid for another ${daysLeft} days`)];
}

export const isAddress = (host: string): boolean => isIP(host) !== 0;
