import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { MqttSink } from '../../agent/sinks/mqtt/mqtt-sink.ts';
import { SinkConfigurationError } from '../../agent/sinks/sink.ts';
import { type Certificates, hasMosquitto, makeCertificates } from '../support/mosquitto.ts';
import { IDENTITY, storedEvent } from '../support/sinks.ts';
import { BASE, broker, onCleanup, REAL, start, subscribe, url } from './harness.ts';

function temporary(): string {
  const directory = mkdtempSync(join(tmpdir(), 'edgewood-security-'));
  onCleanup(() => rmSync(directory, { recursive: true }));
  return directory;
}

function certificates(): Certificates {
  const made = makeCertificates(temporary());
  if (made === null) throw new Error('openssl is needed to make certificates (Debian package openssl)');
  return made;
}

const tlsListener = (made: Certificates, cert: string, ...more: string[]): string[] => [
  `cafile ${made.ca}`,
  `certfile ${cert}`,
  `keyfile ${made.key}`,
  ...more,
];
const anonymous = ['allow_anonymous true'];
const delivered = { outcome: 'delivered' };

describe.skipIf(!hasMosquitto)(`MQTT sink and access, ${REAL}`, () => {
  test('user and password from files; a wrong one is named, never shown; a mended one is taken up', async () => {
    const directory = temporary();
    const file = (name: string, text: string): string => {
      writeFileSync(join(directory, name), text);
      return join(directory, name);
    };
    const passwords = file('passwords', '');
    execFileSync('mosquitto_passwd', ['-b', passwords, 'agent', 'correct horse'], { stdio: 'ignore' });
    const mosquitto = await broker(['allow_anonymous false', `password_file ${passwords}`]);
    const sink = start({
      url: url(mosquitto.port),
      usernameFile: file('user', 'agent\n'),
      passwordFile: file('password', 'wrong horse\n'),
    });
    await sink.logs('mqtt.disconnected');
    expect(sink.sink.status().lastError).toMatch(/check user, password|user name or password/);
    file('password', 'correct horse\n');
    await sink.ready();
    expect(JSON.stringify([sink.logged, sink.sink.status()])).not.toContain('horse');
  });

  test('an ACL that forbids publishing is a retry that says so, until the operator mends it', async () => {
    const mosquitto = await broker([...anonymous, 'acl_file @/acl'], {
      acl: `topic readwrite ${BASE}/status\ntopic read ${BASE}/#\n`,
    });
    const { sink, ready } = start({ url: url(mosquitto.port) });
    await ready();
    expect(await sink.deliver([storedEvent(1, 'critical')])).toMatchObject([
      { outcome: 'retry', reason: expect.stringMatching(/ACL/) },
    ]);
    expect(sink.status()).toMatchObject({
      connected: true,
      lastError: expect.stringMatching(/not authorised/),
    });
    writeFileSync(join(mosquitto.directory, 'acl'), 'topic readwrite edgewood/#\n');
    await mosquitto.restart();
    // The sink may not have seen yet that its connection is gone.
    let settlement = await sink.deliver([storedEvent(1, 'critical')]);
    while (settlement[0]?.outcome === 'retry') {
      await ready();
      settlement = await sink.deliver([storedEvent(1, 'critical')]);
    }
    expect(settlement).toEqual([delivered]);
  });

  test('a birth that the ACL forbids is told, and alerts go out all the same', async () => {
    const mosquitto = await broker([...anonymous, 'acl_file @/acl'], {
      acl: `topic write ${BASE}/alert/#\ntopic read edgewood/#\n`,
    });
    const alerts = await subscribe(mosquitto.port, `${BASE}/alert/+`);
    const { sink, ready, logged } = start({ url: url(mosquitto.port) });
    await ready();
    expect(logged.some((line) => line.event === 'mqtt.birthRefused')).toBe(true);
    expect(await sink.deliver([storedEvent(1, 'info')])).toEqual([delivered]);
    expect(JSON.parse((await alerts.next()).text)).toMatchObject({ id: 'e1-1' });
  });

  test('TLS with a client certificate, its name as the user of the ACL', async () => {
    const made = certificates();
    const listener = tlsListener(
      made,
      made.cert,
      'require_certificate true',
      'use_identity_as_username true',
    );
    const acl = { acl: 'user client\ntopic readwrite edgewood/1/lab/a/host-1/#\n' };
    const mosquitto = await broker(['acl_file @/acl'], acl, listener);
    const secure = `mqtts://localhost:${mosquitto.port}`;
    const good = start({ url: secure, caFile: made.ca, certFile: made.clientCert, keyFile: made.clientKey });
    await good.ready();
    expect(await good.sink.deliver([storedEvent(1)])).toEqual([delivered]);
    await good.sink.close(1000);
    const bare = start({ url: secure, caFile: made.ca });
    await bare.logs('mqtt.disconnected');
    expect(bare.sink.status().lastError).toMatch(/certFile|client certificate/);
    expect(bare.logged.some((line) => line.event === 'mqtt.version')).toBe(false);
  });

  test.each([
    ['an authority that is not known', (made: Certificates) => made.cert, false, /name it as caFile/],
    ['a certificate that has expired', (made: Certificates) => made.expiredCert, true, /expired; renew it/],
    ["another host's certificate", (made: Certificates) => made.strangerCert, true, /for another host name/],
  ])('%s is refused by name; insecure takes it and says so', async (_what, certOf, trusted, words) => {
    const made = certificates();
    const mosquitto = await broker(anonymous, {}, tlsListener(made, certOf(made)));
    const settings = { url: `mqtts://localhost:${mosquitto.port}`, ...(trusted && { caFile: made.ca }) };
    const strict = start(settings);
    await strict.logs('mqtt.disconnected');
    expect(strict.sink.status().lastError).toMatch(words);
    await strict.sink.close(100);
    const loose = start({ ...settings, insecure: true });
    await loose.ready();
    expect(loose.logged[0]?.event).toBe('mqtt.insecure');
  });

  test('mqtts on a port that speaks plain MQTT is named', async () => {
    const mosquitto = await broker();
    const { sink, logs } = start({ url: `mqtts://localhost:${mosquitto.port}` });
    await logs('mqtt.disconnected');
    expect(sink.status().lastError).toMatch(/closed the connection|does not speak TLS/);
  });
});

