import { execFileSync, spawnSync } from 'node:child_process';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { issuer, makeAuthority, serverNameFault, servesStill } from '../../../models/access/certificate.ts';
import { integer, oid, time } from '../../../models/access/der.ts';
import { hashPassword, randomPassword } from '../../../models/access/password.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

const NOW_MS = Date.now();
const hasOpenssl = spawnSync('openssl', ['version']).status === 0;
const MOSQUITTO_PASSWD = '/usr/bin/mosquitto_passwd';

describe('certificates', () => {
  test.skipIf(!hasOpenssl)('openssl takes them under its strictest rules, each for its purpose alone', () => {
    const directory = temporaryDirectory();
    const authority = makeAuthority(NOW_MS);
    const issue = issuer(authority, NOW_MS);
    const put = (name: string, text: string): string => {
      writeFileSync(join(directory, name), text);
      return join(directory, name);
    };
    const ca = put('ca.pem', authority.certificate);
    const server = put(
      's.pem',
      issue({ name: 'b', days: 9, servers: ['b.example', '10.0.0.1', '::1', '2001:db8::5'] }).certificate,
    );
    const client = put('c.pem', issue({ name: 'agent/berlin/h1~2', days: 9 }).certificate);
    const other = put('o.pem', makeAuthority(NOW_MS).certificate);
    const verify = (purpose: string, root: string, file: string): boolean =>
      spawnSync('openssl', ['verify', '-x509_strict', '-CAfile', root, '-purpose', purpose, file]).status ===
      0;
    expect(verify('sslserver', ca, server)).toBe(true);
    expect(verify('sslclient', ca, client)).toBe(true);
    expect(verify('sslclient', ca, server)).toBe(false);
    expect(verify('sslserver', ca, client)).toBe(false);
    expect(verify('sslclient', other, client)).toBe(false);
    const shown = execFileSync('openssl', ['x509', '-in', server, '-noout', '-ext', 'subjectAltName'], {
      encoding: 'utf8',
    });
    expect(shown).toMatch(
      /DNS:b\.example, IP Address:10\.0\.0\.1, IP Address:0:0:0:0:0:0:0:1, IP Address:2001:DB8:0:0:0:0:0:5/,
    );
  });

  test('any name comes back as it was, with its own key, within its time', () => {
    const authority = makeAuthority(NOW_MS);
    const by = new X509Certificate(authority.certificate);
    const issue = issuer(authority, NOW_MS);
    fc.assert(
      fc.property(
        fc.stringMatching(/^[a-z]+\/[\w%.-]{1,50}(~\d)?$/),
        fc.integer({ min: 1, max: 3650 }),
        (name, days) => {
          const { certificate, key } = issue({ name, days });
          const parsed = new X509Certificate(certificate);
          expect(parsed.subject).toBe(`CN=${name}`);
          expect(parsed.checkIssued(by) && parsed.verify(by.publicKey)).toBe(true);
          expect(parsed.checkPrivateKey(createPrivateKey(key))).toBe(true);
          expect(parsed.ca).toBe(false);
          expect(Math.abs(parsed.validToDate.getTime() - NOW_MS - days * 86_400_000)).toBeLessThan(1000);
        },
      ),
      { numRuns: 30 },
    );
  });

  test('a server’s is kept as long as it is for the same names, by the same authority, and long enough', () => {
    const authority = makeAuthority(NOW_MS);
    const made = issuer(authority, NOW_MS)({ name: 'b', days: 100, servers: ['b.example', '10.0.0.1'] });
    const still = (names: string[], by = authority, days = 60): boolean =>
      servesStill(made, by, names, NOW_MS, days);
    expect(still(['b.example', '10.0.0.1'])).toBe(true);
    expect(still(['b.example'])).toBe(false);
    expect(still(['b.example', '10.0.0.2'])).toBe(false);
    expect(still(['b.example', '10.0.0.1'], makeAuthority(NOW_MS))).toBe(false);
    expect(still(['b.example', '10.0.0.1'], authority, 101)).toBe(false);
  });

  test('names that are neither host nor address are refused', () => {
    expect(['localhost', 'a.b-c.example', '10.0.0.1', '::1'].filter(serverNameFault)).toEqual([]);
    const strange = ['', 'a b', 'a/b', '-a', 'a..b', 'mqtts://a', 'a:8883', 'x'.repeat(254), 'ü.example'];
    expect(strange.filter((name) => !serverNameFault(name))).toEqual([]);
  });

  test('DER as X.690 and RFC 5280 have it', () => {
    expect(oid('1.2.840.10045.4.3.2').toString('hex')).toBe('06082a8648ce3d040302');
    expect(integer(Buffer.from([0, 0, 0x80])).toString('hex')).toBe('02020080');
    expect(integer(Buffer.from([0])).toString('hex')).toBe('020100');
    expect(time(Date.UTC(2049, 11, 31, 23, 59, 59)).toString('latin1', 2)).toBe('491231235959Z');
    expect(time(Date.UTC(2050, 0, 1)).toString('latin1', 2)).toBe('20500101000000Z');
  });
});

describe('passwords', () => {
  test.skipIf(!existsSync(MOSQUITTO_PASSWD))('the same hash as mosquitto_passwd', () => {
    const file = join(temporaryDirectory(), 'passwords');
    writeFileSync(file, '');
    execFileSync(MOSQUITTO_PASSWD, ['-b', file, 'agent', 'correct horse'], { stdio: 'ignore' });
    const [, hash = ''] = readFileSync(file, 'utf8').trim().split(':');
    const salt = Buffer.from(hash.split('$')[3] as string, 'base64');
    expect(hashPassword('correct horse', salt)).toBe(hash);
  });

  test('are 256 bits, drawn each time', () => {
    expect(Buffer.from(randomPassword(), 'base64url')).toHaveLength(32);
    expect(randomPassword()).not.toBe(randomPassword());
  });
});
