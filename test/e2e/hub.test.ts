import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openDatabase } from '../../agent/native.ts';
import { parseAcknowledgement } from '../../core/protocol/acknowledgement.ts';
import { Trust } from '../../models/trust/trust.ts';
import { birth, eventMessage, incidentMessage, SITE, telemetry } from '../hub/messages.ts';
import { hasExecutable, runExecutable } from '../support/executable.ts';
import { cleanups, inbox, scene, send, until } from '../support/hub-scene.ts';
import { hasMosquitto } from '../support/mosquitto.ts';
import { validator } from '../support/schemas.ts';
import { TestFleet } from '../support/signed.ts';

/** The packaged executable as hub, agent and command line, over a real mosquitto. */

describe.skipIf(!hasExecutable || !hasMosquitto)('edgewood hub', () => {
  test('an agent’s events are stored and acknowledged: its outbox empties; the fleet is shown', async () => {
    const { directory, broker, hub, run } = await scene();
    const config = join(directory, 'agent.yaml');
    writeFileSync(
      config,
      `interval: 1s\nsite: ${SITE}\nhostId: web-7\nlabels: {role: web}\nsinks:\n  - {type: mqtt, url: "${broker}", acknowledge: hub}\n`,
    );
    const agent = runExecutable(['agent', '--config', config, '--state-dir', join(directory, 'agent')]);
    cleanups.push(async () => {
      agent.child.kill('SIGKILL');
      await agent.ended;
    });
    await agent.logged('mqtt.connected');
    const pending = async (): Promise<number> => {
      const { out } = await run('status', '--state-dir', join(directory, 'agent'), '--json');
      const { sinks } = JSON.parse(out) as { sinks: { outbox: { pending: number } }[] };
      return sinks[0]?.outbox.pending ?? -1;
    };
    // The broker has it, and that is not enough.
    expect(await pending()).toBe(1);
    const first = hub();
    await first.logged('hub.listening');
    // It is asked for again after a minute; a goodbye comes at once.
    agent.child.kill('SIGTERM');
    expect(await agent.ended).toBe(0);
    const again = runExecutable(['agent', '--config', config, '--state-dir', join(directory, 'agent')]);
    cleanups.push(async () => {
      again.child.kill('SIGKILL');
      await again.ended;
    });
    await again.logged('mqtt.connected');
    await until(async () => (await pending()) === 0);
    const { code, out } = await run('fleet', 'status', '--json');
    expect(code).toBe(0);
    const status = JSON.parse(out) as { stale: boolean; totals: object; hosts: object[] };
    expect(status.stale).toBe(false);
    expect(status.hosts).toEqual([
      expect.objectContaining({
        site: SITE,
        id: 'web-7',
        labels: { role: 'web' },
        presence: 'online',
        agentVersion: expect.any(String),
        missing: null,
        cloned: false,
      }),
    ]);
    expect((await run('fleet', 'status')).out).toMatch(/^The hub last wrote \d+ s ago\.\n1 hosts: 1 online/);
    // A second hub on the same directory.
    const second = hub();
    expect(await second.ended).toBe(2);
    expect(second.stderr()).toMatch(/another hub is using it/);
    first.child.kill('SIGTERM');
    expect(await first.ended).toBe(0);
    expect(first.stderr()).toMatch(/"event":"hub.stopped"/);
  });

  test('killed in the middle of a stream: nothing is lost, nothing is doubled', async () => {
    const { directory, hub, client } = await scene();
    const agent = await client();
    const unacknowledged = new Set<number>();
    let acknowledged = 0;
    agent.on('message', (_topic, payload) => {
      const ack = parseAcknowledgement(JSON.parse(payload.toString()) as Record<string, unknown>);
      for (const [from, to] of ack?.ranges ?? []) {
        for (let n = from; n <= to; n++) if (unacknowledged.delete(n)) acknowledged++;
      }
    });
    await agent.subscribeAsync(`edgewood/1/${SITE}/a/h1/ack`, { qos: 1 });
    let running = hub();
    await running.logged('hub.listening');
    const events = 2000;
    let kills = 0;
    for (let n = 1; n <= events; n++) {
      unacknowledged.add(n);
      await send(agent, eventMessage('h1', 'e1', n));
      if (n % 500 !== 250) continue;
      kills++;
      running.child.kill('SIGKILL');
      await running.ended;
      running = hub();
    }
    // As an agent does: what the hub has not spoken of is sent again.
    await until(async () => {
      for (const n of unacknowledged) await send(agent, eventMessage('h1', 'e1', n));
      return unacknowledged.size === 0;
    });
    expect([kills, acknowledged]).toEqual([4, events]);
    running.child.kill('SIGTERM');
    expect(await running.ended).toBe(0);
    const db = openDatabase(join(directory, 'hub', 'hub.db'), { readonly: true });
    expect(
      db.prepare('SELECT count(*) AS rows, count(DISTINCT n) AS numbers, max(n) AS last FROM events').get(),
    ).toEqual({
      rows: events,
      numbers: events,
      last: events,
    });
    db.close();
  });

  test('many hosts with one cause are one alert, a silent one is another; both are seen by those who watch', async () => {
    const { hub, client, run, start } = await scene();
    const operator = await client();
    const alerts = await inbox(operator, `edgewood/1/${SITE}/hub/alert/+`);
    const running = hub('--silent-after', '10s');
    await running.logged('hub.listening');
    const fleet = await client();
    const hosts = Array.from({ length: 20 }, (_, i) => `host-${i}`);
    const labels = { rack: 'r1' };
    for (const host of hosts)
      await send(fleet, eventMessage(host, 'e1', 1, host < 'host-15' ? { labels } : {}));
    await until(async () => {
      const { out } = await run('fleet', 'status', '--json');
      return (JSON.parse(out) as { hosts: object[] }).hosts.length === 20;
    });
    const watching = start('fleet', 'watch', '--json');
    await until(() => watching.stdout().includes('"kind":"totals"'));
    for (const host of hosts.slice(0, 6)) {
      await send(fleet, incidentMessage(host, 2, { feature: 'memory', labels, timeMs: Date.now() }));
    }
    const { topic, document } = await alerts();
    expect(topic).toBe(`edgewood/1/${SITE}/hub/alert/warning`);
    expect(validator('hub-event')(document)).toEqual([]);
    expect(validator('fleet-incident')(document['data'])).toEqual([]);
    expect(document['data']).toMatchObject({ count: 6, cause: { trigger: 'surprise', feature: 'memory' } });
    await until(() => watching.stdout().includes('"kind":"hubAlert"'));
    expect(watching.stdout()).toMatch(/"kind":"host".*"feature":"memory"/);
    // Speaks each tenth of a second, and then no more.
    for (let i = 0; i < 40; i++) {
      await send(fleet, telemetry('host-19'));
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const silent = await until(async () => {
      const one = await alerts();
      return one.document['type'] === 'edgewood.host.silent' && one;
    });
    expect(silent.document).toMatchObject({ subject: 'host-19', data: { state: 'opened' } });
    await send(fleet, telemetry('host-19'));
    expect((await alerts()).document).toMatchObject({ subject: 'host-19', data: { state: 'resolved' } });
  });

  test('fleet verify: what a broker without persistence lost is named and counted', async () => {
    const { mosquitto, hub, client, run } = await scene();
    const running = hub();
    await running.logged('hub.listening');
    const fleet = await client();
    const hosts = Array.from({ length: 1200 }, (_, i) => `host-${i}`);
    for (const host of hosts) await send(fleet, birth(host, 'b1', Date.now()), true);
    await until(async () => {
      const { out } = await run('fleet', 'status', '--json');
      return (JSON.parse(out) as { totals: { hosts: number } }).totals.hosts === 1200;
    });
    const fine = await run('fleet', 'verify');
    expect(fine.code).toBe(0);
    expect(fine.out).toMatch(
      /^✓ hosts: 1200 of 1200 as the hub knows them\n- releases: not looked at: .*\n- rollouts: not looked at: .*\n$/,
    );
    await mosquitto.restart();
    const lost = await run('fleet', 'verify', '--json');
    expect(lost.code).toBe(1);
    const { checks } = JSON.parse(lost.out) as {
      checks: { hosts: { fine: number; findings: { finding: string }[] } };
    };
    expect([
      checks.hosts.fine,
      checks.hosts.findings.filter(({ finding }) => finding === 'statusMissing').length,
    ]).toEqual([0, 1200]);
    // Back, one of them anew, and one that the hub does not know: it is away.
    running.child.kill('SIGTERM');
    await running.ended;
    const back = await client();
    for (const host of hosts.slice(1)) await send(back, birth(host, 'b1', Date.now()), true);
    await send(back, birth('host-0', 'b2', Date.now()), true);
    await send(back, birth('stranger\u202e', 'b1', Date.now()), true);
    const after = await run('fleet', 'verify', '--limit', '5');
    expect(after.code).toBe(1);
    expect(after.out).toMatch(/✗ hosts: 1199 of 1200/);
    expect(after.out).toMatch(/statusUnheard {2}lab\/host-0/);
    await mosquitto.kill();
    expect((await run('fleet', 'verify')).code).toBe(3);
  });

  test('fleet samples: asked for by a signed command, put together, and `train` takes them', async () => {
    const { directory, hub, client, run } = await scene();
    const running = hub();
    await running.logged('hub.listening');
    const agent = await client();
    await send(agent, telemetry('web-7'));
    const fleet = new TestFleet(Date.now());
    const [root, key] = [join(directory, 'root.1.json'), join(directory, 'ops.key')];
    writeFileSync(root, fleet.root);
    writeFileSync(key, fleet.operatorKey.private.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
    const trust = new Trust(fleet.root, fleet.pin);
    const rows = 45_000;
    const startMs = Date.parse('2026-01-01T00:00:00Z');
    const all = Array.from({ length: rows }, (_, i) => [
      startMs + i * 5000,
      20 + 10 * Math.sin(i / 300) + ((i * 7919) % 13) / 4,
      i % 1000 === 7 ? null : 50 + ((i * 104_729) % 17) / 8,
    ]);
    const metrics = ['cpu', 'memory'];
    let asks = 0;
    agent.on('message', (topic, envelope) => {
      const [, , , , , , name = ''] = topic.split('/');
      const to = { site: SITE, hostId: 'web-7', name };
      const { commandId, arguments: asked } = trust.acceptCommand(envelope, to, Date.now());
      const { from, to: until, limit } = asked as { from: string; to: string; limit: number };
      const page = all
        .filter(
          ([timeMs]) => (timeMs as number) >= Date.parse(from) && (timeMs as number) < Date.parse(until),
        )
        .slice(0, limit);
      asks++;
      const parts = Math.ceil(page.length / 500);
      const reply = (about: object, id = commandId): void => {
        const whole = { schemaVersion: 1, commandId: id, hostId: 'web-7', ok: true, error: null, parts };
        const text = JSON.stringify({ ...whole, ...about });
        void agent.publishAsync(`edgewood/1/${SITE}/a/web-7/reply/${id}`, text, { qos: 1 });
      };
      const strange = { part: 0, result: { metrics, rows: [[1, 2, 3]] } };
      reply({ ...strange, hostId: 'web-8' });
      reply({ ...strange, commandId: 'c-1' });
      reply(strange, 'c-1');
      reply({ ...strange, part: 99 });
      // In another order, and some twice.
      for (let part = parts - 1; part >= 0; part--) {
        const result = { metrics, rows: page.slice(part * 500, (part + 1) * 500) };
        reply({ part, result });
        if (part % 3 === 0) reply({ part, result });
      }
    });
    await agent.subscribeAsync(`edgewood/1/${SITE}/a/+/cmd/+`, { qos: 1 });
    await until(async () => (await run('fleet', 'status', '--json')).out.includes('web-7'));
    const out = join(directory, 'samples');
    const samples = (...args: string[]) =>
      run(
        'fleet',
        'samples',
        'web-7',
        '--from',
        '2026-01-01',
        '--to',
        '2026-02-01',
        '--out',
        out,
        '--root',
        root,
        '--key',
        key,
        ...args,
      );
    const asked = await samples('--store');
    // 20,000 at a time.
    expect(asks).toBe(3);
    expect(asked).toEqual({
      code: 0,
      out: `✓ ${SITE}/web-7: ${rows} samples in ${join(out, 'web-7.csv')}\n`,
    });
    const lines = readFileSync(join(out, 'web-7.csv'), 'utf8').trimEnd().split('\n');
    expect([lines.length, lines[0], lines[8]?.endsWith(',')]).toEqual([
      rows + 1,
      'timestamp,cpu,memory',
      true,
    ]);
    const db = openDatabase(join(directory, 'hub', 'hub.db'), { readonly: true });
    expect(db.prepare('SELECT count(*) AS rows FROM samples').get()).toEqual({ rows });
    db.close();
    const trained = await run(
      'train',
      join(out, 'web-7.csv'),
      '--name',
      'web',
      '--features',
      'cpu,memory',
      '--registry',
      join(directory, 'registry'),
    );
    expect(trained.out).toMatch(/✓ registered {2}web@1: /);
    expect(trained.code).toBe(0);
    expect(readdirSync(out)).toEqual(['web-7.csv']);
    // Nobody answers.
    await agent.unsubscribeAsync(`edgewood/1/${SITE}/a/+/cmd/+`);
    const silent = await samples('--timeout', '1s');
    expect(silent).toMatchObject({
      code: 3,
      out: expect.stringMatching(
        /^✗ lab\/web-7: no answer within 1 s\nedgewood: no answer from lab\/web-7\. /,
      ),
    });
  });
});
