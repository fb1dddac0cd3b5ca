import { createHash } from 'node:crypto';
import type { CommandDocument } from '../../../core/protocol/trust.ts';
import { signed } from '../../support/signed.ts';
import type { Attack } from './attack.ts';
import { flipped, resigned } from './forgery.ts';
import { HOST, type Message, type Scene } from './scene.ts';

const HOUR_MS = 3_600_000;

/** Commands of an enemy. */
export function commandAttacks(scene: Scene): Attack[] {
  const { fleet, own, way } = scene;
  const key = fleet.operatorKey;
  let n = 0;
  const command = (name: CommandDocument['name'], change: Partial<CommandDocument> = {}): CommandDocument =>
    fleet.command(name, `enemy-${++n}`, {
      site: way.site,
      hostId: HOST,
      arguments: { ms: 60_000, reason: 'x' },
      ...change,
    });
  const at = (payload: Buffer | string, name = 'snooze'): Message => ({ topic: own.command(name), payload });
  const one = (name: string, message: Message, word: string): Attack => ({
    name: `command: ${name}`,
    messages: [message],
    counted: { [word]: 1 },
  });
  const iso = (ms: number): string => new Date(ms).toISOString();
  const dated = (fromMs: number, untilMs: number): Message =>
    at(
      signed(
        command('snooze', { issuedAt: iso(fleet.nowMs + fromMs), expiresAt: iso(fleet.nowMs + untilMs) }),
        key,
      ),
    );
  const once = signed(command('self-test', { arguments: {} }), key);
  const redirected = command('self-test', { arguments: {} });
  return [
    one('unsigned', at(signed(command('snooze'))), 'tooFewSignatures'),
    one('forged', at(resigned(command('snooze'), [key], flipped)), 'tooFewSignatures'),
    one('by the releaser', at(signed(command('snooze'), fleet.releaseKey)), 'tooFewSignatures'),
    one('by who may only renew', at(signed(command('snooze'), fleet.renewalKey)), 'tooFewSignatures'),
    one('to another host', at(signed(command('snooze', { hostId: 'other' }), key)), 'otherHost'),
    one('to another site', at(signed(command('snooze', { site: 'elsewhere' }), key)), 'otherHost'),
    one('another fleet’s', at(signed(command('snooze', { fleet: 'another' }), key)), 'otherFleet'),
    one('under another name than it has', at(signed(command('snooze'), key), 'verdict'), 'unknownCommand'),
    one('that nobody knows', at(signed(command('snooze'), key), 'shell'), 'unknownCommand'),
    one('named as a role', at(signed(command('snooze'), key), 'root'), 'tooFewSignatures'),
    one('after its expiry', dated(-HOUR_MS, -60_000), 'expired'),
    one('from the future', dated(2 * HOUR_MS, 2.5 * HOUR_MS), 'expired'),
    one('good for more than an hour', dated(0, 2 * HOUR_MS), 'expired'),
    one('mixed up: a rollout', at(fleet.signRollout(rollout(scene))), 'wrongType'),
    one('noise', at('{"name":"snooze","name":"self-test"}'), 'notAnEnvelope'),
    {
      name: 'command: replayed five times',
      messages: Array(6).fill(at(once, 'self-test')) as Message[],
      counted: { replayed: 5 },
    },
    {
      name: 'command: retained',
      messages: [
        { ...at(signed(command('snooze'), key)), retain: true },
        { ...at(''), retain: true },
      ],
      // To a client that is there it comes as any other, so the first is carried out, once; see below for its replay.
      counted: { notAnEnvelope: 1 },
      act: async (attacked) => {
        // What a rightful operator asked for is undone by the rightful operator.
        await attacked.publish(at(signed(command('snooze', { arguments: { ms: 0, reason: '' } }), key)));
      },
      note: 'it was signed for this host, and is carried out as any other',
    },
    {
      name: 'command: its reply redirected by MQTT properties',
      counted: {},
      act: (attacked) => redirect(attacked, redirected),
      note: 'answered on its own topic alone',
    },
  ];
}

