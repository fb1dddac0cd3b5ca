import type { RolloutDocument } from '../../../core/protocol/trust.ts';
import { signed, testKey } from '../../support/signed.ts';
import type { Message, Scene } from './scene.ts';

/** Something hostile for every topic that there is, and for some that there are not. */
export function hostileMessages(
  { fleet, topics, own, way }: Scene,
  next: RolloutDocument,
  epoch: string,
): Message[] {
  const stranger = testKey('stranger');
  const { sha256, artifactSha256 } = next.release;
  const command = fleet.command('snooze', 'of-an-enemy', { hostId: 'host', site: way.site });
  const said = JSON.stringify({ id: 'forged-1', type: 'edgewood.incident', data: { state: 'resolved' } });
  const ack = JSON.stringify({ schemaVersion: 1, epoch: `${epoch}x`, ranges: [[1, 1_000_000]] });
  const elsewhere = `edgewood/1/${way.site}`;
  return [
    { topic: topics.rollout('host'), payload: signed(next) },
    { topic: topics.root(3), payload: signed(fleet.rootTwo(3), stranger) },
    { topic: topics.release('host', next.release.version), payload: Buffer.from(sha256) },
    { topic: topics.chunk(artifactSha256, 0), payload: Buffer.alloc(65_536, 1) },
    { topic: own.command('snooze'), payload: signed(command, stranger) },
    { topic: own.ack, payload: ack },
    ...[own.status, own.event, own.telemetry, own.reported, own.selftest, own.reply('c-1')].map((topic) => ({
      topic,
      payload: said,
    })),
    ...(['info', 'warning', 'critical'] as const).map((one) => ({ topic: own.alert(one), payload: said })),
    ...[
      `${elsewhere}/a/host`,
      `${elsewhere}/a/host/alert`,
      `${elsewhere}/a/host/alert/critical/more`,
      `${elsewhere}/a/host/cmd/snooze/more`,
      `${elsewhere}/a`,
      `${elsewhere}/hub/alert/warning`,
      'edgewood/1/elsewhere/a/host/cmd/snooze',
      'edgewood/1/elsewhere/m/host/rollout',
      'edgewood/2/default/a/host/cmd/snooze',
      'elsewhere',
    ].map((topic) => ({ topic, payload: said })),
  ];
}