describe('MQTT sink, settings', () => {
  test.each([
    [{ url: 'mqtt://user:secret@host' }, /passwordFile/],
    [{ url: 'mqtt://:secret@host' }, /passwordFile/],
    [{ url: 'mqtt://user:secret@host:99999' }, /url: expected/],
    [{ url: 'mqtt://user@host' }, /usernameFile/],
    [{ url: 'http://host' }, /mqtt:\/\//],
    [{ url: 'mqtt://' }, /url: expected/],
    [{ url: 'mqtt://host/path' }, /url: expected/],
    [{ url: 'mqtt://host?password=secret' }, /url: expected/],
    [{ url: 'mqtts://host', certFile: '/x' }, /go together/],
    [{ url: 'mqtt://host', caFile: '/x' }, /not encrypted/],
    [{ url: 'mqtt://host', insecure: true }, /not encrypted/],
    [{ url: 'mqtt://host', passwordFile: '/nonexistent/x' }, /passwordFile \/nonexistent\/x can't be read/],
    [{ url: 'mqtts://host', caFile: '/nonexistent/x' }, /caFile \/nonexistent\/x can't be read/],
  ])('that can never work are refused, with no secret in the words: %j', (config, message) => {
    const make = (): unknown => start(config as { url: string });
    expect(make).toThrow(message);
    expect(make).toThrow(SinkConfigurationError);
    expect(make).not.toThrow(/secret/);
  });

  test.each<[string, string, RegExp]>([
    ['passwordFile', '\n', /passwordFile \S+ is empty/],
    ['caFile', '-----BEGIN PRIVATE KEY-----\n', /caFile \S+ holds no certificate in PEM/],
    ['certFile', '-----BEGIN CERTIFICATE REQUEST-----\n', /certFile \S+ holds no certificate in PEM/],
    ['keyFile', '-----BEGIN CERTIFICATE-----\n', /keyFile \S+ holds no private key in PEM/],
    ['keyFile', '-----BEGIN ENCRYPTED PRIVATE KEY-----\n', /keyFile \S+ needs a passphrase/],
    ['passwordFile', 'x'.repeat(2 ** 20 + 1), /1048577 bytes; at most 1048576 are read/],
  ])('a %s that holds something else is refused: %j', (key, text, message) => {
    const directory = temporary();
    const file = (name: string, content: string): string => {
      writeFileSync(join(directory, name), content);
      return join(directory, name);
    };
    const pair = {
      certFile: file('cert', '-----BEGIN CERTIFICATE-----\n'),
      keyFile: file('key', '-----BEGIN EC PRIVATE KEY-----\n'),
    };
    const make = (more: object): unknown => start({ url: 'mqtts://host.invalid', ...pair, ...more });
    expect(() => make({ [key]: file('other', text) })).toThrow(message);
    expect(() => make({ [key]: directory })).toThrow(/it is no file/);
  });

  test.each(['a/b', '#', '', 'x'.repeat(65)])('a host id that is no topic level is refused: %j', (hostId) => {
    const deps = { nowMs: () => 0, random: () => 0, setTimer: () => () => {}, log: () => {} };
    const config = { type: 'mqtt', name: 'm', url: 'mqtt://host' } as const;
    expect(() => new MqttSink(config, { ...IDENTITY, hostId }, deps)).toThrow(/hostId/);
    expect(() => new MqttSink(config, { ...IDENTITY, site: hostId }, deps)).toThrow(/site/);
  });
});
