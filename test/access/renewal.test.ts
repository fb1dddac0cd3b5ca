import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { run as broker } from '../../cli/commands/fleet/broker.ts';
import { run as enroll } from '../../cli/commands/fleet/enroll.ts';
import { run as revoke } from '../../cli/commands/fleet/revoke.ts';
import { REAL, start } from '../sinks/harness.ts';
import {
  type AccessBroker,
  login,
  loginByCertificate,
  publishCode,
  startAccessBroker,
} from '../support/access.ts';
import { hasMosquitto } from '../support/mosquitto.ts';
import { IDENTITY, storedEvent } from '../support/sinks.ts';
import { temporaryDirectory } from '../support/temporary.ts';

/** Credentials made by the commands, renewed while agent and broker run on. */

const NOT_AUTHORISED = 135;
const CHECK_MS = 15_000;
const delivered = { outcome: 'delivered' };

let home = '';
beforeEach(() => {
  vi.spyOn(process.stdout, 'write').mockReturnValue(true);
});
afterEach(() => {
  vi.restoreAllMocks();
});

const common = {
  role: 'agent',
  json: true,
  certificate: false,
  days: 30,
  renew: false,
  finish: false,
} as const;
const agent = (more: object) =>
  enroll({
    ...common,
    name: IDENTITY.hostId,
    site: [IDENTITY.site],
    'broker-dir': join(home, 'broker'),
    ...more,
  });
const reader = { ...common, name: 'hub', site: [], role: 'hub' } as const;

async function startBroker(): Promise<AccessBroker> {
  home = temporaryDirectory();
  const out = join(home, 'broker');
  await broker({ out, site: [IDENTITY.site], 'tls-name': ['localhost'], json: true });
  await enroll({ ...reader, 'broker-dir': out, out: join(home, 'hub') });
  return startAccessBroker(out);
}

const read = (...path: string[]): string => readFileSync(join(home, ...path), 'utf8').trim();
const passwordOf = (folder: string) => ({
  username: read(folder, 'mqtt.user'),
  password: read(folder, 'mqtt.password'),
});
const certificateOf = (folder: string) => ({ cert: read(folder, 'mqtt.crt'), key: read(folder, 'mqtt.key') });

async function hear(started: AccessBroker) {
  const { client } = await login(started, passwordOf('hub'));
  const ids: string[] = [];
  const online: boolean[] = [];
  client.on('message', (topic, payload) => {
    const document = JSON.parse(payload.toString()) as { id: string; online: boolean };
    if (topic.endsWith('/status')) online.push(document.online);
    else ids.push(document.id);
  });
  await client.subscribeAsync(`edgewood/1/${IDENTITY.site}/a/#`, { qos: 1 });
  return { ids, online };
}

