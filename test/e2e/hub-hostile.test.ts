import { connect } from 'node:net';
import { join } from 'node:path';
import { MqttClient } from 'mqtt';
import { describe, expect, test } from 'vitest';
import { openDatabase } from '../../agent/native.ts';
import { parseAcknowledgement } from '../../core/protocol/acknowledgement.ts';
import { birth, documentMessage, eventMessage, SITE, telemetry, will } from '../hub/messages.ts';
import { hasExecutable } from '../support/executable.ts';
import { cleanups, inbox, scene, send, until } from '../support/hub-scene.ts';
import { hasMosquitto } from '../support/mosquitto.ts';

/** What a hub lives through on a real mosquitto: hosts that lie, boots that overlap, shards side by side. */

interface FleetStatus {
  readonly hosts: readonly { readonly id: string; readonly presence: string; readonly cloned: boolean }[];
  readonly refusals: readonly { readonly reason: string; readonly count: number }[];
}

describe.skipIf(!hasExecutable || !hasMosquitto)('edgewood hub', () => {
  const statusOf = async ({ run }: Pick<Awaited<ReturnType<typeof scene>>, 'run'>): Promise<FleetStatus> =>
    JSON.parse((await run('fleet', 'status', '--json')).out) as FleetStatus;

  test('whatever one host sends, the hub goes on for the others', async () => {
    const { hub, client, run } = await scene();
    const running = hub();
    await running.logged('hub.listening');
    const fleet = await client();
    const acks = await inbox(fleet, `edgewood/1/${SITE}/a/+/ack`);
    const deep = '['.repeat(30_000) + ']'.repeat(30_000);
    const hostile = (text: string) => ({
      topic: `edgewood/1/${SITE}/a/evil/event`,
      payload: Buffer.from(text),
    });
    for (const epoch of ['__proto__', 'constructor', 'valueOf', '\u202e', 'x'.repeat(64)])
      await send(fleet, eventMessage('evil', epoch, 1));
    const lost = { schemaVersion: 1, epoch: '__proto__', ranges: [[1, Number.MAX_SAFE_INTEGER]] };
    await send(fleet, eventMessage('evil', 'e9', 1, { type: 'edgewood.events.dropped', data: lost }));
    await send(fleet, eventMessage('evil', 'e9', 9_007_199_254_740_99));
    const whole = Buffer.from(eventMessage('evil', 'e8', 1, { data: { x: 'DEEP' } }).payload).toString();
    await send(fleet, hostile(whole.replace('"DEEP"', deep)));
    await send(fleet, hostile(deep));
    await send(fleet, hostile('{"specversion":"1.0"'));
    await send(fleet, hostile('x'.repeat(100_000)));
    await send(
      fleet,
      documentMessage('evil', 'reported', { at: '+275760-09-13T00:00:00.000Z', state: '\u0000' }),
    );
    await send(fleet, documentMessage('evil', 'status', { online: 'yes', bootId: {}, agentVersion: 3 }));
    const labels = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`__proto__${i}`, 'x']));
    await send(fleet, eventMessage('evil', 'e9', 3, { labels: { ...labels, constructor: 'x' } }));
    await send(fleet, eventMessage('good', 'e1', 1));
    await until(async () => (await acks()).topic.endsWith('/good/ack'));
    expect(running.child.exitCode).toBeNull();
    const { hosts, refusals } = await statusOf({ run });
    expect(hosts.map(({ id }) => id).sort()).toEqual(['evil', 'good']);
    expect(refusals.map(({ reason }) => reason)).not.toContain('hubFault');
    expect(new Set(refusals.map(({ reason }) => reason))).toEqual(
      new Set(['badDocument', 'notJson', 'tooLarge']),
    );
    expect((await run('fleet', 'status', '--all')).code).toBe(0);
    running.child.kill('SIGTERM');
    expect(await running.ended).toBe(0);
    // And from what it has stored.
    const again = hub();
    await again.logged('hub.listening');
    await send(fleet, eventMessage('good', 'e1', 2));
    await until(async () => (await acks()).document['epoch'] === 'e1');
    again.child.kill('SIGTERM');
    expect(await again.ended).toBe(0);
  });

  test('a will of an old boot after a new birth is nothing; two boots in turns are a clone', async () => {
    const { mosquitto, hub, client, run } = await scene();
    const running = hub();
    await running.logged('hub.listening');
    const fleet = await client();
    const { topic, payload } = will('h1', 'b1');
    const stream = connect(mosquitto.port, '127.0.0.1');
    const first = new MqttClient(() => stream, {
      protocolVersion: 5,
      reconnectPeriod: 0,
      will: { topic, payload: Buffer.from(payload), qos: 1, retain: true },
    });
    cleanups.push(() => first.endAsync(true));
    await new Promise((resolve) => first.once('connect', resolve));
    first.on('error', () => {});
    await send(first, birth('h1', 'b1', Date.now()), true);
    await send(fleet, birth('h1', 'b2', Date.now() + 1), true);
    const heard = await inbox(fleet, topic);
    expect((await heard()).document).toMatchObject({ bootId: 'b2', online: true });
    stream.destroy();
    expect((await heard()).document).toMatchObject({ bootId: 'b1', online: false });
    // Comes after the will on the hub's connection.
    await send(fleet, telemetry('h2'));
    const h1 = async () => (await statusOf({ run })).hosts.find(({ id }) => id === 'h1');
    await until(async () => (await statusOf({ run })).hosts.length === 2);
    expect(await h1()).toMatchObject({ presence: 'online', cloned: false });
    // Read from the broker, where the will is retained.
    running.child.kill('SIGTERM');
    await running.ended;
    const again = hub();
    await again.logged('hub.listening');
    await send(fleet, telemetry('h3'));
    await until(async () => (await statusOf({ run })).hosts.length === 3);
    expect(await h1()).toMatchObject({ presence: 'online', cloned: false });
    for (const boot of ['b1', 'b2', 'b1']) await send(fleet, birth('h1', boot, Date.now()), true);
    await until(async () => (await h1())?.cloned === true);
  });

  test('two shards together keep every host and event, once, and acknowledge each', async () => {
    const { directory, hub, client, run } = await scene();
    const dirs = [1, 2].map((i) => join(directory, `shard-${i}`));
    const hubs = dirs.map((dir, i) => hub('--shard', `${i + 1}/2`, '--state-dir', dir));
    for (const one of hubs) await one.logged('hub.listening');
    const fleet = await client();
    const waiting = new Set<string>();
    let acknowledgements = 0;
    fleet.on('message', (topic, payload) => {
      acknowledgements++;
      const ack = parseAcknowledgement(JSON.parse(payload.toString()) as Record<string, unknown>);
      for (const [from, to] of ack?.ranges ?? [])
        for (let n = from; n <= to; n++) waiting.delete(`${topic.split('/')[4]} ${n}`);
    });
    await fleet.subscribeAsync(`edgewood/1/${SITE}/a/+/ack`, { qos: 1 });
    const hosts = Array.from({ length: 40 }, (_, i) => `host-${i}`);
    for (let n = 1; n <= 10; n++) {
      for (const host of hosts) {
        waiting.add(`${host} ${n}`);
        await send(fleet, eventMessage(host, 'e1', n));
      }
      // One of them is killed in the middle: the other goes on, and what it had not stored is sent again.
      if (n !== 5) continue;
      hubs[0]?.child.kill('SIGKILL');
      await hubs[0]?.ended;
      hubs[0] = hub('--shard', '1/2', '--state-dir', dirs[0] as string);
      await hubs[0].logged('hub.listening');
    }
    await until(async () => {
      for (const key of waiting) {
        const [host = '', n] = key.split(' ');
        await send(fleet, eventMessage(host, 'e1', Number(n)));
      }
      return waiting.size === 0;
    });
    for (const one of hubs) {
      one.child.kill('SIGTERM');
      expect(await one.ended).toBe(0);
    }
    const stored = dirs.map((dir) => {
      const db = openDatabase(join(dir, 'hub.db'), { readonly: true });
      const rows = db
        .prepare('SELECT host_id FROM events JOIN hosts ON hosts.id = host')
        .pluck()
        .all() as string[];
      db.close();
      return rows;
    });
    expect(acknowledgements).toBeGreaterThan(0);
    expect(stored.flat()).toHaveLength(400);
    const [one = [], two = []] = stored.map((rows) => [...new Set(rows)]);
    expect(new Set([...one, ...two]).size).toBe(40);
    expect([one.length > 0, two.length > 0, one.length + two.length]).toEqual([true, true, 40]);
    const status = await run('fleet', 'status', '--json', '--state-dir', dirs[1] as string);
    expect((JSON.parse(status.out) as FleetStatus).hosts).toHaveLength(two.length);
  });
});