function rollout({ fleet }: Scene) {
  const release = { version: 9, sha256: '0'.repeat(64), artifactSha256: '0'.repeat(64) };
  return {
    ...fleet.rollout(99, {
      document: { version: 9, artifact: { sha256: '0'.repeat(64) } },
      envelope: Buffer.from('{"payload":""}'),
    } as never),
    release,
  };
}

/** @throws Error where anything comes to the topic that the properties name */
async function redirect(scene: Scene, command: CommandDocument): Promise<void> {
  const elsewhere = 'elsewhere/reply';
  const spy = await scene.login();
  const caught: string[] = [];
  spy.on('message', (topic) => caught.push(topic));
  await spy.subscribeAsync('elsewhere/#', { qos: 1 });
  await scene.publish({
    topic: scene.own.command('self-test'),
    payload: signed(command, scene.fleet.operatorKey),
    properties: { responseTopic: elsewhere, correlationData: Buffer.from('x') },
  });
  await scene.until('the reply', () => scene.replies.has(command.commandId));
  await spy.endAsync();
  if (caught.length > 0) throw new Error('a reply went where the MQTT properties said');
}

/** Acknowledgements of an enemy, where nothing but a hub's word lets an event go. */
export function ackAttacks({ own }: Scene, epoch: string): Attack[] {
  const most = Number.MAX_SAFE_INTEGER;
  const one = (name: string, document: unknown, word: string): Attack => ({
    name: `ack: ${name}`,
    messages: [
      { topic: own.ack, payload: typeof document === 'string' ? document : JSON.stringify(document) },
    ],
    counted: { [`sink.${word}`]: 1 },
  });
  const ack = (ranges: unknown, of = epoch): object => ({ schemaVersion: 1, epoch: of, ranges });
  const stray = 'strayAcknowledgements';
  return [
    one('of another epoch', ack([[1, 100]], 'another'), stray),
    one('of another epoch, all numbers', ack([[1, most]], 'another'), stray),
    one('of numbers that were never sent', ack([[1_000_000, 2_000_000]]), stray),
    one('of a number beyond all', ack([[most, most]]), stray),
    one('ranges that are none', ack([[5, 1]]), 'inbound.unsupported'),
    one(
      'a number that none can be',
      `{"schemaVersion":1,"epoch":"${epoch}","ranges":[[1,1e999]]}`,
      'inbound.unsupported',
    ),
    one(
      'half a million ranges',
      `{"schemaVersion":1,"epoch":"${epoch}","ranges":[${'[1,2],'.repeat(40_000)}[1,2]]}`,
      'inbound.tooLarge',
    ),
    one('too many ranges', ack(Array.from({ length: 2000 }, () => [1, 2])), 'inbound.unsupported'),
    one('duplicate keys', `{"schemaVersion":1,"epoch":"x","epoch":"y","ranges":[[1,9]]}`, stray),
    one('no JSON', '[[[', 'inbound.notJson'),
    one('nested 30,000 deep', '['.repeat(30_000) + ']'.repeat(30_000), 'inbound.notAnObject'),
    one('another schema version', { ...ack([[1, 2]]), schemaVersion: 2 }, 'inbound.unsupported'),
  ];
}

/** Another client under the agent's own name: each throws the other out. */
export const takeover = (times: number): Attack => ({
  name: `connection: taken over ${times} times under the agent’s own client id`,
  counted: { 'sink.connectionsLost': times },
  // What the enemy left at the topic of the next root comes again with each connection.
  beside: ['sink.connectFailures', 'notADocument', 'sink.telemetryDropped'],
  act: async (scene) => {
    for (let i = 0; i < times; i++) {
      const { sinks } = await scene.status();
      const connects = sinks[0]?.connects ?? 0;
      const enemy = await scene.login({ clientId: `edgewood-${scene.way.site}-${HOST}`, clean: true });
      await enemy.endAsync(true);
      await scene.until(
        'the agent is back',
        (status) => (status.sinks[0]?.connects ?? 0) > connects && status.sinks[0]?.connected === true,
      );
    }
  },
});

export const digestOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