/** Publishes without a pause until it is told to stop, as an outbox does. */
function deliver(started: ReturnType<typeof start>) {
  let stopped = false;
  let n = 0;
  const done = (async () => {
    while (!stopped) {
      n++;
      for (;;) {
        const [settlement] = await started.sink.deliver([storedEvent(n)]);
        if (settlement?.outcome === 'delivered') break;
        await started.ready();
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
  })();
  return {
    async stop(): Promise<number> {
      stopped = true;
      await done;
      return n;
    },
  };
}

describe.skipIf(!hasMosquitto)(`enroll, renew, revoke, ${REAL}`, () => {
  test.each(['password', 'certificate'] as const)(
    'a %s is renewed by SIGHUP at the broker and new files at the agent; both go on, no event is lost',
    { timeout: 30_000 },
    async (method) => {
      const certificate = method === 'certificate';
      const running = await startBroker();
      await agent({ certificate, out: join(home, 'first') });
      await running.mosquitto.reload();
      cpSync(join(home, 'first'), join(home, 'host'), { recursive: true });
      const at = (name: string): string => join(home, 'host', name);
      const sink = start(
        {
          url: `mqtts://localhost:${certificate ? running.certificatePort : running.passwordPort}`,
          caFile: at('ca.pem'),
          ...(certificate
            ? { certFile: at('mqtt.crt'), keyFile: at('mqtt.key') }
            : { usernameFile: at('mqtt.user'), passwordFile: at('mqtt.password') }),
        },
        (ms) => (ms === CHECK_MS ? 50 : ms),
      );
      await sink.ready();
      const heard = await hear(running);
      const lane = deliver(sink);

      await agent({ renew: true, out: join(home, 'second') });
      await running.mosquitto.reload();
      const enter = (folder: string) =>
        certificate ? loginByCertificate(running, certificateOf(folder)) : login(running, passwordOf(folder));
      // Both hold until it is finished.
      for (const folder of ['first', 'second']) (await enter(folder)).client.end(true);
      cpSync(join(home, 'second'), join(home, 'host'), { recursive: true });
      await sink.logs('mqtt.connected', 2);
      await agent({ finish: true });
      await running.mosquitto.reload();
      expect(await sink.sink.deliver([storedEvent(1_000_000)])).toEqual([delivered]);

      const most = await lane.stop();
      await sink.sink.close(1000);
      const events = sink.logged.map(({ event }) => event);
      expect(events).toEqual(['mqtt.connected', 'mqtt.credentialsChanged', 'mqtt.connected']);
      for (let n = 1; n <= most; n++) expect(heard.ids).toContain(`e1-${n}`);
      // Birth, birth, goodbye: nobody hears of an absence.
      await vi.waitUntil(() => heard.online.includes(false));
      expect(heard.online.filter((online) => !online)).toHaveLength(1);

      if (certificate) {
        // Still a certificate of the authority: it opens a connection, and nothing more.
        const { client } = await enter('first');
        const topic = `edgewood/1/${IDENTITY.site}/a/${IDENTITY.hostId}/event`;
        await expect(client.publishAsync(topic, 'x', { qos: 1 })).rejects.toMatchObject({
          code: NOT_AUTHORISED,
        });
      } else await expect(enter('first')).rejects.toMatchObject({ code: NOT_AUTHORISED });
    },
  );

  test('files that can not be used leave a connection standing, and are told once', async () => {
    const running = await startBroker();
    await agent({ out: join(home, 'host') });
    await running.mosquitto.reload();
    const sink = start(
      {
        url: `mqtts://localhost:${running.passwordPort}`,
        caFile: join(home, 'host', 'ca.pem'),
        usernameFile: join(home, 'host', 'mqtt.user'),
        passwordFile: join(home, 'host', 'mqtt.password'),
      },
      (ms) => (ms === CHECK_MS ? 20 : ms),
    );
    await sink.ready();
    writeFileSync(join(home, 'host', 'ca.pem'), 'no certificate\n');
    await sink.logs('mqtt.credentialsUnusable');
    expect(sink.logged.at(-1)?.fields['error']).toMatch(/caFile .* holds no certificate/);
    expect(await sink.sink.deliver([storedEvent(1)])).toEqual([delivered]);
    expect(sink.sink.status().connects).toBe(1);
  });

  test.each(['password', 'certificate'] as const)(
    'who is revoked (%s) loses its rights on a standing connection at once',
    async (method) => {
      const certificate = method === 'certificate';
      const running = await startBroker();
      await agent({ certificate, out: join(home, 'host') });
      await running.mosquitto.reload();
      const enter = () =>
        certificate ? loginByCertificate(running, certificateOf('host')) : login(running, passwordOf('host'));
      const { client } = await enter();
      const topic = `edgewood/1/${IDENTITY.site}/a/${IDENTITY.hostId}/event`;
      expect(await publishCode(client, topic)).toBe(null);
      const directory = { 'broker-dir': join(home, 'broker') };
      await revoke({ ...common, name: IDENTITY.hostId, site: IDENTITY.site, ...directory });
      await running.mosquitto.reload();
      // Mosquitto 2.0.11 ends connections of users that are gone from its password file.
      const after = await publishCode(client, topic);
      expect(after).toEqual(certificate ? NOT_AUTHORISED : expect.stringMatching(/ended the connection/));
      if (certificate) expect(await publishCode((await enter()).client, topic)).toBe(NOT_AUTHORISED);
      else await expect(enter()).rejects.toMatchObject({ code: NOT_AUTHORISED });
    },
  );
});
